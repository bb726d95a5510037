"""Batches on their way: what the lane has sent and not yet seen final."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sdt.store import Store, batches, transactions
from sdt.store.transactions import TransactionRow

__all__ = ["Flight", "Flights", "signed_flights"]


@dataclass(slots=True)
class Flight:
    """One signed batch, with its transactions as they were when it was formed.

    `included_at` is the block it was seen in, until that block leaves the chain. `trace` is whose trace its way belongs
    to; after a crash it has none.

    Units: gas as limited in the chain transaction; sent_at_s and first_sent_at_s on the loop's own clock.
    """

    number: int
    kind: str
    head: bytes
    rows: Sequence[TransactionRow]
    attached: tuple[str, ...]
    chain_tx_hash: bytes
    raw: bytes
    gas: int
    deadline_s: int
    sent_at_s: float = 0.0
    first_sent_at_s: float = 0.0
    included_at: int | None = None
    trace: str = ""


@dataclass(slots=True)
class Flights:
    """All of them, by number and by chain transaction.

    Gas counts until a batch is included, not until it is final: else throughput is window over finality time.
    """

    by_number: dict[int, Flight] = field(default_factory=dict)
    by_hash: dict[bytes, Flight] = field(default_factory=dict)
    broken: bool = False
    """Whether the contract refused one: those sent after it name a parent that never came, and will be refused too."""

    def __len__(self) -> int:
        return len(self.by_number)

    def __iter__(self) -> Iterator[Flight]:
        return iter(sorted(self.by_number.values(), key=lambda flight: flight.number))

    def add(self, flight: Flight) -> None:
        """Put a signed batch on its way."""
        self.by_number[flight.number] = flight
        self.by_hash[flight.chain_tx_hash] = flight

    def remove(self, flights: Sequence[Flight]) -> None:
        """Forget batches that are final or void."""
        for flight in flights:
            self.by_number.pop(flight.number, None)
            self.by_hash.pop(flight.chain_tx_hash, None)
        if not self.by_number:
            self.broken = False

    @property
    def gas(self) -> int:
        """Gas of the batches sent and not yet in a block."""
        return sum(flight.gas for flight in self.by_number.values() if flight.included_at is None)

    @property
    def has_admin(self) -> bool:
        """Whether a barrier is on its way: the batches after it wait until it is final."""
        return any(flight.kind == "admin" for flight in self.by_number.values())


def signed_flights(store: Store) -> list[Flight]:
    """Return what was signed and is not final yet, as it was when it was sent."""
    flights = []
    for row in batches.unfinished(store):
        if row.status == "formed":
            continue
        assert row.raw_tx is not None and row.chain_tx_hash is not None and row.head is not None
        attached = transactions.attached_to(store, row.number)
        flights.append(
            Flight(
                number=row.number,
                kind=row.kind,
                head=row.head,
                rows=transactions.in_batch(store, row.number),
                attached=tuple(item.id for item in attached),
                chain_tx_hash=row.chain_tx_hash,
                raw=row.raw_tx,
                gas=row.gas or 0,
                deadline_s=row.deadline_s,
            )
        )
    return flights
