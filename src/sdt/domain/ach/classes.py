"""Which standard entry class an entry has: by whose account it is, which way it goes and how it was authorised.

Source: Nacha Operating Rules, Article Two, Subsections 2.5 (PPD, CCD, TEL, WEB).
"""

from __future__ import annotations

from typing import Literal

from sdt.domain.nacha.build import SecCode

__all__ = ["Authorised", "sec_code_of"]

Authorised = Literal["internet", "telephone", "writing"]


def sec_code_of(*, business: bool, is_credit: bool, authorised: Authorised) -> SecCode:
    """Return the class of an entry: a business has CCD; a person is paid by PPD, and debited by how they said yes."""
    if business:
        return "CCD"
    if is_credit or authorised == "writing":
        return "PPD"
    return "WEB" if authorised == "internet" else "TEL"
