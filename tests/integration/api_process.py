"""The API as a process of its own, as `sdt up` starts it: `python -m sdt.api --home DIR`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api_platform import NETWORK, Holder, settle

from databases import database_at
from sdt.store import open_store

READY_S = 30


@dataclass
class Process:
    """A running API."""

    home: Path
    port: int
    popen: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(20)


def prepare(home: Path, *holders: Holder) -> None:
    """Make the database, and the keys of `holders` count in it."""
    store = open_store(database_at(home / "sdt.db"), migrate=True)
    try:
        for holder in holders:
            with store.transaction():
                settle(store, holder)
    finally:
        store.close()


@contextmanager
def process(home: Path, **more: str) -> Iterator[Process]:
    """Start the API over a prepared home on a port of its own choice, and end it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SDT_")} | {"SDT_NETWORK": NETWORK} | more
    environment["SDT_DATABASE__URL"] = database_at(home / "sdt.db")
    with (home / "api.log").open("a") as log:
        popen = subprocess.Popen(
            [sys.executable, "-m", "sdt.api", "--home", str(home)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        )
    try:
        giving_up = threading.Timer(READY_S, popen.kill)
        giving_up.start()
        assert popen.stdout is not None
        line = popen.stdout.readline()
        giving_up.cancel()
        assert line.startswith("ready "), (home / "api.log").read_text()
        yield Process(home, int(line.split()[1]), popen)
    finally:
        if popen.poll() is None:
            popen.terminate()
            popen.wait(20)
