"""The lock beside a lease that dies with its holder: PostgreSQL's session lock, or on SQLite the lock of a file.

Each epoch has a lock of its own. That the lock of an epoch is free says that its holder's process or connection is
gone; that it is taken says nothing, since a process that was stopped keeps it. It shortens waiting and guards nothing.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from pathlib import Path
from typing import Final, Protocol

from sdt.domain.errors import Unavailable
from sdt.store.database import Store

__all__ = ["FileLock", "LeaseLock", "SessionLock", "lease_lock"]

_EPOCHS: Final = 1 << 31


class LeaseLock(Protocol):
    """What may be asked of either kind. A store is used in one thread, whose connection has the lock."""

    def acquire(self, store: Store, epoch: int) -> bool:
        """Have the lock of an epoch; False if another has it. Having it already is having it."""
        ...

    def is_free(self, store: Store, epoch: int) -> bool:
        """Say whether nobody lives who had the lock of an epoch; False when that is not known."""
        ...

    def release(self, store: Store) -> None:
        """Let go of what was acquired."""
        ...


def lease_lock(store: Store, name: str) -> LeaseLock:
    """Return the lock beside the lease of a name.

    Errors: Unavailable through a pooler: its sessions are everybody's, so each would find the other's lock free.
    """
    number = zlib.crc32(name.encode())
    if store.pooled:
        raise Unavailable("A lease is held on a connection to the database itself.", code="lease_through_pooler")
    if store.postgres:
        return SessionLock(number - (1 << 31))
    path = Path(store.database.database)
    return FileLock(path.with_name(f"{path.name}.lease-{number:08x}"))


class SessionLock:
    """PostgreSQL's advisory lock of a session. It needs a connection to the server itself, not to a pool of them."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._has: tuple[int, int] | None = None

    def acquire(self, store: Store, epoch: int) -> bool:
        """Have it on the connection of this thread; a session may have a lock more than once, so it asks but once."""
        (session,) = store.row("SELECT pg_backend_pid()")
        if self._has == (session, epoch):
            return True
        if not self._try(store, epoch):
            return False
        self._has = (session, epoch)
        return True

    def is_free(self, store: Store, epoch: int) -> bool:
        """Try to have it, and let go."""
        if not self._try(store, epoch):
            return False
        self._unlock(store, epoch)
        return True

    def release(self, store: Store) -> None:
        """Unlock, if this is still the connection that has it."""
        (session,) = store.row("SELECT pg_backend_pid()")
        if self._has is not None and self._has[0] == session:
            self._unlock(store, self._has[1])
        self._has = None

    def _try(self, store: Store, epoch: int) -> bool:
        (locked,) = store.row(
            "SELECT pg_try_advisory_lock(CAST(? AS integer), CAST(? AS integer))", (self._number, epoch % _EPOCHS)
        )
        return bool(locked)

    def _unlock(self, store: Store, epoch: int) -> None:
        store.execute(
            "SELECT pg_advisory_unlock(CAST(? AS integer), CAST(? AS integer))", (self._number, epoch % _EPOCHS)
        )


class FileLock:
    """The lock of a file beside the database, one file for each epoch; the kernel lets go of it with the process."""

    def __init__(self, stem: Path) -> None:
        self._stem = stem
        self._has: tuple[int, int] | None = None

    def acquire(self, store: Store, epoch: int) -> bool:
        """Make the file of an epoch and lock it; the file of the epoch before is of no more use."""
        if self._has is not None and self._has[1] == epoch:
            return True
        descriptor = os.open(self._path(epoch), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(descriptor):
            os.close(descriptor)
            return False
        self.release(store)
        self._has = (descriptor, epoch)
        self._path(epoch - 1).unlink(missing_ok=True)
        return True

    def is_free(self, store: Store, epoch: int) -> bool:
        """Try to lock the file. One that is not there says nothing: the database may have been moved."""
        try:
            descriptor = os.open(self._path(epoch), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return _locked(descriptor)
        finally:
            os.close(descriptor)

    def release(self, store: Store) -> None:
        """Let go of the file."""
        if self._has is not None:
            os.close(self._has[0])
        self._has = None

    def _path(self, epoch: int) -> Path:
        return self._stem.with_name(f"{self._stem.name}-{epoch}")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
