"""What the work at hand is about: fields that every log line of it carries, wherever it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["FIELDS", "about", "fields"]

FIELDS: Final = ("transaction_id", "batch", "trace_id", "party", "instruction", "incident", "route")
"""The names that a line may carry. None of them can hold what identifies a person."""

_EMPTY: Final[Mapping[str, object]] = {}
_now: ContextVar[Mapping[str, object]] = ContextVar("sdt_about", default=_EMPTY)


def fields() -> Mapping[str, object]:
    """Return the fields of the work at hand."""
    return _now.get()


@contextmanager
def about(**known: object) -> Iterator[None]:
    """Let every line that is logged inside carry these fields, beside those from outside."""
    assert all(name in FIELDS for name in known), "only fields that can name nobody stand in a log"
    token = _now.set({**_now.get(), **known})
    try:
        yield
    finally:
        _now.reset(token)
