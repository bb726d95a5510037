"""Which problems an operation may answer, as OpenAPI declares them."""

from __future__ import annotations

from typing import Any, Final

from sdt.api.catalog import PROBLEMS
from sdt.api.problems import PROBLEM_TYPE

__all__ = ["ALWAYS", "problems"]

ALWAYS: Final = (400, 413, 431, 500, 503)
"""What any operation may answer."""

_PROBLEM: Final = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_RETRY: Final = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the responses of an operation that may also answer `statuses`."""
    responses: dict[int | str, dict[str, Any]] = {}
    for status in sorted({*ALWAYS, *statuses}):
        codes = ", ".join(f"`{p.code}`" for p in PROBLEMS.values() if p.status == status)
        responses[status] = {"description": f"A problem: {codes}.", "content": _PROBLEM}
        if status in (429, 503):
            responses[status]["headers"] = _RETRY
    return responses
