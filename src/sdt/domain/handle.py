"""Handles: one spelling for each, and no two that look alike.

A handle is ASCII, for its hash stands on chain and is signed by payers. What a person types is normalised by PRECIS
first (width, case, composition). Two handles with the same *skeleton* look alike and cannot both be somebody's:
letters of other scripts count as the ASCII letter they look like, and so do digits and pairs that pass for letters.
Source: RFC 8265 section 3.3 (UsernameCaseMapped), RFC 8264; Unicode UTS 39 section 4 (confusable detection).
"""

from __future__ import annotations

import re
import string
import unicodedata
from functools import cache
from typing import Final, Literal

from sdt.domain.errors import Unprocessable

__all__ = ["HANDLE_CHARS_MAX", "is_handle", "is_reserved", "normalised", "skeleton"]

HANDLE_CHARS_MAX: Final = 32
_HANDLE: Final = re.compile(r"[a-z][a-z0-9]*([._-][a-z0-9]+)*")
_ALIKE: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "_": ".", "-": "."})
_SPREAD: Final = str.maketrans({"m": "rn", "w": "vv"})
_PAIRS: Final = (("rn", "m"), ("vv", "w"))
_ASCII: Final = frozenset(string.ascii_letters + string.digits)

WHOLE_LABELS: Final = (
    "admin", "bank", "cash", "court", "custodian", "dollar", "fbi", "fdic", "fed", "fincen", "gold", "gov", "help",
    "info", "irs", "issuer", "mint", "ofac", "office", "operator", "police", "postmaster", "region", "registry",
    "root", "sdt", "security", "sheriff", "signer", "state", "support", "system", "tax", "texas", "tx", "usa", "vault",
)  # fmt: skip
"""Names that pass for an office when they are a label of a handle; the last label is the region's and is free."""
PARTS: Final = (
    "administrator", "comptroller", "depository", "federalreserve", "government", "governor", "official",
    "treasurer", "treasury",
)  # fmt: skip
"""Names that pass for an office wherever they stand."""


def is_handle(text: str) -> bool:
    """Return whether this is a handle, in its one spelling."""
    return 3 <= len(text) <= HANDLE_CHARS_MAX and _HANDLE.fullmatch(text) is not None


def normalised(text: str) -> str:
    """Return what a person typed as PRECIS spells it: it need not be a handle. Errors: Unprocessable (handle)."""
    from precis_i18n import get_profile  # tables that only a registration needs

    try:
        return str(get_profile("UsernameCaseMapped").enforce(text))
    except UnicodeEncodeError:
        raise Unprocessable("No handle is written like this.", code="handle") from None


@cache
def _prototype(character: str) -> str:
    """Return the ASCII letter or digit that a character of any script looks like, or the character itself."""
    if character.isascii():
        return character
    from confusable_homoglyphs.confusables import confusables_data  # a megabyte of JSON, for such letters alone

    alike = (found["c"] for found in confusables_data.get(character, ()))
    return min((c.lower() for c in alike if len(c) == 1 and c in _ASCII), default=character)


def _plain(form: Literal["NFD", "NFKD"], text: str) -> str:
    return "".join(_prototype(c) for c in unicodedata.normalize(form, text) if not unicodedata.combining(c))


def skeleton(text: str) -> str:
    """Return what a handle looks like: the same for all that look alike. It is for comparing and is never shown."""
    # As it stands first: a letter's compatible or small form may look like another letter than it does itself.
    looks = _plain("NFD", text)
    looks = "".join(map(_prototype, _plain("NFKD", looks).casefold())).translate(_ALIKE)
    # Spread before it is drawn together: three strokes are `vw` as well as `wv`.
    looks = looks.translate(_SPREAD)
    for pair, letter in _PAIRS:
        looks = looks.replace(pair, letter)
    return looks


_LABEL_SKELETONS: Final = frozenset(map(skeleton, WHOLE_LABELS))
_PARTS_SPREAD: Final = tuple(skeleton(part).translate(_SPREAD) for part in PARTS)


def is_reserved(handle: str) -> bool:
    """Return whether a handle passes for an office of the State: it takes an officer to give it to anybody."""
    looks = skeleton(handle)
    labels = looks.split(".")
    own = labels[:-1] if len(labels) > 1 else labels
    # Spread, for a part's last letter may make a pair with the letter after it, and labels divide pairs.
    joined = "".join(labels).translate(_SPREAD)
    return not _LABEL_SKELETONS.isdisjoint(own) or any(part in joined for part in _PARTS_SPREAD)
