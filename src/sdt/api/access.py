"""The access log: one line a request, with the route and never the address as it was sent.

An address holds accounts and handles, its query whatever a client puts there: neither is repeated. The transaction's
id is, where the address is one of a transaction.
"""

from __future__ import annotations

import logging
import re
from typing import Final, Literal

__all__ = ["Access", "AccessLog"]

Access = Literal["all", "failures", "none"]
"""`failures` are requests that were refused, failed, or took long without having been asked to wait."""

SLOW_S: Final = 1.0
_WAITING: Final = "/v1/transactions/{transaction_id}"
_PREFIX: Final = "/v1/transactions/"
_ID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
log = logging.getLogger("sdt.api.access")


class AccessLog:
    """Writes it, as far as settings want it."""

    def __init__(self, wanted: Access) -> None:
        self._wanted = wanted

    def took(self, route: str, path: str, method: str, status: int, seconds: float) -> None:
        """Write a line for a request if it is wanted. Units: seconds."""
        if self._wanted == "none":
            return
        if self._wanted == "failures" and status < 400 and (seconds < SLOW_S or route == _WAITING):
            return
        fields: dict[str, object] = {"route": route, "method": method, "status": status, "ms": round(seconds * 1000, 1)}
        if route.startswith(_WAITING) and (found := _ID.match(path, len(_PREFIX))):
            fields["transaction_id"] = found[0]
        # Whoever sends nonsense without end must not fill a disk: failures are told some times a minute and counted.
        told = {"access": fields} | ({"every": True} if self._wanted == "all" else {})
        log.info(f"{method} {route} {status}", extra=told)
