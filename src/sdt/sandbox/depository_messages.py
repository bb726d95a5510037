"""What the sandbox depository is asked and what it answers; weights are digit strings of nanograms."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sdt.sandbox.fields import Account, Digest, Name, Reference, Slug, Units

Metal = Literal["XAU", "XAG"]
BarId = Annotated[str, Meta(pattern=r"^bar_[0-9a-f]{24}\Z")]


class Vault(Struct, frozen=True, forbid_unknown_fields=True):
    """Open a vault for one metal."""

    vault: Slug
    metal: Metal


class Test(Struct, frozen=True, forbid_unknown_fields=True):
    """One test of a bar."""

    method: Literal["weight", "dimensions", "ultrasound", "conductivity", "xrf", "fire_assay"]
    passed: bool
    reading: Name


class Intake(Struct, frozen=True, forbid_unknown_fields=True):
    """A bar at the counter; `fineness` in parts per ten thousand."""

    vault: Slug
    serial: Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}\Z")]
    refiner: Name
    form: Literal["kilobar", "100_oz", "other"]
    metal: Metal
    gross_ng: Units
    fineness: Annotated[int, Meta(ge=9000, le=9999)]
    tests: Annotated[tuple[Test, ...], Meta(min_length=3, max_length=3)]
    photo_digest: Digest
    drop_off: Reference
    account: Account


class Order(Struct, frozen=True, forbid_unknown_fields=True):
    """Bars that are to leave, for whom."""

    vault: Slug
    bar_ids: Annotated[tuple[BarId, ...], Meta(min_length=1, max_length=100)]
    account: Account
    reference: Reference


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object."""


class Loss(Struct, frozen=True, forbid_unknown_fields=True):
    """A bar that is not where it should be, and what the clerk says of it."""

    reason: Name


class Reassay(Struct, frozen=True, forbid_unknown_fields=True):
    """What a new assay found; in parts per ten thousand."""

    fineness: Annotated[int, Meta(ge=0, le=9999)]


class Silence(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long a vault signs no holding statement."""

    seconds: Annotated[int, Meta(ge=0, le=3600)]


class SilenceAnswer(Struct, frozen=True):
    """Until when."""

    vault: str
    until: str


class BarAnswer(Struct, frozen=True):
    """A bar; `fine_ng` is what it counts for."""

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
    status: str
    taken_in_at: str


class InventoryAnswer(Struct, frozen=True):
    """A page of bars; `next_after` asks for the next."""

    bars: tuple[BarAnswer, ...]
    next_after: int | None


class Held(Struct, frozen=True):
    """A bar as a holding statement names it."""

    bar_id: str
    serial: str
    refiner: str
    fine_ng: str
    status: str


class HoldingAnswer(Struct, frozen=True):
    """Everything a vault holds now."""

    vault: str
    metal: str
    fine_ng: str
    bar_count: int
    as_of: str
    last_sequence: int
    bars: tuple[Held, ...]


class OrderAnswer(Struct, frozen=True):
    """A redemption order."""

    order_id: str
    vault: str
    metal: str
    bar_ids: tuple[str, ...]
    fine_ng: str
    account: str
    reference: str
    status: str


class VaultLine(Struct, frozen=True):
    """One movement of a vault."""

    sequence: int
    kind: str
    flow: str
    fine_ng: str
    subject: str
    reference: str
    at: str


class VaultStatement(Struct, frozen=True):
    """A vault's fine weight now, and lines after a number."""

    vault: str
    metal: str
    balance_ng: str
    as_of: str
    last_sequence: int
    lines: tuple[VaultLine, ...]
    more: bool


class VaultAnswer(Struct, frozen=True):
    """An open vault."""

    vault: str
    metal: str
