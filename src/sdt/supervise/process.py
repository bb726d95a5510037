"""One declared process over its lives: started, awaited, restarted when it crashes, stopped."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sdt.supervise.child import Child, Guard
from sdt.supervise.errors import StartFailed
from sdt.supervise.ready import until_ready
from sdt.supervise.spec import ProcessSpec
from sdt.supervise.state import ProcessState, Status

__all__ = ["Process"]

BACK_OFF_MIN_S = 0.1
BACK_OFF_MAX_S = 10.0
STEADY_S = 5.0
"""A process that ran this long starts again without delay when it ends."""
FIRST_TRIES = 3
"""Starts allowed before the first readiness: what fails this often is misconfigured, not unlucky."""
LOG_ROTATE_BYTES = 10 * 1024 * 1024
LOG_TAIL_LINES = 15


class Process:
    """What the supervisor knows and does about one `ProcessSpec`."""

    def __init__(self, spec: ProcessSpec, log: Path, guard: Guard, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.state = ProcessState(log=str(log))
        self._log, self._guard, self._changed = log, guard, changed
        self._child: Child | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._failed: StartFailed | None = None

    def launch(self) -> None:
        """Begin to run and keep running."""
        self._task = asyncio.create_task(self._run(), name=f"process {self.spec.name}")
        self._task.add_done_callback(self._check)

    async def ready(self) -> None:
        """Return when the process is ready, now or again.

        Errors: StartFailed when it never became so.
        """
        await self._ready.wait()
        if self._failed is not None:
            raise self._failed

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the process; one that it does not survive is followed by a restart."""
        if self._child is not None:
            if number == signal.SIGKILL:
                # Not ready from this moment, so that a caller can wait for the next life.
                self._ready.clear()
            self._child.send(number)

    async def stop(self) -> None:
        """End the process: SIGTERM, then SIGKILL after its grace."""
        self._stopping.set()
        if self._task is None:
            return
        if self._child is not None:
            self._child.send(signal.SIGTERM)
        await asyncio.wait({self._task}, timeout=self.spec.stop_grace_s)
        self.hurry()
        await asyncio.wait({self._task})

    def hurry(self) -> None:
        """Stop being patient."""
        self._stopping.set()
        if self._child is not None:
            self._child.send(signal.SIGKILL)

    async def _run(self) -> None:
        delay_s, tries, was_ready = BACK_OFF_MIN_S, 0, False
        while not self._stopping.is_set():
            began = time.monotonic()
            was_ready |= await self._one_life()
            if self._stopping.is_set():
                break
            tries += 1
            if not was_ready and tries >= FIRST_TRIES:
                return self._give_up()
            if time.monotonic() - began > STEADY_S:
                delay_s = BACK_OFF_MIN_S
            self._become(Status.BACKING_OFF, restarts=self.state.restarts + 1)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)
            delay_s = min(2 * delay_s, BACK_OFF_MAX_S)
        self._become(Status.STOPPED)
        return None

    async def _one_life(self) -> bool:
        """Run the command once, to its end; return whether it was ready in between."""
        self._rotate_log()
        child = self._child = Child(self.spec, self._log, self._guard)
        self._become(Status.STARTING, pid=child.pid)
        seen = asyncio.create_task(until_ready(self.spec.ready, self._log, child.log_offset))
        first: set[asyncio.Future[Any]] = {seen, child.exited}
        await asyncio.wait(first, timeout=self.spec.ready_timeout_s, return_when=asyncio.FIRST_COMPLETED)
        ready = seen.done() and seen.exception() is None and not child.exited.done()
        if ready:
            self._become(Status.READY)
            self._ready.set()
        else:
            seen.cancel()
            child.send(signal.SIGKILL)
        status = await child.exited
        self._ready.clear()
        self._child = None
        self._become(self.state.status, pid=None, last_exit=status)
        return ready

    def _give_up(self) -> None:
        with self._log.open(errors="replace") as output:
            tail = "\n".join(output.read().splitlines()[-LOG_TAIL_LINES:])
        self._failed = StartFailed(
            f"{self.spec.name} did not become ready; the end of {self._log}:\n{tail}", process=self.spec.name
        )
        self._become(Status.FAILED)
        self._ready.set()

    def _check(self, task: asyncio.Task[None]) -> None:
        """Tell whoever waits that the process cannot even be started (no memory, no disk)."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed = StartFailed(f"{self.spec.name} cannot be started: {error}", process=self.spec.name)
            self._become(Status.FAILED)
            self._ready.set()

    def _rotate_log(self) -> None:
        with suppress(FileNotFoundError):
            if self._log.stat().st_size > LOG_ROTATE_BYTES:
                self._log.replace(self._log.with_suffix(".log.1"))

    def _become(self, status: Status, **facts: object) -> None:
        self.state = self.state.now(status, **facts)
        self._changed()
