"""Who waits for the lease settles only once it has it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sdt.adapters.vault import SecretNotFound
from sdt.worker.standby import until_taken


class Waiter:
    """A tenancy whose wait ends as it is told."""

    def __init__(self, error: Exception | None = None, *, ends: bool = True) -> None:
        self._error, self._ends = error, ends

    async def wait(self) -> None:
        if not self._ends:
            await asyncio.Event().wait()
        if self._error is not None:
            raise self._error


async def _until_taken(tenancy: Any, stop: asyncio.Event) -> bool:
    return await until_taken(tenancy, stop)


async def test_what_ends_the_wait_is_not_taken_for_the_lease() -> None:
    with pytest.raises(SecretNotFound):
        await _until_taken(Waiter(SecretNotFound("the vault has no secret database/password")), asyncio.Event())


async def test_the_lease_is_taken_or_a_signal_comes_first() -> None:
    stop = asyncio.Event()
    assert await _until_taken(Waiter(), stop) is True
    stop.set()
    assert await _until_taken(Waiter(ends=False), stop) is False
