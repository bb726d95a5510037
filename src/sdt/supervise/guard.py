"""A small process that outlives the supervisor by a moment and ends whatever it left.

It reads a pipe of which the supervisor holds the only lasting end. Children write `+PID` themselves
before they become their command, so none is unknown; the supervisor writes `-PID` when one has
ended. When the pipe closes, for whatever reason (even kill -9), the guard kills every process group
it still knows. It also holds the lock of the home folder till then, so that the next supervisor
finds nothing of the last one.
Run by path with `python -I -S`, so it imports nothing of the platform.
"""

from __future__ import annotations

import os
import signal
import sys
import time

LINGER_S = 0.3


def guard() -> None:
    """Keep the books until the pipe closes, then kill what is still in them."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            groups.add(int(line[1:]))
        else:
            groups.discard(int(line[1:]))
    until = time.monotonic() + LINGER_S
    while sum(map(_kill, groups)) and time.monotonic() < until:
        # Killed is not gone yet; and where nobody reaps orphans, gone never shows.
        time.sleep(0.02)


def _kill(group: int) -> bool:
    """Kill a process group; return whether there was anything in it."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # macOS says so of a group of which nothing but zombies is left
    return True


if __name__ == "__main__":
    guard()
