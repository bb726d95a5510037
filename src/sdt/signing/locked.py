"""Memory for keys: a page of its own that is neither swapped out nor dumped, and is wiped when done with.

It covers the long-lived keys that this program holds as bytes. Copies that Python makes while computing with a share
are short-lived and not covered; the end of a joint job's process, and swap turned off, are what guards those.
"""

from __future__ import annotations

import logging
import mmap
from typing import Any

from nacl._sodium import ffi, lib  # type: ignore[import-not-found]  # cffi, without stubs

_log = logging.getLogger("sdt.signing")


def wipe(secret: bytearray) -> None:
    """Overwrite a secret in place, in a way that no optimiser leaves out."""
    lib.sodium_memzero(ffi.from_buffer(secret), len(secret))


class LockedBytes:
    """A secret in locked memory. Where the system refuses to lock, it says so once and goes on."""

    _warned = False

    def __init__(self, secret: bytes | bytearray) -> None:
        """Take a copy, wiping the original if it can be."""
        self._size = len(secret)
        self._page = mmap.mmap(-1, max(mmap.PAGESIZE, self._size))
        self._view: Any = ffi.from_buffer(self._page)
        self.is_locked = lib.sodium_mlock(self._view, len(self._page)) == 0
        if not self.is_locked and not LockedBytes._warned:
            LockedBytes._warned = True
            _log.warning("Memory for keys cannot be locked (RLIMIT_MEMLOCK); turn swap off, or raise the limit.")
        self._page[: self._size] = secret
        if isinstance(secret, bytearray):
            wipe(secret)

    def __repr__(self) -> str:
        return "LockedBytes(hidden)"

    @property
    def pointer(self) -> Any:
        """Where the secret lies, for libsodium; valid as long as this object."""
        return ffi.cast("unsigned char *", self._view)

    def wipe(self) -> None:
        """Overwrite the secret."""
        lib.sodium_memzero(self._view, len(self._page))

    def __del__(self) -> None:
        """Wipe what nobody needs any more."""
        if hasattr(self, "_view"):
            self.wipe()
