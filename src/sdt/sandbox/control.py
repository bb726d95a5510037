"""What only a stand-in offers: its clock, its list, its accounts and vaults, set by whoever tries things out.

The platform itself never speaks to a vendor this way: it goes by the vendor's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from sdt.adapters.vendor.auth import Outgoing
from sdt.adapters.vendor.transport import NotDone, PerhapsDone, Transport
from sdt.domain.errors import Conflict, NotFound, SdtError, Unavailable, Unprocessable

__all__ = ["SandboxControl"]

ANSWER_BYTES_MAX: Final = 8_388_608
_REFUSALS: Final[Mapping[int, type[SdtError]]] = {404: NotFound, 409: Conflict}


class _Problem(msgspec.Struct):
    code: str = "http"


class SandboxControl:
    """Speaks to one service of the sandbox; use one object per event loop."""

    def __init__(self, url: str, api_key: str, *, timeout_s: float = 10) -> None:
        self._transport = Transport(url, timeout_s=timeout_s, answer_bytes_max=ANSWER_BYTES_MAX)
        self._proof = {"Authorization": f"Bearer {api_key}"}

    async def get(self, path: str) -> bytes:
        """Return an answer. Errors: NotFound, Unprocessable, Unavailable."""
        return await self._sent(Outgoing("GET", path, b""), {})

    async def post(self, path: str, body: object, key: str) -> bytes:
        """Set something, once for each key. Errors: Conflict, NotFound, Unprocessable, Unavailable."""
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return await self._sent(Outgoing("POST", path, msgspec.json.encode(body)), headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def _sent(self, outgoing: Outgoing, headers: Mapping[str, str]) -> bytes:
        try:
            status, answer = await self._transport.send(outgoing, {**self._proof, **headers})
        except (NotDone, PerhapsDone):
            raise Unavailable("The sandbox does not answer.", code="sandbox_unavailable") from None
        if status < 300:
            return answer
        if status >= 500:
            raise Unavailable("The sandbox cannot do it now.", code="sandbox_unavailable")
        try:
            code = msgspec.json.decode(answer, type=_Problem).code
        except (msgspec.DecodeError, UnicodeDecodeError):
            code = f"http_{status}"
        raise _REFUSALS.get(status, Unprocessable)(f"The sandbox refused: {code}.", code=code)
