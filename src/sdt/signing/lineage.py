"""Which messages stand behind which head: what makes a replay fail, whoever asks for it.

Every batch names its parent, and the contract takes it only on that parent. So a message counts as used exactly when
it lies in a batch on the line under the proposed parent, and a batch that lost its race frees its messages by not
being on that line. A signer signs only when it holds every batch on the line within the window.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from sdt.domain.batch import GENESIS_HEAD, ITEMS_MAX, leaf, merkle_root, next_head
from sdt.domain.errors import Invalid, Unavailable
from sdt.domain.region import MESSAGE_LIFE_S_MAX
from sdt.signing.store import Store
from sdt.signing.wire import BatchIds

CLOCKS_MS: Final = 60_000
"""How far two signers' clocks may be apart: each within 30 s of the chain's."""
LIFE_MS_MAX: Final = 1000 * MESSAGE_LIFE_S_MAX + CLOCKS_MS
"""The longest a message lives by any rules. What is remembered does not follow the rules in force: longer ones would
make valid again what was forgotten, and ask for what everybody has forgotten.
"""
KEPT_MS: Final = 2 * LIFE_MS_MAX + 86_400_000
"""How old a batch's oldest id is when its messages are forgotten: a day after nobody asks for them any more."""
KNOWN_COMPLETE_MAX: Final = 4096
STEPS: Final = 500
"""Batches between two turns of the loop on a long walk."""
WALKED_MAX: Final = 50_000
"""Batches passed for one proposal: few seconds at most, well within what the coordinator waits."""
FETCHES_MAX: Final = 1024
"""Batches fetched for one proposal; a location that missed more goes on at the next, and holds nobody up."""


class UnknownParent(Unavailable):
    """The messages behind the proposed parent are not known here, and no peer could tell."""

    code = "unknown_parent"


@dataclass(frozen=True, slots=True)
class LineBatch:
    """One batch on the line: its place, and its messages as (transaction_id, digest), in order."""

    head: bytes
    number: int
    parent: bytes
    messages: tuple[tuple[bytes, bytes], ...]
    administers: bool | None = None
    """Whether it changes keys, roles, rules or reserves; None when only a peer says anything of it."""

    @property
    def oldest_ms(self) -> int:
        """When its oldest message's id was given. Units: milliseconds since 1970, from UUIDv7."""
        return min(int.from_bytes(transaction_id[:6], "big") for transaction_id, _ in self.messages)


def record(db: sqlite3.Connection, batch: LineBatch) -> None:
    """Remember a batch's messages; the same again adds what kind it is, and messages that were forgotten."""
    inserted = db.execute(
        "INSERT OR IGNORE INTO batch (head, number, parent, oldest_ms, administers) VALUES (?, ?, ?, ?, ?)",
        (batch.head, batch.number, batch.parent, batch.oldest_ms, batch.administers),
    ).rowcount
    if inserted or not has_messages(db, batch.head):
        db.executemany(
            "INSERT INTO batch_message (transaction_id, head, position, digest) VALUES (?, ?, ?, ?)",
            [(id_, batch.head, position, digest) for position, (id_, digest) in enumerate(batch.messages)],
        )
    if not inserted and batch.administers is not None:
        db.execute("UPDATE batch SET administers = ? WHERE head = ?", (batch.administers, batch.head))


def has_messages(db: sqlite3.Connection, head: bytes) -> bool:
    """Tell whether a batch's messages are still known: they may have been forgotten by a clock that was wrong."""
    return db.execute("SELECT 1 FROM batch_message WHERE head = ? LIMIT 1", (head,)).fetchone() is not None


def record_issued(db: sqlite3.Connection, head: bytes, unique: Sequence[tuple[int, bytes]]) -> None:
    """Remember what this batch used up for ever."""
    db.executemany("INSERT OR IGNORE INTO issued (what, head) VALUES (?, ?)", [(what, head) for _, what in unique])


def show(db: sqlite3.Connection, head: bytes) -> BatchIds | None:
    """Return what stands behind a head, for a peer."""
    row = db.execute("SELECT number, parent FROM batch WHERE head = ?", (head,)).fetchone()
    if row is None:
        return None
    messages = db.execute(
        "SELECT transaction_id, digest FROM batch_message WHERE head = ? ORDER BY position", (head,)
    ).fetchall()
    if not messages:  # forgotten long ago
        return None
    return BatchIds(row[0], row[1], b"".join(m[0] for m in messages), b"".join(m[1] for m in messages))


