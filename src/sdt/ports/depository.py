"""A depository of metal: bars in, an inventory by serial number, bars out, statements like a bank's.

Each vault holds one asset, and its balance is the fine weight of its bars.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from sdt.domain.money import Amount, Asset
from sdt.ports.evidence import Evidence
from sdt.ports.statement import Statement


class BarStatus(Enum):
    """Where a bar stands: `locked` and `picked` for an order, gone once `handed_over` or `lost`."""

    HELD = "held"
    LOCKED = "locked"
    PICKED = "picked"
    HANDED_OVER = "handed_over"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class AssayTest:
    """One of the three tests of a bar: by which method, and whether it passed."""

    method: str
    passed: bool
    reading: str


@dataclass(frozen=True, slots=True)
class BarIntake:
    """A bar as a clerk takes it in, for the account named on its drop-off.

    `drop_off` is our reference: the deposit's transaction_id.

    Units: `gross_ng` nanograms; `fineness` parts per ten thousand.
    Shape: `photo_digest` SHA-256 in lower-case hex; `account` 0x and 40 hex digits.
    """

    vault: str
    serial: str
    refiner: str
    form: str
    metal: str
    gross_ng: int
    fineness: int
    tests: tuple[AssayTest, AssayTest, AssayTest]
    photo_digest: str
    drop_off: str
    account: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar as the depository knows it; `fine` is what it counts for."""

    bar_id: str
    vault: str
    serial: str
    refiner: str
    form: str
    metal: str
    gross_ng: int
    fineness: int
    fine: Amount
    photo_digest: str
    drop_off: str
    account: str
    status: BarStatus
    taken_in_at: datetime
    evidence: Evidence = field(compare=False)


@dataclass(frozen=True, slots=True)
class Inventory:
    """A page of a vault's bars in order of intake; `next_after` is None on the last page."""

    bars: tuple[Bar, ...]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class HeldBar:
    """A bar as a holding statement names it."""

    bar_id: str
    fine: Amount


@dataclass(frozen=True, slots=True)
class HoldingStatement:
    """What a vault holds as of a moment: what its custodian attests. `total` is the sum over `held`.

    `last_sequence` is the newest statement line contained; `evidence.digest` names every bar in the document.
    """

    vault: str
    asset: Asset
    total: Amount
    bars: int
    held: tuple[HeldBar, ...]
    as_of: datetime
    last_sequence: int
    evidence: Evidence = field(compare=False)


class RedemptionStatus(Enum):
    """Lock, pick, then burn on chain, then hand over; cancel frees the bars while they are in the vault.

    `broken`: a bar of the order was lost or weighs less than it did; it cannot be filled, only canceled.
    """

    LOCKED = "locked"
    PICKED = "picked"
    HANDED_OVER = "handed_over"
    CANCELED = "canceled"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class RedemptionOrder:
    """Which bars leave a vault, for whom; `reference` is the transaction_id."""

    vault: str
    bar_ids: tuple[str, ...]
    account: str
    reference: str


@dataclass(frozen=True, slots=True)
class VaultRedemption:
    """A redemption order as the depository knows it; `fine` is the sum over its bars."""

    order_id: str
    vault: str
    bar_ids: tuple[str, ...]
    fine: Amount
    account: str
    reference: str
    status: RedemptionStatus
    evidence: Evidence = field(compare=False)


class Depository(Protocol):
    """The same `key` to the same method always means the same order: repeat it after any failure.

    Errors: Unprocessable when refused; Conflict for a bar taken in before or a key used with other data;
    NotFound; StateUnknown when it may have been done; Unavailable when nothing was done.
    """

    async def take_in(self, intake: BarIntake, key: str) -> Bar:
        """Take in one bar."""
        ...

    async def bar(self, bar_id: str) -> Bar:
        """Return a bar as it stands now."""
        ...

    async def inventory(self, vault: str, after: int = 0, limit: int = 500) -> Inventory:
        """Return the bars in a vault, in order of intake, from the page that `next_after` named."""
        ...

    async def holding_statement(self, vault: str) -> HoldingStatement:
        """Return what the vault holds now."""
        ...

    async def statement(self, vault: str, after: int = 0, limit: int = 500) -> Statement:
        """Return the fine weight held and the movements numbered above `after`."""
        ...

    async def lock(self, order: RedemptionOrder, key: str) -> VaultRedemption:
        """Set bars aside for an order."""
        ...

    async def pick(self, order_id: str, key: str) -> VaultRedemption:
        """Have an order's bars brought to the counter; the order is still `locked` while a clerk is on the way."""
        ...

    async def hand_over(self, order_id: str, key: str) -> VaultRedemption:
        """Have an order's bars handed over; it is still `picked` until they have left the vault. Burn first."""
        ...

    async def cancel(self, order_id: str, key: str) -> VaultRedemption:
        """Free an order's bars; refused once they were handed over."""
        ...

    async def redemption(self, order_id: str) -> VaultRedemption:
        """Return an order as it stands now."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
