"""A vendor's answer as JSON, read strictly: what two readers could read in two ways is refused.

What a desk signs is the digest of these bytes, so they must mean one thing.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

__all__ = ["DEPTH_MAX", "AnswerUnreadable", "read_json"]

DEPTH_MAX: Final = 32


class AnswerUnreadable(Exception):
    """The text says in which way; it never holds a part of the answer."""


def read_json(document: bytes) -> Any:
    """Read JSON in UTF-8: no key twice, no NaN, no nesting deeper than 32, no number that Python would not hold.

    Errors: AnswerUnreadable.
    """
    try:
        value = json.loads(document.decode(), object_pairs_hook=_members, parse_constant=_refuse)
    except UnicodeDecodeError:
        raise AnswerUnreadable("it is not UTF-8") from None
    except (ValueError, RecursionError):
        raise AnswerUnreadable("it is not JSON") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    """Look level by level, for a recursive look is what nesting would break."""
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        level = [
            below
            for one in level
            if isinstance(one, dict | list)
            for below in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise AnswerUnreadable(f"it is nested deeper than {DEPTH_MAX}")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise AnswerUnreadable("a key stands in it twice")
    return members


def _refuse(_: str) -> NoReturn:
    raise AnswerUnreadable("it holds a number that is none")
