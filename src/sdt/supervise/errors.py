"""Why a platform did not start, or stopped."""

from __future__ import annotations

import signal

from sdt.domain.errors import Conflict, Invalid, Unavailable

__all__ = ["AlreadyRunning", "BadSpec", "Interrupted", "StartFailed"]


class AlreadyRunning(Conflict):
    """Another supervisor has this home folder."""

    code = "already_running"


class BadSpec(Invalid):
    """The list of processes cannot be started: a name twice, an unknown dependency, a circle."""

    code = "bad_process_list"


class StartFailed(Unavailable):
    """A process did not become ready."""

    code = "start_failed"


class Interrupted(Exception):
    """A person or the system asked for the end while something else was going on; all is stopped by now."""

    def __init__(self, asked_by: signal.Signals) -> None:
        super().__init__(f"stopped by {asked_by.name}")
        self.signal = asked_by
        self.exit_code = 128 + asked_by
