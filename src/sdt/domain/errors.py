"""Every expected error of the platform: one base class, one kind each, a stable code, and the facts.

Raise at the place that knows; map once, at the edge. A bug is an AssertionError and is never one of these.
Source: RFC 9457 for how the edge shows them (`sdt.api.problems`).
"""

from __future__ import annotations

from enum import Enum

__all__ = [
    "Conflict",
    "Forbidden",
    "Invalid",
    "Kind",
    "NotFound",
    "RateLimited",
    "SdtError",
    "Unauthenticated",
    "Unavailable",
    "Unprocessable",
]


class Kind(Enum):
    """What an error means to whoever catches it: the HTTP status, and what the worker does."""

    INVALID = ("invalid", 400, "reject")
    UNAUTHENTICATED = ("unauthenticated", 401, "reject")
    FORBIDDEN = ("forbidden", 403, "reject")
    NOT_FOUND = ("not_found", 404, "reject")
    CONFLICT = ("conflict", 409, "reject")
    UNPROCESSABLE = ("unprocessable", 422, "reject")
    RATE_LIMITED = ("rate_limited", 429, "retry")
    UNAVAILABLE = ("unavailable", 503, "retry")

    def __init__(self, label: str, http_status: int, worker: str) -> None:
        self.label = label
        self.http_status = http_status
        self.worker = worker


class SdtError(Exception):
    """An expected failure, with a code that never changes and a sentence for a person.

    `facts` are extra members shown to the caller (never secrets, never personal data).
    """

    kind: Kind
    code: str = "error"

    def __init__(self, detail: str, *, code: str | None = None, **facts: object) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code
        self.facts = facts


class Invalid(SdtError):
    """The request cannot be read: malformed, too large, a field of the wrong form."""

    kind = Kind.INVALID
    code = "invalid"


class Unauthenticated(SdtError):
    """Who sent it is not established: unknown key, bad signature, stale proof."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"


class Forbidden(SdtError):
    """The sender is known and may not do this."""

    kind = Kind.FORBIDDEN
    code = "forbidden"


class NotFound(SdtError):
    """No such thing, or not for this caller."""

    kind = Kind.NOT_FOUND
    code = "not_found"


class Conflict(SdtError):
    """It contradicts something already recorded."""

    kind = Kind.CONFLICT
    code = "conflict"


class Unprocessable(SdtError):
    """Well-formed and authentic, and refused by a rule or by the state of the books."""

    kind = Kind.UNPROCESSABLE
    code = "unprocessable"


class RateLimited(SdtError):
    """Too much at once; try again after `retry_after_s`."""

    kind = Kind.RATE_LIMITED
    code = "rate_limited"


class Unavailable(SdtError):
    """A part that is needed does not answer; nothing was done, or it will be retried."""

    kind = Kind.UNAVAILABLE
    code = "unavailable"
