"""Who behind a business must be identified: the rule for each kind of entity, with its law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sdt.domain.errors import Unprocessable
from sdt.domain.personal import SHARE_PPM, Business, BusinessKind

__all__ = ["OWNER_PPM_MIN", "OWNER_RULES", "OwnerRule", "check_owners"]

OWNER_PPM_MIN: Final = 250_000
"""A quarter of the equity. Source: 31 C.F.R. 1010.230(d)(1)."""


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """Whether owners of a quarter or more are named, and why so. Who controls or acts for it is always named."""

    owners: bool
    text: str
    statute: str


_LEGAL_ENTITY: Final = OwnerRule(
    True,
    "A legal entity names each individual who owns a quarter or more of it, and one who controls it.",
    "31 C.F.R. 1010.230(d)",
)
OWNER_RULES: Final[Mapping[BusinessKind, OwnerRule]] = {
    "corporation": _LEGAL_ENTITY,
    "llc": _LEGAL_ENTITY,
    "partnership": _LEGAL_ENTITY,
    "trust": OwnerRule(
        True,
        "A trust that was created by a filing is a legal entity; the trustee controls it.",
        "31 C.F.R. 1010.230(d), (e)(1)",
    ),
    "nonprofit": OwnerRule(
        False,
        "A nonprofit corporation has no owners: it names the individual who controls it.",
        "31 C.F.R. 1010.230(e)(3)(ii)",
    ),
    "sole_proprietorship": OwnerRule(
        False,
        "A sole proprietorship is its proprietor, who is named as the one who controls it.",
        "31 C.F.R. 1010.230(e)(1); 1020.220(a)(2)",
    ),
    "agency": OwnerRule(
        False,
        "A department or agency of the United States, a State or its subdivisions is no legal entity customer: "
        "it names the officer who acts for it.",
        "31 C.F.R. 1010.230(e)(2)(ii), 1020.315(b)(2)-(3)",
    ),
}


def check_owners(business: Business) -> None:
    """Refuse owners that cannot be, or that are not asked for.

    Errors: Unprocessable (owner_share, owners_share_sum, owners_exempt), naming the rule and its law.
    """
    rule = OWNER_RULES[business.kind]
    law = {"rule": f"owners-of-{business.kind.replace('_', '-')}", "statute": rule.statute, "effective": "2018-05-11"}
    if business.owners and not rule.owners:
        raise Unprocessable(rule.text, code="owners_exempt", **law)
    if any(owner.share_ppm < OWNER_PPM_MIN for owner in business.owners):
        raise Unprocessable("An owner who is named has a quarter or more.", code="owner_share", **law)
    if sum(owner.share_ppm for owner in business.owners) > SHARE_PPM:
        raise Unprocessable("The owners' shares are more than the whole.", code="owners_share_sum", **law)
