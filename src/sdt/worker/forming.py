"""What a batch is made of: the books' half of the lane.

Numbers a batch and moves transactions into it, takes out what signers refuse, and takes a batch apart again; each
method is, or joins, one database transaction. Nothing is signed or sent here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdt.domain.assembly import Assembled, Frame
from sdt.domain.message import MESSAGE_TYPES
from sdt.domain.region import Region
from sdt.domain.transaction import Event, Status
from sdt.signing.wire import BatchProposal, Entry, MessageRefusal
from sdt.store import Store, batches, lane, ledger, transactions
from sdt.store.batches import FormedBatch
from sdt.store.transactions import Change, TransactionRow
from sdt.worker.clock import Clock
from sdt.worker.follower import Follower
from sdt.worker.projection import ACTOR
from sdt.workflows import settling

__all__ = ["Formed", "Forming", "LaneLimits"]


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much goes into a batch and how much may be on its way. Units: as the names say."""

    items_max: int
    linger_s: float
    flights_max: int
    gas_max: int
    deadline_s: int
    look_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Formed:
    """A numbered batch before it is signed: its transactions in order, and the approvals beside them."""

    frame: Frame
    rows: Sequence[TransactionRow]
    approvals: Sequence[Sequence[TransactionRow]]
    originals: Mapping[str, bytes]
    """By adjustment: the message of the transaction that it sets right, which signers hold it against."""

    def _original_of(self, row: TransactionRow) -> tuple[bytes, ...]:
        """What stands last beside an adjustment, and beside nothing else."""
        return (self.originals[row.id],) if row.id in self.originals else ()

    @property
    def attached(self) -> tuple[str, ...]:
        return tuple(row.id for beside in self.approvals for row in beside)

    def proposal(self, batch: Assembled) -> BatchProposal:
        """Return what the locations are asked to sign. `batch` is this one, assembled."""
        frame = self.frame
        return BatchProposal(
            number=frame.number,
            parent=frame.parent,
            kind="admin" if batch.administers else "value",
            deadline_s=frame.deadline_s,
            nonce=frame.nonce,
            gas=batch.transaction.gas,
            entries=tuple(
                Entry(row.raw, (*(a.raw for a in beside), *self._original_of(row)))
                for row, beside in zip(self.rows, self.approvals, strict=True)
            ),
        )


