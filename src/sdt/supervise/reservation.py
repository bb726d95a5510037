"""Ports for one home: the same as last time where they are free, and nobody else's while the supervisor runs.

On Linux each port stays bound (never listening) by the supervisor for its whole life. The system
then gives it to nobody who asks for any free port, while a server that sets SO_REUSEADDR, as
asyncio and uvicorn do, may still listen on it. A name in the abstract socket space keeps two
supervisors from remembering the same port. Elsewhere ports are only tried.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from sdt.config.ports import PORTS_FILE, read_ports
from sdt.supervise.errors import StartFailed

__all__ = ["PortReservation"]

_LOOPBACK = "127.0.0.1"
_TRIES = 20
_CAN_HOLD = sys.platform == "linux"


class PortReservation:
    """Ports by name, held until `release`."""

    def __init__(self, home: Path) -> None:
        self._file = home / PORTS_FILE
        self._remembered = read_ports(home)
        self._held: list[contextlib.ExitStack] = []
        self.ports: dict[str, int] = {}

    def reserve(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return a port for each name, and write all of them to the home folder."""
        before_release = len(self._held)
        for name in names:
            if name not in self.ports:
                self.ports[name] = self._take(self._remembered.get(name, 0))
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self._remembered | self.ports, indent=1))
        os.replace(new, self._file)
        if not _CAN_HOLD:
            # All were bound at once, so that no two names got the same one.
            self._close_from(before_release)
        return self.ports

    def release(self) -> None:
        """Let go of every port."""
        self._close_from(0)

    def _close_from(self, index: int) -> None:
        for held in self._held[index:]:
            held.close()
        del self._held[index:]

    def _take(self, wanted: int) -> int:
        for port in (wanted, *[0] * _TRIES):
            try:
                return self._hold(port)
            except OSError:
                continue
        raise StartFailed("no free port is to be had on 127.0.0.1")

    def _hold(self, wanted: int) -> int:
        with contextlib.ExitStack() as undo:
            holder = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((_LOOPBACK, wanted))
            port = int(holder.getsockname()[1])
            if _CAN_HOLD:
                name = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                name.bind(f"\0sdt-port-{port}")
            self._held.append(undo.pop_all())
            return port
