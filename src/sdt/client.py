"""A client of the platform: asks for ids, signs messages, sends them, waits for results, proves who reads.

What `sdt`, the desks and the demo use, and what an integrator would write. It imports only the pure domain.
"""

from __future__ import annotations

import asyncio
import json as json_text
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import nacl.signing

from sdt.domain.envelope import b64url, kid_of, seal_envelope
from sdt.domain.errors import Kind, SdtError, Unavailable
from sdt.domain.message import format_time
from sdt.domain.proof import PROOF_HEADER, make_proof

__all__ = ["ApiProblem", "Client", "Network", "new_address", "public_key_text"]

SETTLED = ("settled", "completed")
ENDED = ("completed", "expired", "canceled", "rejected", "returned")


class ApiProblem(SdtError):
    """The API refused: its problem details (RFC 9457) as they came."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("detail") or problem.get("title") or f"HTTP {status}"),
            code=str(problem.get("code", "http")),
        )
        self.status = status
        self.problem = dict(problem)
        self.kind = _kind_of(status)


def _kind_of(status: int) -> Kind:
    """Return what an answer means to a program: what is not told apart by its status is a refusal or an outage."""
    named = next((kind for kind in Kind if kind.http_status == status), None)
    return named or (Kind.UNAVAILABLE if status >= 500 else Kind.INVALID)


@dataclass(frozen=True, slots=True)
class Network:
    """Where messages go: the API's address, the network's name and the region."""

    url: str
    name: str
    region: str


def new_address() -> str:
    """Return a fresh account address: random, derived from neither key nor person."""
    return "0x" + secrets.token_hex(20)


def _json(body: bytes) -> Any:
    try:
        return json_text.loads(body)
    except ValueError:
        raise Unavailable("What answers there is not the API.", code="api_unreachable") from None


def public_key_text(key: nacl.signing.SigningKey) -> str:
    """Return a public key as messages carry it."""
    return b64url(bytes(key.verify_key)).decode()


class Client:
    """Speaks for one key, or for nobody (`key` None: only what everybody may read)."""

    def __init__(self, network: Network, key: nacl.signing.SigningKey | None = None, timeout_s: float = 45.0) -> None:
        self.network = network
        self.key = key
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of connections."""
        if self._session:
            await self._session.close()
            self._session = None

    @property
    def kid(self) -> str:
        """The id of this client's key."""
        assert self.key is not None, "this client has no key"
        return kid_of(bytes(self.key.verify_key))

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object | None = None,
        data: bytes | None = None,
        media: str = "application/jose",
        query: Mapping[str, str] | None = None,
        prove: bool = False,
    ) -> Any:
        """Send one request and return its JSON answer.

        Errors: ApiProblem; Unavailable when nobody answers.
        """
        return _json(await self._exchange(method, path, json=json, data=data, media=media, query=query, prove=prove))

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        json: object | None = None,
        data: bytes | None = None,
        media: str = "application/jose",
        query: Mapping[str, str] | None = None,
        prove: bool = False,
    ) -> bytes:
        url = self.network.url.rstrip("/") + path
        headers = {"content-type": media} if data is not None else {}
        if prove:
            assert self.key is not None, "a proof needs a key"
            headers[PROOF_HEADER] = make_proof(self.key, method, url, int(time.time()), self.network.name)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.request(
                method, url, json=json, data=data, params=query, headers=headers
            ) as answer:
                body = await answer.read()
                if answer.status >= 400:
                    problem = _json(body)
                    raise ApiProblem(answer.status, problem if isinstance(problem, dict) else {})
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(
                f"The API at {self.network.url} does not answer ({type(error).__name__}). Is the platform up?",
                code="api_unreachable",
            ) from None
        return body

    async def get(self, path: str, *, prove: bool = True, **query: str) -> Any:
        """Read something, with proof of who asks unless told otherwise."""
        return await self.request("GET", path, query=query or None, prove=prove)

    async def new_ids(self, count: int = 1) -> list[str]:
        """Ask for transaction ids."""
        answer = await self.request("POST", "/v1/transactions", json={"count": count})
        return list(answer["transaction_ids"])

    def sign(
        self, kind: str, transaction_id: str, claims: Mapping[str, object], issued_at_s: int | None = None
    ) -> bytes:
        """Return a signed message; the claims every message has are filled in."""
        return self.seal(kind, self.filled_in(kind, transaction_id, claims, issued_at_s))

    def sign_act(self, kind: str, act_id: str, claims: Mapping[str, object], issued_at_s: int | None = None) -> bytes:
        """Return an officer's signed act; the claims every act has are filled in."""
        return self.seal(kind, self._filled_in(kind, {"act_id": act_id}, claims, issued_at_s))

    def filled_in(
        self, kind: str, transaction_id: str, claims: Mapping[str, object], issued_at_s: int | None = None
    ) -> dict[str, object]:
        """Return all claims of a message that is not signed yet, to be read first and then sealed."""
        return self._filled_in(kind, {"transaction_id": transaction_id}, claims, issued_at_s)

    def _filled_in(
        self, kind: str, named: Mapping[str, object], claims: Mapping[str, object], issued_at_s: int | None
    ) -> dict[str, object]:
        issued_at_s = int(time.time()) if issued_at_s is None else issued_at_s
        return {
            "type": kind,
            "version": 1,
            "network": self.network.name,
            **named,
            "region": self.network.region,
            "issued_at": format_time(issued_at_s),
            **claims,
        }

    def seal(self, kind: str, claims: Mapping[str, object]) -> bytes:
        """Sign claims that are all there."""
        assert self.key is not None, "signing needs a key"
        return seal_envelope(kind, claims, self.key)

    async def act(self, kind: str, claims: Mapping[str, object]) -> Any:
        """Sign an officer's act under a new id and send it; returns what became of it.

        Errors: as `request`. What a lost answer leaves open is asked with the same bytes: `put_act`.
        """
        act_id = str(uuid.uuid4())
        return await self.put_act(act_id, self.sign_act(kind, act_id, claims))

    async def put_act(self, act_id: str, act: bytes) -> Any:
        """Send a signed act. The same bytes may be sent again: the answer is the same."""
        return await self.request("PUT", f"/v1/office/acts/{act_id}", data=act)

    async def put(self, transaction_id: str, message: bytes) -> Any:
        """Send a signed message. The same bytes may be sent again: the answer is the same."""
        return await self.request("PUT", f"/v1/transactions/{transaction_id}", data=message)

    async def submit(self, kind: str, claims: Mapping[str, object]) -> str:
        """Ask for an id, sign, send; returns the id."""
        (transaction_id,) = await self.new_ids()
        await self.put(transaction_id, self.sign(kind, transaction_id, claims))
        return transaction_id

    async def batch(self, messages: Sequence[bytes]) -> list[Any]:
        """Send up to 500 signed messages; returns an answer for each."""
        answer = await self.request(
            "POST", "/v1/transactions/batch", json={"messages": [message.decode() for message in messages]}
        )
        return list(answer["answers"])

    async def transaction(self, transaction_id: str, wait_s: float = 0, *, prove: bool = False) -> Any:
        """Return where a transaction stands; waits up to `wait_s` for it to settle or end.

        Everybody may know the status; `prove` to see amounts, parties and the message, as one of the parties.
        """
        query = {"wait": f"{wait_s:g}"} if wait_s else None
        return await self.request("GET", f"/v1/transactions/{transaction_id}", query=query, prove=prove)

    async def download(self, path: str) -> bytes:
        """Return a file that the API answers with, with proof of who asks. Errors: as `request`."""
        return await self._exchange("GET", path, prove=True)

    async def receipt(self, transaction_id: str) -> bytes:
        """Return the file that proves a transaction offline, as one of its parties. Keep it byte for byte.

        Errors: as `request`; ApiProblem receipt_not_yet until it is final on chain.
        """
        return await self._exchange("GET", f"/v1/transactions/{transaction_id}/receipt", prove=True)

    async def wait(self, transaction_id: str, *, until: Sequence[str] = SETTLED, timeout_s: float = 60.0) -> Any:
        """Return a transaction once it stands in one of `until`, or has ended otherwise.

        Errors: Unavailable when neither happens in time.
        """
        deadline = time.monotonic() + timeout_s
        # The server waits for what is settled or ended; for anything else it is asked again and again.
        server_waits = not set(until) - set(SETTLED) and "settled" in until
        while True:
            left = deadline - time.monotonic()
            found = await self.transaction(transaction_id, wait_s=max(0.0, min(left, 20.0)) if server_waits else 0)
            if found["status"] in until or found["status"] in ENDED:
                return found
            if left <= 0:
                raise Unavailable(
                    f"Transaction {transaction_id} is still {found['status']} after {timeout_s:.0f} seconds.",
                    code="still_waiting",
                )
            await asyncio.sleep(0.1)