class Forming:
    """Forms the batches of one lane, one after another."""

    def __init__(self, region: Region, follower: Follower, limits: LaneLimits, clock: Clock) -> None:
        self._region = region
        self._follower = follower
        self._limits = limits
        self._clock = clock

    def form(self, store: Store, after: bytes | None = None) -> Formed | None:
        """Number a batch and move its transactions into it.

        `after` is the head of the one before where that is not signed yet.
        """
        rows = transactions.claim_screened(store, self._limits.items_max)
        if not rows:
            return None
        now_ms = self._clock.now_ms()
        lane.hold(store)
        place = self._follower.place(store, after)
        frame = place.frame(self._clock.now_s() + self._limits.deadline_s)
        approvals = [_approvals_of(store, row) for row in rows]
        formed = Formed(frame, rows, approvals, _originals_of(store, rows))
        batches.form(
            store,
            FormedBatch(
                number=frame.number,
                kind="admin" if rows[0].administrative else "value",
                parent=frame.parent,
                deadline_s=frame.deadline_s,
                nonce=frame.nonce,
                count=len(rows),
                formed_at_ms=now_ms,
            ),
            after=after,
        )
        transactions.place_in_batch(store, [row.id for row in rows], frame.number, actor=ACTOR, at_ms=now_ms)
        if formed.attached:
            transactions.attach_to_batch(store, formed.attached, frame.number, actor=ACTOR, at_ms=now_ms)
        return formed

    def full_after(self, store: Store, number: int, batch: Assembled) -> Formed | None:
        """Form the batch after this one if it is full already, and may be sent behind it."""
        self._take_apart_after(store, number)
        flights, limits = self._follower.flights, self._limits
        full = len(flights) + 1 >= limits.flights_max or flights.gas + batch.transaction.gas >= limits.gas_max
        if full or flights.broken or flights.has_admin or batch.administers:
            return None
        if transactions.screened(store, limits.items_max) != (limits.items_max, False):
            return None
        return self.form(store, batch.head)

    def _take_apart_after(self, store: Store, number: int) -> None:
        """Let go of what was formed behind a batch that is not signed: it names a parent that may never be."""
        for later in batches.formed_after(store, number):
            rows = [*transactions.in_batch(store, later), *transactions.attached_to(store, later)]
            self._unbatch(store, later, [row.id for row in rows])

    def _unbatch(self, store: Store, number: int, ids: Sequence[str]) -> None:
        batches.void(store, [number])
        transactions.advance_batch(
            store, ids, Event.UNBATCH, from_status=Status.BATCHED, actor=ACTOR, at_ms=self._clock.now_ms()
        )

    def unsigned(self, store: Store) -> Formed | None:
        """Return the first batch that a crash left formed and not signed, exactly as it was.

        One behind it is taken apart once this one is proposed.
        """
        row = next((b for b in batches.unfinished(store) if b.status == "formed"), None)
        if row is None:
            return None
        rows = transactions.in_batch(store, row.number)
        frame = Frame(
            row.number,
            row.parent,
            row.deadline_s,
            row.nonce,
            self._follower.chain_id,
            self._follower.settlement,
            self._follower.gas_price_wei,
        )
        return Formed(frame, rows, [_approvals_of(store, r) for r in rows], _originals_of(store, rows))

    def drop(self, store: Store, formed: Formed, refusals: Sequence[MessageRefusal]) -> Formed | None:
        """Reject what signers refuse and keep the rest under the same number: no signature exists for it yet."""
        self._take_apart_after(store, formed.frame.number)
        by_position = {refusal.position: refusal for refusal in refusals}
        changes, releases = [], []
        for position, refusal in sorted(by_position.items()):
            row = formed.rows[position]
            changes.append(_refused(row.id, refusal))
            changes += [Change(a.id, Event.REJECT, code="approved_was_refused") for a in formed.approvals[position]]
            if row.held_units:
                releases.append((row.ledger_account, row.held_units))
        ledger.release_holds(store, releases)
        transactions.move(store, changes, actor="signers", at_ms=self._clock.now_ms())
        settling.skipped(store, self._region, [formed.rows[p] for p in sorted(by_position)], self._clock.now_ms())
        kept = [i for i in range(len(formed.rows)) if i not in by_position]
        if not kept:
            batches.void(store, [formed.frame.number])
            return None
        rows = [formed.rows[i] for i in kept]
        transactions.renumber(store, [row.id for row in rows])
        return Formed(formed.frame, rows, [formed.approvals[i] for i in kept], formed.originals)

    def unform(self, store: Store, formed: Formed) -> None:
        """Past its deadline: whatever was signed for it is void on chain, so its transactions may be batched anew."""
        self._take_apart_after(store, formed.frame.number)
        self._unbatch(store, formed.frame.number, [row.id for row in formed.rows] + list(formed.attached))


def _approvals_of(store: Store, row: TransactionRow) -> list[TransactionRow]:
    if not MESSAGE_TYPES[row.type].approval:
        return []
    live = (Status.SCREENED, Status.BATCHED)
    return [t for t in transactions.linked_to(store, row.id) if t.type == "approve" and t.status in live][:1]


def _originals_of(store: Store, rows: Sequence[TransactionRow]) -> dict[str, bytes]:
    named = {row.id: row.linked_id for row in rows if row.type == "adjust" and row.linked_id}
    found = transactions.get_many(store, list(named.values()))
    return {id_: bytes(found[original].raw) for id_, original in named.items()}


def _refused(transaction_id: str, refusal: MessageRefusal) -> Change:
    return Change(
        transaction_id,
        Event.REJECT,
        code=refusal.code,
        detail=refusal.detail,
        rule=refusal.facts.get("rule"),
        statute=refusal.facts.get("statute"),
        effective=refusal.facts.get("effective"),
    )
