"""What Lambda tells a function of one invocation."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Context"]


class Context(Protocol):
    """The part of Lambda's context object that is used here."""

    def get_remaining_time_in_millis(self) -> int:
        """Return how long until the invocation is ended from outside."""
        ...
