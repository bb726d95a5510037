"""The tables of monitoring: what moved on which day, what was noticed, and what is recorded of who paid whom.

All of it is for the compliance role. Names and addresses in here are sealed; `person` is a keyed digest.
"""

from __future__ import annotations

from typing import Final

from peewee import BigAutoField, BigIntegerField, BlobField, BooleanField, Check, CompositeKey, IntegerField

from sdt.store.tables.columns import Table, index, never_negative, text

__all__ = ["TABLES"]


class MonitorCursor(Table):
    """How far a part of monitoring has read, so that it goes on there after whatever happens."""

    name = text(32, primary_key=True)
    position = BigIntegerField()
    mark = text(66, null=True)

    class Meta:
        table_name = "monitor_cursors"


class MovementDay(Table):
    """What one account moved by one way on one business day. `judged` once the whole day was looked at."""

    account = text(66)
    day = text(10)
    channel = text(8)
    direction = text(3)
    domain = text(6)
    count = IntegerField()
    cents = BigIntegerField()
    judged = BooleanField()

    class Meta:
        table_name = "movement_days"
        primary_key = CompositeKey("account", "day", "channel", "direction", "domain")
        constraints = never_negative("count", "cents")


index(MovementDay, "movement_days_open", "day, account", where="NOT judged")


class Movement(Table):
    """A movement that a rule over single movements may need again: the larger ones, and all currency."""

    seq = BigAutoField()
    transaction_id = text(36)
    account = text(66)
    channel = text(8)
    direction = text(3)
    domain = text(6)
    cents = BigIntegerField()
    at_s = BigIntegerField()
    counterparty = text(42)

    class Meta:
        table_name = "movements"
        indexes: Final = ((("transaction_id", "account", "direction"), True),)
        constraints = never_negative("cents")


index(Movement, "movements_pair", "account, counterparty, at_s")
index(Movement, "movements_account", "account, at_s")


class FindingTable(Table):
    """A pattern that was noticed: once, however often it is looked for."""

    key = text(200, primary_key=True)
    rule = text(32)
    pattern = text(32)
    person = text(66)
    day = text(10)
    cents = BigIntegerField()
    count = IntegerField()
    case_id = text(36, index=True)
    found_at_ms = BigIntegerField()

    class Meta:
        table_name = "findings"


index(FindingTable, "findings_person", "person, rule")


class PersonAccount(Table):
    """An account that a person holds, or acts for as a business's control person or owner."""

    person = text(66)
    account = text(42, index=True)

    class Meta:
        table_name = "person_accounts"
        primary_key = CompositeKey("person", "account")


class Watched(Table):
    """An address whose every movement is looked at, by an officer's act."""

    address = text(42, primary_key=True)
    until = text(10, null=True)
    act_id = text(36)
    at_ms = BigIntegerField()

    class Meta:
        table_name = "watched"


class CurrencyDeposit(Table):
    """Currency counted for a deposit, and who handed it in: sealed with the key of the account's holder."""

    transaction_id = text(36, primary_key=True)
    deposit_id = text(64, unique=True)
    account = text(42)
    token = text(12)
    units = BigIntegerField()
    by_holder = BooleanField()
    conductor = text(66)
    conductor_sealed = BlobField()
    counted_at_s = BigIntegerField()

    class Meta:
        table_name = "currency_deposits"
        constraints: Final = [Check("units > 0", name="units_positive")]


index(CurrencyDeposit, "currency_deposits_account", "account, counted_at_s")
index(CurrencyDeposit, "currency_deposits_conductor", "conductor, counted_at_s")


class TravelRecord(Table):
    """Who paid whom, of a payment that the law wants recorded: each party sealed with that party's key.

    `sealed` once both parties were looked up; a party that was erased before leaves nothing.
    """

    transaction_id = text(36, primary_key=True)
    payer = text(42)
    payee = text(42)
    token = text(12)
    units = BigIntegerField()
    cents = BigIntegerField()
    at_s = BigIntegerField()
    payer_sealed = BlobField(null=True)
    payee_sealed = BlobField(null=True)
    keep_until = text(10)
    sealed = BooleanField()

    class Meta:
        table_name = "travel_records"


index(TravelRecord, "travel_records_at", "at_s")
index(TravelRecord, "travel_records_keep", "keep_until")
index(TravelRecord, "travel_records_open", "at_s", where="NOT sealed")

TABLES: Final[tuple[type[Table], ...]] = (
    MonitorCursor,
    MovementDay,
    Movement,
    FindingTable,
    PersonAccount,
    Watched,
    CurrencyDeposit,
    TravelRecord,
)