def read_shown(head: bytes, shown: BatchIds) -> LineBatch:
    """Return a peer's answer once it proves to be what stands behind the head.

    Errors: Invalid.
    """
    ids = [shown.ids[at : at + 16] for at in range(0, len(shown.ids), 16)]
    digests = [shown.digests[at : at + 32] for at in range(0, len(shown.digests), 32)]
    if (
        not 0 < len(ids) == len(digests) <= ITEMS_MAX
        or any(len(i) != 16 for i in ids)
        or any(len(d) != 32 for d in digests)
    ):
        raise Invalid("A peer's account of a batch is malformed.", code="bad_batch_ids")
    messages = tuple(zip(ids, digests, strict=True))
    root = merkle_root([leaf(position, *message) for position, message in enumerate(messages)])
    if len(shown.parent) != 32 or shown.number < 1 or next_head(shown.parent, shown.number, root) != head:
        raise Invalid("A peer's account of a batch does not fit its head.", code="bad_batch_ids")
    return LineBatch(head, shown.number, shown.parent, messages)


Fetch = Callable[[bytes], Awaitable[LineBatch]]


class Lineage:
    """The lines of batches that this signer holds whole, as far back as any message can still be valid.

    Units: life_ms, the longest a message lives from its id to its end, by any rules.
    """

    def __init__(self, store: Store, life_ms: int = LIFE_MS_MAX) -> None:
        self._store = store
        self._db = store.db
        self._life_ms = life_ms
        self._complete: OrderedDict[bytes, None] = OrderedDict({GENESIS_HEAD: None})
        self._began: tuple[int, int] | None = None
        self._stretch: tuple[bytes, bytes, int, int] | None = None
        """A walk that was broken off: where it began; where, at which number and after which age it goes on."""

    def begin(self, now_ms: int, life_ms: int) -> None:
        """Note, once in a database's life, since when it remembers, and the longest life by the rules of then.

        What was over by then is over for ever: this location, or its peers, may have forgotten it by a shorter
        horizon. So its messages are refused, and a batch of that time that nobody can show holds nobody up.
        """
        if self._began is not None:
            return
        with self._store.write() as db:
            db.execute("INSERT OR IGNORE INTO line_memory VALUES (1, ?, ?)", (now_ms, life_ms + CLOCKS_MS))
            self._began = db.execute("SELECT began_ms, life_ms FROM line_memory").fetchone()

    def forgotten(self, transaction_ids: Sequence[bytes]) -> set[bytes]:
        """Return which of these messages were over when this location's memory began, whatever the rules say now."""
        if self._began is None:
            return set()
        began_ms, life_ms = self._began
        return {id_ for id_ in transaction_ids if int.from_bytes(id_[:6], "big") < began_ms - life_ms}

    def _all_over(self, oldest_ms: int) -> bool:
        """Tell whether a batch's messages, and all before it, are among the forgotten.

        It was signed at most one life after its oldest id, and its ancestors, and so all their ids, before that.
        """
        if self._began is None:
            return False
        began_ms, life_ms = self._began
        return oldest_ms + 2 * life_ms < began_ms

    async def complete(self, parent: bytes, number: int, now_ms: int, fetch: Fetch) -> None:
        """Walk back from the parent of batch `number`, fetching and keeping what is missing.

        It stops where every message must be over. A batch was signed before its own messages ended, its ancestors
        before that, and their messages ended at most one more life later: two lives after the oldest id.
        Numbers go down by one on the way, so that no line made up by a hostile peer is longer than the true one.
        What no peer can show is passed where this location refuses all that may lie in it; see `begin`.
        Errors: UnknownParent; Invalid for a line whose numbers do not fit.
        """
        self._demand_place(parent, number)
        walked: list[bytes] = []
        fetched = steps = 0
        head, expected, oldest_ms = parent, number - 1, now_ms
        while head not in self._complete:
            if steps == WALKED_MAX:
                self._break_off(parent, head, expected, oldest_ms)
            steps += 1
            row = self._db.execute("SELECT parent, oldest_ms, number FROM batch WHERE head = ?", (head,)).fetchone()
            if row is None or (row[1] + 2 * self._life_ms >= now_ms and not has_messages(self._db, head)):
                if fetched == FETCHES_MAX:
                    self._break_off(parent, head, expected, oldest_ms)
                try:
                    batch, fetched = await fetch(head), fetched + 1
                except UnknownParent:
                    if self._all_over(row[1] if row else oldest_ms):
                        break
                    raise
                with self._store.write() as db:  # what is fetched proves itself, and stays when the rest fails
                    record(db, batch)
                row = batch.parent, batch.oldest_ms, batch.number
            if row[2] != expected:
                raise Invalid(f"A batch on this line has number {row[2]} where {expected} belongs.", code="bad_line")
            if len(walked) < KNOWN_COMPLETE_MAX:  # months of batches are walked, and few of them noted
                walked.append(head)
            if row[1] + 2 * self._life_ms < now_ms:
                break
            passed, head, expected, oldest_ms = head, row[0], expected - 1, row[1]
            if self._stretch is not None and passed == self._stretch[0]:
                _, head, expected, oldest_ms = self._stretch
            if steps % STEPS == 0:
                await asyncio.sleep(0)
        self._stretch = None
        for known in reversed(walked):
            self.note_complete(known)

    def _break_off(self, parent: bytes, head: bytes, number: int, oldest_ms: int) -> NoReturn:
        """Keep what was walked for the next proposal. Errors: UnknownParent."""
        self._stretch = parent, head, number, oldest_ms
        raise UnknownParent("This location is still catching up with the batches before this one.")

    def _demand_place(self, parent: bytes, number: int) -> None:
        """Errors: Invalid when a batch does not have the number after its parent's: the contract would not take it."""
        row = self._db.execute("SELECT number FROM batch WHERE head = ?", (parent,)).fetchone()
        known = 0 if parent == GENESIS_HEAD else row[0] if row else number - 1
        if number != known + 1:
            raise Invalid("The batch does not have the number after its parent's.", code="batch_number")

    def note_complete(self, head: bytes) -> None:
        """Remember that everything behind a head is held."""
        self._complete[head] = None
        self._complete.move_to_end(head)
        while len(self._complete) > KNOWN_COMPLETE_MAX:
            oldest = next(iter(self._complete))
            if oldest == GENESIS_HEAD:
                self._complete.move_to_end(oldest)
                continue
            del self._complete[oldest]

    def used_on_line(self, parent: bytes, transaction_ids: Sequence[bytes]) -> set[bytes]:
        """Return which of these messages lie in a batch on the line that ends in `parent`."""
        marks = ",".join("?" * len(transaction_ids))
        rows = self._db.execute(
            "SELECT m.transaction_id, m.head, b.number FROM batch_message m JOIN batch b USING (head)"  # noqa: S608
            f" WHERE m.transaction_id IN ({marks})",
            list(transaction_ids),
        ).fetchall()
        return {id_ for id_, head, number in rows if self.on_line(parent, head, number)}

    def issued_on_line(self, parent: bytes, what: bytes) -> bool:
        """Tell whether a deposit or a piece of evidence was used on the line that ends in `parent`."""
        rows = self._db.execute(
            "SELECT i.head, b.number FROM issued i JOIN batch b USING (head) WHERE i.what = ?", (what,)
        ).fetchall()
        return any(self.on_line(parent, head, number) for head, number in rows)

    def may_administer_after(self, parent: bytes, number: int) -> bool:
        """Tell whether a batch that changes the registry may lie on the line up to `parent`, after batch `number`.

        Until such a batch is final, nobody can judge what comes after it; one of unknown kind counts as such.
        """
        current = parent
        while current != GENESIS_HEAD:
            row = self._db.execute(
                "SELECT number, parent, administers FROM batch WHERE head = ?", (current,)
            ).fetchone()
            if row is None or row[0] <= number:
                return row is None
            if row[2] != 0:
                return True
            current = row[1]
        return False

    def on_line(self, parent: bytes, head: bytes, number: int) -> bool:
        """Tell whether a batch is `parent` or an ancestor of it; unknown ground counts as yes."""
        current = parent
        while current != GENESIS_HEAD:
            row = self._db.execute("SELECT number, parent FROM batch WHERE head = ?", (current,)).fetchone()
            if row is None:
                return True
            if row[0] <= number:
                return current == head
            current = row[1]
        return False


def prune(db: sqlite3.Connection, before_ms: int) -> int:
    """Forget messages of batches that ended long ago; the batches' places stay, so that a walk can pass."""
    return db.execute(
        "DELETE FROM batch_message WHERE head IN (SELECT head FROM batch WHERE oldest_ms < ?)", (before_ms,)
    ).rowcount
