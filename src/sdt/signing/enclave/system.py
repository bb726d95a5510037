"""What the first process of an enclave must do that a machine's own would: file systems, the loopback, randomness.

Each is left as it is where it is done already.
Source: Linux, mount(2), netdevice(7), random(4).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sdt.signing.enclave.nsm import Nsm

MOUNTS: Final = (
    ("proc", "/proc", "proc"),
    ("sysfs", "/sys", "sysfs"),
    ("devtmpfs", "/dev", "devtmpfs"),
    ("tmpfs", "/tmp", "tmpfs"),  # noqa: S108
    ("tmpfs", "/run", "tmpfs"),
)
MOUNT_FLAGS: Final = 2 | 8
"""No set-user-id, and nothing of it is executed: MS_NOSUID, MS_NOEXEC."""
SEED_BYTES: Final = 512
_RNDADDENTROPY: Final = 0x40085203
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP: Final = 1
_IFREQ: Final = "16sh14x"

Mount = Callable[[str, str, str, int], None]


def mounted(table: str) -> set[str]:
    """Return where something is mounted. Shape: `table` as /proc/self/mounts has it."""
    return {fields[1] for line in table.splitlines() if len(fields := line.split()) > 1}


def mount_all(mount: Mount | None = None, table: str | None = None) -> list[str]:
    """Mount what is missing; return where. Errors: OSError."""
    if table is None:
        known = Path("/proc/self/mounts")
        table = known.read_text() if known.exists() else ""
    missing = [each for each in MOUNTS if each[1] not in mounted(table)]
    for source, target, kind in missing:
        Path(target).mkdir(exist_ok=True)
        (mount or _mount)(source, target, kind, MOUNT_FLAGS)
    return [target for _, target, _ in missing]


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def loopback_up() -> bool:
    """Bring the loopback up; tell whether it was down. Errors: OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack(_IFREQ, b"lo", 0)
        _, flags = struct.unpack(_IFREQ, fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))
        if flags & _IFF_UP:
            return False
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack(_IFREQ, b"lo", flags | _IFF_UP))
        return True


def seed(nsm: Nsm, device: Path = Path("/dev/random"), ioctl: Callable[..., object] = fcntl.ioctl) -> int:
    """Give the kernel the security module's random bytes before any key is made; return how many.

    An enclave has no other source at its start that the machine around could not watch.
    Errors: NsmFailed, OSError.
    """
    random = b""
    while len(random) < SEED_BYTES:
        random += nsm.random()
    random = random[:SEED_BYTES]
    with device.open("wb", buffering=0) as file:
        ioctl(file.fileno(), _RNDADDENTROPY, struct.pack(f"ii{SEED_BYTES}s", 8 * SEED_BYTES, SEED_BYTES, random))
    return len(random)
