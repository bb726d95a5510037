"""Functions as the Lambda service runs them: a process for each invocation, kept warm, replaced when it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from sdt.functions.local.outcome import InitFailed
from sdt.functions.local.sandbox import FunctionSpec, Sandbox

__all__ = ["Function"]

WARM_S: Final = 120.0
"""How long a process that nobody needs is kept."""

log = logging.getLogger(__name__)


class Function:
    """One function with at most so many processes; who comes when all are busy waits for one."""

    def __init__(self, spec: FunctionSpec, processes_max: int) -> None:
        self.spec = spec
        self._room = asyncio.Semaphore(processes_max)
        self._idle: list[tuple[float, Sandbox]] = []
        self._busy: set[Sandbox] = set()
        self.starts = 0

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return [sandbox.pid for sandbox in (*(s for _, s in self._idle), *self._busy) if sandbox.alive]

    async def invoke(self, payload: bytes) -> bytes:
        """Return the handler's answer. Errors: those of Sandbox."""
        async with self._room:
            sandbox = await self._taken()
            self._busy.add(sandbox)
            try:
                return await sandbox.invoke(payload)
            finally:
                self._busy.discard(sandbox)
                await self._put_back(sandbox)

    async def close(self) -> None:
        """End every process."""
        sandboxes = [sandbox for _, sandbox in self._idle] + list(self._busy)
        self._idle.clear()
        await asyncio.gather(*(sandbox.close() for sandbox in sandboxes))

    async def _taken(self) -> Sandbox:
        """Return the process that was used last, or a new one."""
        while self._idle:
            _, sandbox = self._idle.pop()
            if sandbox.alive:
                return sandbox
            await sandbox.close()
        sandbox = Sandbox(self.spec)
        self.starts += 1
        began = time.monotonic()
        try:
            await sandbox.start()
        except InitFailed as error:
            log.error("%s", error.detail)
            raise
        log.info("%s: cold start of %.0f ms", self.spec.name, (time.monotonic() - began) * 1000)
        return sandbox

    async def _put_back(self, sandbox: Sandbox) -> None:
        now = time.monotonic()
        if sandbox.alive:
            self._idle.append((now, sandbox))
        else:
            await sandbox.close()
        cold = [s for at, s in self._idle if now - at > WARM_S]
        self._idle = [(at, s) for at, s in self._idle if now - at <= WARM_S]
        for each in cold:
            await each.close()
