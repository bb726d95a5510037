"""Whose trace a request belongs to, where no spans are made: decided at the door, and carried on as a traceparent.

Where a process is started for a request and frozen after it, the libraries that send spans cost more than they tell.
Those who work on later make theirs all the same, under the caller's span, or under an id that nobody fills.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["Deciding"]

_SAMPLED: Final = "-01"
_at_hand: Final[ContextVar[str]] = ContextVar("traceparent", default="")


class Deciding:
    """In the place of what sends spans: the same door, and nothing behind it."""

    def __init__(self, sample: float) -> None:
        self._sample = sample

    def current(self) -> str:
        """Return the traceparent at hand, if it is sampled."""
        at_hand = _at_hand.get()
        return at_hand if at_hand.endswith(_SAMPLED) else ""

    def trace_id(self) -> str:
        """Return the id of the trace at hand."""
        return _at_hand.get()[3:35]

    @contextmanager
    def span(
        self, name: str, parent: str | None, links: Sequence[str], attributes: Mapping[str, str | int], *, root: bool
    ) -> Iterator[None]:
        """Hold the traceparent of the work inside; only a root's is decided on."""
        parent = _at_hand.get() if parent is None else parent
        before = _at_hand.set(self._decided(parent) if root else parent)
        try:
            yield None
        finally:
            _at_hand.reset(before)

    def past(self, name: str, parent: str, begun_s: float, ended_s: float, attributes: Mapping[str, str | int]) -> None:
        """Write nothing down."""

    def _decided(self, parent: str) -> str:
        """Take the caller's id or make one: a caller may decline, and cannot ask for more than its share."""
        declined = bool(parent) and not parent.endswith(_SAMPLED)
        wanted = not declined and random.random() < self._sample  # noqa: S311
        whose = parent[:52] or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}"
        return f"{whose}-{wanted:02d}"
