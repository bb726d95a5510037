"""What is running, written to the home folder at every change, for `sdt status` and for tests."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from sdt.supervise.homelock import is_locked

__all__ = ["STATE_FILE", "PlatformState", "ProcessState", "Status", "read_state", "write_state"]

STATE_FILE = "state.json"


class Status(StrEnum):
    """Where a process is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class ProcessState:
    """What is known of one process. `since_s` is when its status last changed, in seconds since 1970."""

    log: str
    status: Status = Status.WAITING
    pid: int | None = None
    restarts: int = 0
    last_exit: int | None = None
    since_s: float = field(default_factory=time.time)

    def now(self, status: Status, **facts: Any) -> ProcessState:
        """Return this state with another status."""
        return replace(self, status=status, since_s=time.time(), **facts)


@dataclass(frozen=True)
class PlatformState:
    """What is known of a home: its supervisor, ports and processes; `running` is false once it has ended."""

    supervisor: int
    ports: Mapping[str, int]
    processes: Mapping[str, ProcessState]
    running: bool = True


def write_state(home: Path, state: PlatformState) -> None:
    """Replace the state file in one step."""
    file = home / STATE_FILE
    new = file.with_suffix(".new")
    new.write_text(json.dumps(asdict(state), indent=1))
    os.replace(new, file)


def read_state(home: Path) -> PlatformState | None:
    """Return the last state written, or None if nothing ever ran here; its pids hold while it is running."""
    try:
        raw = json.loads((home / STATE_FILE).read_text())
    except FileNotFoundError:
        return None
    processes = {
        name: ProcessState(**{**facts, "status": Status(facts["status"])}) for name, facts in raw["processes"].items()
    }
    return PlatformState(raw["supervisor"], raw["ports"], processes, running=is_locked(home))
