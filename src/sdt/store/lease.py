"""The lease under which one process at a time settles for a chain key.

A row of the database names the holder and its epoch, which grows with every taking. Three things together keep two
processes from settling at once:

- whoever writes for the lane has its `Fence` looked at first in each database transaction, so that a holder that was
  stopped and goes on after another has taken over writes nothing;
- the row expires by the database's own clock unless it is renewed;
- beside the row the holder has a lock that dies with it (`sdt.store.lease_lock`), so that nobody waits out the row of
  a process that was killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sdt.domain.errors import Unavailable
from sdt.store.database import Store
from sdt.store.lease_lock import LeaseLock

__all__ = ["Fence", "LeaseLost", "LeaseRow", "all_of", "give_up", "look", "renew", "take"]

_NOBODY: Final = ""
_PATIENCE_MS: Final = 2_000
"""How long a taking waits for a holder's database transaction that is not over."""


class LeaseLost(Unavailable):
    """Another process settles now; this one must not go on."""

    code = "lease_lost"


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease as it stood at `now_ms`. Units: milliseconds of the database's clock."""

    name: str
    holder: str
    epoch: int
    taken_at_ms: int
    expires_at_ms: int
    now_ms: int

    @property
    def held(self) -> bool:
        """Whether somebody holds it and has renewed it in time."""
        return self.holder != _NOBODY and self.now_ms < self.expires_at_ms


@dataclass(frozen=True, slots=True)
class Fence:
    """What a holder's database transactions begin with: nothing is written once the lease has gone on.

    Until the transaction ends nobody can take the lease; renewing it is not held up.
    """

    name: str
    holder: str
    epoch: int

    def __call__(self, store: Store) -> None:
        """Let the transaction that is open go on. Errors: LeaseLost."""
        lock = " FOR KEY SHARE" if store.postgres else ""
        found = store.row(
            f"SELECT 1 FROM leases WHERE name = ? AND epoch = ? AND holder = ?{lock}",  # noqa: S608
            (self.name, self.epoch, self.holder),
        )
        if found is None:
            raise LeaseLost(f"The lease {self.name} went on from epoch {self.epoch}.")


def look(store: Store, name: str) -> LeaseRow | None:
    """Return a lease as it stands; None before anybody held it."""
    found = store.row(
        f"SELECT name, holder, epoch, taken_at_ms, expires_at_ms, {_now(store)} FROM leases WHERE name = ?",  # noqa: S608
        (name,),
    )
    return LeaseRow(*found) if found else None


def all_of(store: Store) -> list[LeaseRow]:
    """Return every lease that somebody ever held."""
    names = [name for (name,) in store.rows("SELECT name FROM leases ORDER BY name")]
    return [row for name in names if (row := look(store, name)) is not None]


def take(store: Store, lock: LeaseLock, name: str, holder: str, length_ms: int) -> Fence | None:
    """Take a lease that nobody holds, whose holder is dead, or that was not renewed; None while another has it.

    Errors: Unavailable while a holder that is gone has a database transaction open.
    """
    with store.transaction():
        if store.postgres:
            store.execute(f"SET LOCAL lock_timeout = {_PATIENCE_MS}")
        store.execute(
            "INSERT INTO leases (name, holder, epoch, taken_at_ms, expires_at_ms) VALUES (?, ?, 0, 0, 0) "
            "ON CONFLICT (name) DO NOTHING",
            (name, _NOBODY),
        )
        before = look(store, name)
        assert before is not None, "it was inserted above"
        if before.held and not lock.is_free(store, before.epoch):
            return None
        fence = Fence(name, holder, before.epoch + 1)
        if not lock.acquire(store, fence.epoch):
            return None
        taken = store.execute(
            f"UPDATE leases SET holder = ?, epoch = ?, taken_at_ms = {_now(store)}, "  # noqa: S608
            f"expires_at_ms = {_now(store)} + ? WHERE name = ? AND epoch = ? AND holder = ?",
            (holder, fence.epoch, length_ms, name, before.epoch, before.holder),
        ).rowcount
        if taken:
            return fence
    lock.release(store)
    return None


def renew(store: Store, lock: LeaseLock, fence: Fence, length_ms: int) -> None:
    """Put off the end of a lease. One that ran out and that nobody took is still the holder's. Errors: LeaseLost."""
    with store.transaction():
        renewed = store.execute(
            f"UPDATE leases SET expires_at_ms = {_now(store)} + ? WHERE name = ? AND epoch = ? AND holder = ?",  # noqa: S608
            (length_ms, fence.name, fence.epoch, fence.holder),
        ).rowcount
        if not renewed:
            raise LeaseLost(f"The lease {fence.name} went on from epoch {fence.epoch}.")
        # A connection that was lost took its lock with it.
        lock.acquire(store, fence.epoch)


def give_up(store: Store, lock: LeaseLock, fence: Fence) -> None:
    """Hand a lease to whoever waits. Nothing happens if it has gone on already."""
    with store.transaction():
        store.execute(
            "UPDATE leases SET holder = ?, expires_at_ms = 0 WHERE name = ? AND epoch = ? AND holder = ?",
            (_NOBODY, fence.name, fence.epoch, fence.holder),
        )
    lock.release(store)


def _now(store: Store) -> str:
    """Return the database's own clock as SQL. Units: milliseconds since 1970."""
    if store.postgres:
        return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
    return "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"
