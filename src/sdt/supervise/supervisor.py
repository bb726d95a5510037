"""The supervisor: starts the processes of one home in order, keeps them running, and leaves none behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sdt.supervise.child import Guard
from sdt.supervise.errors import Interrupted
from sdt.supervise.homelock import HomeLock
from sdt.supervise.process import Process
from sdt.supervise.reservation import PortReservation
from sdt.supervise.spec import ProcessSpec, check_specs
from sdt.supervise.state import PlatformState, ProcessState, write_state

__all__ = ["Supervisor"]

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """All processes of one home, for the length of an `async with`.

    A signal that asks for the end wakes `wait()`; at any other moment it cancels the body, stops all,
    and leaves the `async with` as Interrupted. A second signal kills instead of asking.
    """

    def __init__(self, home: Path, specs: Sequence[ProcessSpec] = ()) -> None:
        self.home = home.absolute()
        self._first = specs
        self._processes: dict[str, Process] = {}
        self._lock: HomeLock | None = None
        self._ports: PortReservation | None = None
        self._guard: Guard | None = None
        self._owner: asyncio.Task[object] | None = None
        self._asked: asyncio.Future[signal.Signals] | None = None
        self._waiting = self._ending = self._cancelled = False

    async def __aenter__(self) -> Self:
        """Errors: AlreadyRunning, BadSpec, StartFailed, Interrupted."""
        self._owner = asyncio.current_task()
        self._asked = asyncio.get_running_loop().create_future()
        self._listen()
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.home / "log").mkdir(mode=0o700, exist_ok=True)
            lock = HomeLock(self.home)
            try:
                await lock.acquire()
            except BaseException:
                lock.release()
                raise
            self._lock = lock
            self._ports = PortReservation(self.home)
            self._guard = Guard(lock.fd)
            await self.start(self._first)
        except BaseException as error:
            await self._close()
            self._raise_if_asked(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()
        self._raise_if_asked(error)

    def reserve(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return a free port for each name, the last start's if still free, and write them to ports.json."""
        assert self._ports is not None
        return self._ports.reserve(names)

    async def start(self, specs: Sequence[ProcessSpec]) -> None:
        """Start more processes, each as soon as what it needs is ready; return when all are.

        Errors: BadSpec, StartFailed with the end of the log.
        """
        assert self._guard is not None
        check_specs(specs, self._processes)
        for spec in specs:
            log = self.home / "log" / f"{spec.name}.log"
            self._processes[spec.name] = Process(spec, log, self._guard, self._write)
        starts = [asyncio.create_task(self._bring_up(self._processes[spec.name])) for spec in specs]
        try:
            await asyncio.gather(*starts)
        finally:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
        self._write()

    async def wait(self) -> signal.Signals:
        """Return the signal that asked for the end."""
        assert self._asked is not None
        self._waiting = True
        try:
            return await asyncio.shield(self._asked)
        finally:
            self._waiting = False

    def state(self, name: str) -> ProcessState:
        """Return what is known of one process."""
        return self._processes[name].state

    async def ready(self, name: str) -> None:
        """Return when a process is ready, now or after its restart."""
        await self._processes[name].ready()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one process, as a fault would; after SIGKILL `ready` waits for its next life."""
        self._processes[name].kill(number)

    async def _bring_up(self, process: Process) -> None:
        await asyncio.gather(*(self._processes[need].ready() for need in process.spec.needs))
        process.launch()
        await process.ready()

    async def _close(self) -> None:
        assert self._asked is not None
        self._ending = True
        stopping = asyncio.create_task(self._stop_all())
        while not stopping.done():
            try:
                await asyncio.shield(stopping)
            except asyncio.CancelledError:
                self._cancelled = True
                if not self._asked.done():
                    self._hurry()
        if self._guard is not None:
            self._write()
            self._guard.close()
        if self._ports is not None:
            self._ports.release()
        if self._lock is not None:
            self._lock.release()
        self._stop_listening()

    async def _stop_all(self) -> None:
        """Stop in reverse order: each process once those that need it have ended."""
        ended: dict[str, asyncio.Task[None]] = {}

        async def end(process: Process) -> None:
            users = [p.spec.name for p in self._processes.values() if process.spec.name in p.spec.needs]
            await asyncio.gather(*(ended[user] for user in users))
            await process.stop()

        ended.update({name: asyncio.create_task(end(process)) for name, process in self._processes.items()})
        await asyncio.gather(*ended.values())

    def _hurry(self) -> None:
        for process in self._processes.values():
            process.hurry()

    def _listen(self) -> None:
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup, or a job in the background
            try:
                asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)
            except (RuntimeError, ValueError):
                return  # Not in the main thread: whoever is there hears the signals and cancels.

    def _stop_listening(self) -> None:
        for number in _ENDING:
            try:
                asyncio.get_running_loop().remove_signal_handler(number)
            except (RuntimeError, ValueError):
                return

    def _on_signal(self, number: signal.Signals) -> None:
        assert self._asked is not None
        if self._ending:
            self._hurry()
        elif not self._asked.done():
            self._asked.set_result(signal.Signals(number))
            if not self._waiting and self._owner is not None:
                self._owner.cancel()

    def _raise_if_asked(self, error: BaseException | None) -> None:
        assert self._asked is not None
        if self._asked.done() and (self._cancelled or isinstance(error, asyncio.CancelledError)):
            assert self._owner is not None
            self._owner.uncancel()
            raise Interrupted(self._asked.result()) from None

    def _write(self) -> None:
        assert self._ports is not None
        processes = {name: process.state for name, process in self._processes.items()}
        write_state(self.home, PlatformState(os.getpid(), self._ports.ports, processes))
