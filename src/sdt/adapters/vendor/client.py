"""The HTTP client for vendors: time limits, retries under one idempotency key, and typed failures.

What a vendor writes into an error is not passed on, for it may name a person: only its code is.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import aiohttp
import msgspec

from sdt.domain.errors import Conflict, NotFound, SdtError, Unavailable, Unprocessable
from sdt.ports import StateUnknown, VendorFault

log = logging.getLogger(__name__)

Wire = TypeVar("Wire", bound=msgspec.Struct)
Answer = TypeVar("Answer")

ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_REFUSALS: Final[Mapping[int, type[SdtError]]] = {
    400: Unprocessable,
    404: NotFound,
    409: Conflict,
    413: Unprocessable,
    422: Unprocessable,
}
_NOTHING_DONE: Final = frozenset({429, 503})


class _NotDone(Exception):
    """This try did nothing: it never arrived, or the vendor said so."""


class _Unknown(Exception):
    """This try may have done something."""


class VendorClient:
    """Speaks to one vendor; use one object per event loop.

    Units: `timeout_s` for each single try; `attempts` tries at most, `pause_s` before the second, doubling.
    """

    def __init__(
        self, vendor: str, url: str, api_key: str, *, timeout_s: float = 10, attempts: int = 3, pause_s: float = 0.2
    ) -> None:
        self._vendor = vendor
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._attempts = attempts
        self._pause_s = pause_s
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Return the answer's exact bytes.

        Errors: NotFound, Unprocessable, VendorFault; Unavailable when no try was answered.
        """
        for attempt in range(self._attempts):
            await self._pause(attempt)
            try:
                return await self._send("GET", path, {}, query=query)
            except (_NotDone, _Unknown):
                continue
        raise Unavailable(f"The {self._vendor} does not answer.", code=f"{self._vendor}_unavailable")

    async def post(self, path: str, body: object, key: str) -> bytes:
        """Order something under an idempotency key and return the answer's exact bytes.

        A try that goes unanswered may have been done. Then the vendor is asked what became of the key, and is sent
        the order again, under the same key, only after it said that it knows nothing of it.
        Errors: Conflict, NotFound, Unprocessable, VendorFault; Unavailable when nothing was done; StateUnknown.
        """
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        unknown = False
        for attempt in range(self._attempts):
            await self._pause(attempt)
            try:
                return await self._send("POST", path, headers, body=msgspec.json.encode(body))
            except _NotDone:
                continue
            except _Unknown:
                unknown = True
            if (answer := await self._became(key)) is not None:
                return answer
        if unknown:
            raise StateUnknown(f"The {self._vendor} did not say whether it did it.")
        raise Unavailable(f"The {self._vendor} does not answer.", code=f"{self._vendor}_unavailable")

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def parse(self, answer: bytes, wire: type[Wire], build: Callable[[Wire], Answer]) -> Answer:
        """Read an answer into its wire form and build ours from it; members we do not know are passed over.

        Errors: VendorFault for anything that is not in the agreed form.
        """
        try:
            return build(msgspec.json.decode(answer, type=wire))
        except VendorFault:
            raise
        except (msgspec.DecodeError, SdtError, ValueError) as error:
            raise VendorFault(f"The {self._vendor} answered in a wrong form: {type(error).__name__}.") from error

    async def _became(self, key: str) -> bytes | None:
        """Return what a key's order was answered, or None when the vendor knows nothing of it.

        Errors: StateUnknown when this goes unanswered too.
        """
        try:
            return await self._send("GET", f"/v1/requests/{key}", {})
        except NotFound:
            return None
        except (_NotDone, _Unknown):
            raise StateUnknown(f"The {self._vendor} did not say whether it did it.") from None

    async def _pause(self, attempt: int) -> None:
        if attempt:
            # Spread, so that many callers do not come back at the same moment.
            await asyncio.sleep(self._pause_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> bytes:
        begun = time.monotonic()
        status: int | str = "no answer"
        try:
            async with self._open_session().request(
                method, self._url + path, headers=headers, params=query, data=body, allow_redirects=False
            ) as response:
                status = response.status
                answer = await response.content.read(ANSWER_BYTES_MAX + 1)
                while not response.content.at_eof() and len(answer) <= ANSWER_BYTES_MAX:
                    answer += await response.content.read(ANSWER_BYTES_MAX + 1 - len(answer))
        except aiohttp.ClientConnectorError as error:
            raise _NotDone from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Unknown from error
        finally:
            log.info("%s %s %s: %s, %.0f ms", self._vendor, method, path, status, (time.monotonic() - begun) * 1000)
        return self._checked(response.status, answer)

    def _checked(self, status: int, answer: bytes) -> bytes:
        if len(answer) > ANSWER_BYTES_MAX:
            raise VendorFault(f"The {self._vendor} answered more than {ANSWER_BYTES_MAX} bytes.")
        if status in (200, 201):
            return answer
        if status in _NOTHING_DONE:
            raise _NotDone
        if status >= 500:
            raise _Unknown
        code = _problem_code(answer) or f"http_{status}"
        refusal = _REFUSALS.get(status)
        if refusal is None:
            raise VendorFault(f"The {self._vendor} refused to talk to us: {code}.")
        raise refusal(f"The {self._vendor} refused: {code}.", code=code)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                headers={"Authorization": f"Bearer {self._api_key}", "Accept": "application/json"},
            )
        return self._session


class _Problem(msgspec.Struct):
    code: str


def _problem_code(answer: bytes) -> str | None:
    try:
        code = msgspec.json.decode(answer, type=_Problem).code
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return code if _CODE.fullmatch(code) else None
