"""The first moments of a child: tie its life to the supervisor's, then become the command.

Run by path with `python -I -S`, so it imports nothing of the platform. Arguments: the supervisor's
process id, the file descriptor of the guard's pipe, and the command.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h


def launch(parent: int, guard: int, argv: list[str]) -> None:
    """Replace this process by the command; returns only if it cannot be executed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # The supervisor died between the fork and the line above: nobody would ever end this one.
        sys.exit(1)
    os.write(guard, b"+%d\n" % os.getpid())
    os.close(guard)
    # A terminal's Ctrl-C is for the supervisor, which ends its children in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - the command is the supervisor's own list, no shell
    except OSError as error:
        sys.exit(f"cannot execute {argv[0]}: {error.strerror}")


if __name__ == "__main__":
    launch(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
