"""A depository's messages as they travel, and ours built from them."""

from __future__ import annotations

from msgspec import Struct

from sdt.adapters.vendor.wire import Count, Moment, Sequence, amount
from sdt.domain.money import Asset, units_from_digits
from sdt.ports import (
    Bar,
    BarIntake,
    BarStatus,
    Evidence,
    Flow,
    RedemptionStatus,
    StatementLine,
    VendorFault,
)


class BarWire(Struct, frozen=True):
    """A bar."""

    bar_id: str
    vault: str
    serial: str
    refiner: str
    form: str
    metal: str
    gross_ng: str
    fineness: int
    fine_ng: str
    photo_digest: str
    drop_off: str
    account: str
    status: BarStatus
    taken_in_at: Moment


class InventoryWire(Struct, frozen=True):
    """A page of bars."""

    bars: tuple[BarWire, ...]
    next_after: Sequence | None


class HeldWire(Struct, frozen=True):
    """A bar within a holding statement."""

    bar_id: str
    fine_ng: str


class HoldingWire(Struct, frozen=True):
    """A holding statement."""

    vault: str
    metal: str
    fine_ng: str
    bar_count: Count
    as_of: Moment
    last_sequence: Sequence
    bars: tuple[HeldWire, ...]


class LineWire(Struct, frozen=True):
    """A movement."""

    sequence: Sequence
    kind: str
    flow: Flow
    fine_ng: str
    subject: str
    reference: str
    at: Moment


class StatementWire(Struct, frozen=True):
    """A statement."""

    vault: str
    metal: str
    balance_ng: str
    as_of: Moment
    last_sequence: Sequence
    lines: tuple[LineWire, ...]
    more: bool


class RedemptionWire(Struct, frozen=True):
    """A redemption order."""

    order_id: str
    vault: str
    metal: str
    bar_ids: tuple[str, ...]
    fine_ng: str
    account: str
    reference: str
    status: RedemptionStatus


def intake_body(intake: BarIntake) -> dict[str, object]:
    """Return an intake as sent."""
    return {
        "vault": intake.vault,
        "serial": intake.serial,
        "refiner": intake.refiner,
        "form": intake.form,
        "metal": intake.metal,
        "gross_ng": str(intake.gross_ng),
        "fineness": intake.fineness,
        "tests": [{"method": test.method, "passed": test.passed, "reading": test.reading} for test in intake.tests],
        "photo_digest": intake.photo_digest,
        "drop_off": intake.drop_off,
        "account": intake.account,
    }


def bar(wire: BarWire, asset: Asset, evidence: Evidence) -> Bar:
    """Build a bar, never worth more than its weight allows.

    Errors: VendorFault, Invalid.
    """
    gross_ng = units_from_digits(wire.gross_ng)
    fine = amount(wire.fine_ng, asset)
    if fine.units > gross_ng * wire.fineness // 10_000:
        raise VendorFault("The depository counts more fine metal than a bar can hold.")
    return Bar(
        bar_id=wire.bar_id,
        vault=wire.vault,
        serial=wire.serial,
        refiner=wire.refiner,
        form=wire.form,
        metal=wire.metal,
        gross_ng=gross_ng,
        fineness=wire.fineness,
        fine=fine,
        photo_digest=wire.photo_digest,
        drop_off=wire.drop_off,
        account=wire.account,
        status=wire.status,
        taken_in_at=wire.taken_in_at,
        evidence=evidence,
    )


def line(wire: LineWire, asset: Asset) -> StatementLine:
    """Build a statement line.

    Errors: Invalid.
    """
    return StatementLine(
        sequence=wire.sequence,
        kind=wire.kind,
        flow=wire.flow,
        amount=amount(wire.fine_ng, asset),
        subject=wire.subject,
        reference=wire.reference,
        at=wire.at,
    )
