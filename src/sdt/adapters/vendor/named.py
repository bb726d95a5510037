"""What an answer calls its members, and which of those names are of what one knows of a person.

The bytes of some answers are kept as evidence, in the clear and for ever, so such an answer must name nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

__all__ = ["EVIDENCE_OF_PEOPLE", "members_of", "personal"]

EVIDENCE_OF_PEOPLE: Final = {("kyc", "application")}
"""Kind and operation whose answers a desk keeps, and which are about a person."""
_WORDS: Final = frozenset(
    (
        *("birth", "birthdate", "birthday", "born", "dob", "firstname", "lastname", "surname"),
        *("ein", "passport", "ssn", "tin"),
        *("email", "mobile", "phone", "postal", "postcode", "street", "zip", "zipcode"),
    )
)
_PHRASES: Final = re.compile(
    r"(^| )((first|last|given|family|middle|maiden|full|legal|holder|person|applicant) names?"
    r"|(home|mailing|residential|street) address|(document|license|licence|id|tax) (number|no|id)|social security)( |$)"
)
_ALONE: Final = frozenset({"name", "names", "address", "city", "nationality"})
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def members_of(value: Any) -> Iterator[str]:
    """Go through the names of all members of a message."""
    if isinstance(value, dict):
        yield from value
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in below:
        yield from members_of(one)


def personal(names: Iterable[str]) -> list[str]:
    """Return those names by which a member says who somebody is, or how to reach them."""
    return sorted({name for name in names if _is_personal([part.lower() for part in _PARTS.findall(name)])})


def _is_personal(parts: list[str]) -> bool:
    text = " ".join(parts)
    return text in _ALONE or not _WORDS.isdisjoint(parts) or _PHRASES.search(text) is not None
