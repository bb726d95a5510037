"""Which transport stands between an enclave and its machine in tests: vsock where the kernel loops it back.

Elsewhere sockets in folders, a folder for each CID: the same code from the address on.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import socket
from functools import cache
from pathlib import Path

LOCAL_CID = 1
_PROBE_S = 0.5
_ports = itertools.count(10_000 + secrets.randbelow(40_000))


@cache
def loops_back() -> bool:
    """Whether a vsock connection to this very machine arrives."""
    if not hasattr(socket, "AF_VSOCK"):
        return False
    with contextlib.suppress(OSError), socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listening:
        listening.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        listening.listen()
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as calling:
            calling.settimeout(_PROBE_S)
            calling.connect((LOCAL_CID, listening.getsockname()[1]))
            return True
    return False


def host(folder: Path, name: str) -> tuple[str, str]:
    """Return how to listen as a machine of that name, and how to call it."""
    if loops_back():
        return "vsock://any", f"vsock://{LOCAL_CID}"
    (folder / name).mkdir(parents=True, exist_ok=True)
    return f"unix://{folder / name}", f"unix://{folder / name}"


def free_port() -> int:
    """Return a port number that nobody had from here yet."""
    return next(_ports)
