"""JSON-RPC over HTTP to one or more nodes: one that does not answer is passed over for the next.

No web3: a signer must import this in a moment and carry it in little memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from sdt.adapters.chain.errors import AnswerTooLong, CallReverted, ChainRefused, ChainUnavailable

__all__ = ["Request", "Transport"]

Request = tuple[str, Sequence[Any]]
"""A method and its parameters."""

_CONNECT_S = 2.0
_BATCH_MAX = 500
_REVERTED = 3


class Transport:
    """Calls that stay with the node that answered last, so that one process does not read back in time."""

    def __init__(
        self, urls: Sequence[str], *, timeout_s: float = 5.0, answer_bytes_max: int = 32 * 1024 * 1024
    ) -> None:
        if not urls:
            raise ValueError("at least one node is needed")
        self._urls = tuple(urls)
        self._preferred = 0
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(_CONNECT_S, timeout_s))
        self._answer_bytes_max = answer_bytes_max
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def preferred(self) -> int:
        """The node that is asked first, by its place among the addresses."""
        return self._preferred

    def prefer(self, node: int) -> None:
        """Ask this node first from now on. Shape: its place among the addresses."""
        self._preferred = node % len(self._urls)

    def pass_over(self) -> None:
        """Ask another node first from now on: the present one answers, and not what is so."""
        self.prefer(self._preferred + 1)

    async def call(self, method: str, *params: Any) -> Any:
        """Return a method's result. Errors: ChainUnavailable, ChainRefused, CallReverted."""
        return _result(method, await self._send(_request(0, method, params)))

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Return the results of several methods, in their order.

        Errors: as `call`, for the first that failed.
        """
        answers = await self.batch_answers(requests)
        return [_result(method, answer) for (method, _), answer in zip(requests, answers, strict=True)]

    async def batch_answers(self, requests: Sequence[Request]) -> list[dict[str, Any]]:
        """Return the answers to several methods, in their order, error objects and all."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(requests), _BATCH_MAX):
            found += await self._batch(requests[start : start + _BATCH_MAX])
        return found

    async def _batch(self, requests: Sequence[Request]) -> list[dict[str, Any]]:
        answers = await self._send([_request(i, method, params) for i, (method, params) in enumerate(requests)])
        if isinstance(answers, dict):
            _result("batch", answers)  # a node refuses a batch as a whole with one error object
        if not isinstance(answers, list):
            raise _unreadable()
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        if by_id.keys() != set(range(len(requests))):
            raise _unreadable()
        return [by_id[i] for i in range(len(requests))]

    async def _send(self, body: object) -> Any:
        encoded = msgspec.json.encode(body)
        last: ChainUnavailable | None = None
        for step in range(len(self._urls)):
            node = (self._preferred + step) % len(self._urls)
            try:
                answer = await self._post(node, encoded)
            except AnswerTooLong:
                raise  # the others would answer as much
            except ChainUnavailable as error:
                last = error
            else:
                self._preferred = node
                return answer
        raise last or AssertionError("there is a node")

    async def _post(self, node: int, body: bytes, *, again: bool = False) -> Any:
        """Post to one node; errors name it by number, for its address may hold a key."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, auto_decompress=True)
        try:
            async with self._session.post(
                self._urls[node], data=body, headers={"content-type": "application/json"}
            ) as response:
                raw = await self._read(response, node)
                if response.status != 200:
                    raise ChainUnavailable(f"Chain node {node} answered HTTP {response.status}.")
        except TimeoutError as error:
            raise ChainUnavailable(f"Chain node {node} did not answer in time.") from error
        except aiohttp.ServerDisconnectedError as error:
            if again:
                raise ChainUnavailable(f"Chain node {node} closed the connection.") from error
            # A kept connection that the node closed meanwhile; every method here may be asked twice.
            return await self._post(node, body, again=True)
        except (aiohttp.ClientError, OSError) as error:
            raise ChainUnavailable(f"Chain node {node} cannot be reached ({type(error).__name__}).") from None
        try:
            return msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            raise _unreadable() from error

    async def _read(self, response: aiohttp.ClientResponse, node: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self._answer_bytes_max:
                response.close()
                raise AnswerTooLong(f"Chain node {node} answered more than {self._answer_bytes_max} bytes.")
            parts.append(part)
        return b"".join(parts)

    async def call_each(self, method: str, *params: Any) -> list[dict[str, Any] | ChainUnavailable]:
        """Ask every node at once; return each one's answer or why there is none, in their order."""
        body = msgspec.json.encode(_request(0, method, params))

        async def ask(node: int) -> dict[str, Any] | ChainUnavailable:
            try:
                answer = await self._post(node, body)
            except ChainUnavailable as error:
                return error
            return answer if isinstance(answer, dict) else _unreadable()

        return await asyncio.gather(*(ask(node) for node in range(len(self._urls))))


def _request(request_id: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": list(params)}


def _result(method: str, answer: Any) -> Any:
    if not isinstance(answer, dict):
        raise _unreadable()
    error = answer.get("error")
    if error is None:
        if "result" not in answer:
            raise _unreadable()
        return answer["result"]
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        raise _unreadable()
    message = str(error.get("message", ""))[:500]
    data = error.get("data")
    kind = CallReverted if error["code"] == _REVERTED or "revert" in message else ChainRefused
    raise kind(method, error["code"], message, data if isinstance(data, str) else None)


def _unreadable() -> ChainUnavailable:
    return ChainUnavailable("A chain node's answer cannot be read.", code="chain_bad_answer")
