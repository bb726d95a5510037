"""A vendor's answer as JSON, read strictly: what two readers could read in two ways is refused.

What a desk signs is the digest of these bytes, so they must mean one thing.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from sdt.domain.strict_json import NESTING_MAX, nests_too_deep

__all__ = ["AnswerUnreadable", "read_json"]


class AnswerUnreadable(Exception):
    """The text says in which way; it never holds a part of the answer."""


def read_json(document: bytes) -> Any:
    """Read JSON in UTF-8: no key twice, no NaN, no nesting deeper than 32, no number that Python would not hold.

    Errors: AnswerUnreadable.
    """
    if nests_too_deep(document):
        raise AnswerUnreadable(f"it is nested deeper than {NESTING_MAX}")
    try:
        return json.loads(document.decode(), object_pairs_hook=_members, parse_constant=_refuse)
    except UnicodeDecodeError:
        raise AnswerUnreadable("it is not UTF-8") from None
    except ValueError:
        raise AnswerUnreadable("it is not JSON") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise AnswerUnreadable("a key stands in it twice")
    return members


def _refuse(_: str) -> NoReturn:
    raise AnswerUnreadable("it holds a number that is none")
