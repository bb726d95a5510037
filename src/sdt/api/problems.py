"""From an error to the problem document that a client sees. The one place where that happens.

Source: RFC 9457 (Problem Details for HTTP APIs).
"""

from __future__ import annotations

import json
import logging
import math
import secrets
import traceback
from dataclasses import dataclass, field
from typing import Any, Final

from sdt.api.catalog import PROBLEMS
from sdt.domain.errors import Kind, SdtError

__all__ = ["PROBLEM_TYPE", "Problem", "bug", "problem_of"]

PROBLEM_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document before it is written."""

    status: int
    members: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The name by which a client and the metrics know it."""
        return str(self.members["code"])

    def body(self) -> bytes:
        """Return the document."""
        return json.dumps(self.members, separators=(",", ":"), ensure_ascii=False).encode()


def problem_of(error: SdtError, *, instance: str, transaction_id: str | None = None) -> Problem:
    """Return the problem for an expected error. Its facts are members beside the standard ones."""
    known = PROBLEMS.get(error.code)
    if known is None:
        # A code that is in no table is a mistake of ours, but the client still gets its honest kind.
        log.error("the error code %s is missing from the table of problems", error.code)
        known = PROBLEMS[_BY_KIND.get(error.kind, "request")]
    facts = dict(error.facts)
    headers = {}
    if known.status in (429, 503):
        retry_after = facts.pop("retry_after_s", RETRY_AFTER_S)
        headers["Retry-After"] = str(math.ceil(float(str(retry_after))))
    if allow := facts.pop("allow", None):
        headers["Allow"] = str(allow)
    members: dict[str, Any] = {
        "type": known.uri,
        "title": known.title,
        "status": known.status,
        "detail": error.detail,
        "instance": instance,
        "code": known.code,
    }
    if transaction_id is not None:
        members["transaction_id"] = transaction_id
    return Problem(known.status, members | facts, headers)


_BY_KIND: Final = {
    Kind.UNAUTHENTICATED: "proof_required",
    Kind.FORBIDDEN: "wrong_role",
    Kind.NOT_FOUND: "not_found",
    Kind.RATE_LIMITED: "backlog",
    Kind.UNAVAILABLE: "unavailable",
}


def bug(error: BaseException, *, instance: str) -> Problem:
    """Log a bug with an incident number, and return the opaque problem that names only the number.

    The log has where it happened and what kind it is, not the values: those may be personal.
    """
    incident = secrets.token_hex(8)
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames[-12:]))
    log.error("incident %s: %s in %s", incident, type(error).__name__, where, extra={"incident": incident})
    known = PROBLEMS["internal"]
    return Problem(
        known.status,
        {
            "type": known.uri,
            "title": known.title,
            "status": known.status,
            "detail": f"The request failed through a fault of ours. Incident {incident}.",
            "instance": instance,
            "code": known.code,
            "incident": incident,
        },
    )
