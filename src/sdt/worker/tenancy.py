"""One settlement process for each chain key: this process's hold of the lease, or its wait for it."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from typing import Final

from sdt.domain.errors import Unavailable
from sdt.store import Store, lease
from sdt.store.lease import Fence, LeaseLost
from sdt.store.lease_lock import lease_lock

__all__ = ["Tenancy", "process_name"]

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25
"""How often one that waits looks whether the lease is free."""
RENEWALS: Final = 3
"""Renewals in the length of a lease: two may fail."""


def process_name() -> str:
    """Return a name for this process that no other has or had: machine, number and a few random digits."""
    return f"{socket.gethostname()[:60]}/{os.getpid()}/{secrets.token_hex(4)}"


class Tenancy:
    """Takes the lease, renews it and hands it over.

    Its store is its own, so that a renewal never waits behind the lane's commits. `fence` goes into every store that
    the settlement process writes with; `demand` stands before what is no database transaction: signing and sending.
    """

    def __init__(self, store: Store, name: str, length_s: float, *, holder: str | None = None) -> None:
        self._store = store
        self._name = name
        self._length_s = length_s
        self._lock = lease_lock(store, name)
        self._fence: Fence | None = None
        self._sure_until_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self.holder: Final = holder or process_name()

    async def take(self) -> bool:
        """Take the lease unless another process has it. Errors: Unavailable."""
        asked_s = _now_s()
        self._fence = await self._store.run(
            lease.take, self._lock, self._name, self.holder, round(self._length_s * 1000)
        )
        if self._fence is None:
            return False
        self._sure_until_s = asked_s + self._length_s
        log.info("this process settles now, in epoch %d of %s", self._fence.epoch, self._name)
        return True

    async def wait(self) -> None:
        """Wait until the lease is this process's."""
        while True:
            try:
                if await self.take():
                    return
            except Unavailable as error:
                log.warning("the lease cannot be looked at: %s", error.detail)
            await asyncio.sleep(LOOK_S)

    async def keep(self) -> None:
        """Renew the lease until cancelled. Errors: LeaseLost, after which this process must end."""
        assert self._fence is not None, "take() comes first"
        while True:
            try:
                async with asyncio.timeout(self._length_s / RENEWALS):
                    await self._wake.wait()
                self._wake.clear()
            except TimeoutError:
                pass
            asked_s = _now_s()
            try:
                await self._store.run(lease.renew, self._lock, self._fence, round(self._length_s * 1000))
            except LeaseLost:
                log.error("another process settles now")
                self._sure_until_s = 0.0
                raise
            except Unavailable as error:
                log.warning("the lease cannot be renewed: %s", error.detail)
                continue
            self._sure_until_s = asked_s + self._length_s

    def fence(self, store: Store) -> None:
        """Let a database transaction of the settlement process go on. Errors: LeaseLost."""
        assert self._fence is not None, "take() comes first"
        try:
            self._fence(store)
        except LeaseLost:
            # Parts wait and try again after an error; the process has to end, and `keep` does that.
            self._loop.call_soon_threadsafe(self._wake.set)
            raise

    def demand(self) -> None:
        """Go on only while no other process can have taken the lease. Errors: Unavailable, until it is renewed."""
        if self.left_s() <= 0:
            raise Unavailable("The lease of the lane could not be renewed.", code="lease_unsure")

    def left_s(self) -> float:
        """Return how long the lease is this process's without another renewal; 0 when it may be another's."""
        return max(0.0, self._sure_until_s - _now_s())

    async def status(self) -> dict[str, object]:
        """Return who settles, for health: this process or another, since when, and for how long surely."""
        row = await self._store.read(lease.look, self._name)
        settles = self._fence is not None and row is not None and row.epoch == self._fence.epoch
        return {
            "role": "settling" if settles else "standby",
            "process": self.holder,
            "holder": row.holder if row else "",
            "epoch": row.epoch if row else 0,
            "since_ms": row.taken_at_ms if row else 0,
            "left_s": round(max(0, row.expires_at_ms - row.now_ms) / 1000, 1) if row else 0.0,
        }

    async def hand_over(self) -> None:
        """Give the lease to whoever waits, once nothing of this process writes any more, and let go of its store."""
        if self._fence is not None:
            try:
                await self._store.run(lease.give_up, self._lock, self._fence)
            except Unavailable as error:
                log.warning("the lease was not handed over and runs out: %s", error.detail)
        self._store.close()


def _now_s() -> float:
    """Return seconds on a clock that goes on while a process, or with Linux the whole machine, is asleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
