"""What a batch is made of: the books' half of the lane.

Numbers a batch and moves transactions into it, refuses what can be no item, takes out what signers refuse, and takes
a batch apart again; each method is, or joins, one database transaction. Nothing is signed or sent here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdt.domain.assembly import Assembled, Built, Frame, assemble_built
from sdt.domain.batch import ValueItem
from sdt.domain.errors import SdtError, Unprocessable
from sdt.domain.items import build_item
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
from sdt.worker.reading import Reading
from sdt.workflows import settling

__all__ = ["Formed", "Forming", "LaneLimits"]

log = logging.getLogger(__name__)

_Refused = tuple[TransactionRow, Sequence[TransactionRow], MessageRefusal]
"""What is refused, the approvals beside it, and why."""


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
    built: Sequence[Built] | None = None
    """Its messages with their items, as they were built to be formed; None where a crash left it."""

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

    def __init__(self, region: Region, follower: Follower, limits: LaneLimits, clock: Clock, reading: Reading) -> None:
        self._region = region
        self._follower = follower
        self._limits = limits
        self._clock = clock
        self._reading = reading

    def form(self, store: Store, after: bytes | None = None) -> Formed | None:
        """Number a batch and move its transactions into it; what can be no item is refused and stands before nobody.

        `after` is the head of the one before where that is not signed yet.
        """
        rows, built = self._buildable(store, transactions.claim_screened(store, self._limits.items_max))
        if not rows:
            return None
        now_ms = self._clock.now_ms()
        lane.hold(store)
        place = self._follower.place(store, after)
        frame = place.frame(self._clock.now_s() + self._limits.deadline_s)
        approvals = [_approvals_of(store, row) for row in rows]
        formed = Formed(frame, rows, approvals, _originals_of(store, rows), built)
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

    def _buildable(self, store: Store, rows: Sequence[TransactionRow]) -> tuple[list[TransactionRow], list[Built]]:
        """Build each item alone, and reject those rows of which none comes: they were in no batch, so nobody saw them.

        Both are in the order of the rows.
        """
        kept: list[TransactionRow] = []
        built: list[Built] = []
        refused: list[_Refused] = []
        for position, row in enumerate(rows):
            try:
                built.append(self._build(row))
                kept.append(row)
            except SdtError as error:
                log.warning("%s can be no item: %s", row.id, error.code, extra={"transaction_id": row.id})
                refused.append((row, _approvals_of(store, row), MessageRefusal(position, error.code, error.detail)))
        if refused:
            self._reject(store, refused, ACTOR)
        return kept, built

    def _build(self, row: TransactionRow) -> Built:
        """Errors: Invalid for what cannot be an item; Unprocessable for another fee than was accepted and is held."""
        signed = self._reading.read(row)
        item = build_item(signed, self._region)
        if isinstance(item, ValueItem) and item.fee != row.fee_units:
            # The books post what was accepted and held, the chain takes what the region's file says now.
            raise Unprocessable("The fee has changed since the message was accepted.", code="fee_changed")
        return signed, item

    def assemble(self, formed: Formed) -> Assembled:
        """Return the batch as it is to be signed.

        Errors: Invalid, Unprocessable where a crash left it and its messages can be such items no longer. It is not
        taken apart before its deadline: as it was it may have been signed.
        """
        built = formed.built or [self._build(row) for row in formed.rows]
        return assemble_built(formed.frame, built, self._region)

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
        stands = batches.get(store, formed.frame.number)
        # Where the answer to a commit was lost it may be signed and stored: then a restart sends it.
        assert stands is not None and stands.status == "formed", "nothing is taken out of a batch that is signed"
        self._take_apart_after(store, formed.frame.number)
        by_position = {refusal.position: refusal for refusal in refusals}
        refused = [(formed.rows[p], formed.approvals[p], by_position[p]) for p in sorted(by_position)]
        self._reject(store, refused, "signers")
        kept = [i for i in range(len(formed.rows)) if i not in by_position]
        if not kept:
            batches.void(store, [formed.frame.number])
            return None
        rows = [formed.rows[i] for i in kept]
        transactions.renumber(store, [row.id for row in rows])
        built = [formed.built[i] for i in kept] if formed.built else None
        return Formed(formed.frame, rows, [formed.approvals[i] for i in kept], formed.originals, built)

    def _reject(self, store: Store, refused: Sequence[_Refused], actor: str) -> None:
        """End what never reached the chain: its funds are free again, its sender is told why."""
        changes: list[Change] = []
        releases: list[tuple[str, int]] = []
        for row, approvals, refusal in refused:
            changes.append(_refused(row.id, refusal))
            changes += [Change(a.id, Event.REJECT, code="approved_was_refused") for a in approvals]
            if row.held_units:
                releases.append((row.ledger_account, row.held_units))
        ledger.release_holds(store, releases)
        transactions.move(store, changes, actor=actor, at_ms=self._clock.now_ms())
        settling.skipped(store, self._region, [row for row, _, _ in refused], self._clock.now_ms())

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
