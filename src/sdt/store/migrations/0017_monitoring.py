"""Monitoring: a frozen copy of the models of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    Check,
    CompositeKey,
    IntegerField,
    Model,
)


def _never_negative(*columns: str) -> list[Any]:
    return [Check(f"{column} >= 0", name=f"{column}_not_negative") for column in columns]


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class Table(Model):
    class Meta:
        legacy_table_names = False


def _index(table: type[Table], name: str, columns: str, *, where: str = "") -> None:
    condition = f" WHERE {where}" if where else ""
    table.add_index(SQL(f"CREATE INDEX {name} ON {table._meta.table_name} ({columns}){condition}"))


class MonitorCursor(Table):
    name = _text(32, primary_key=True)
    position = BigIntegerField()
    mark = _text(66, null=True)

    class Meta:
        table_name = "monitor_cursors"


class MovementDay(Table):
    account = _text(66)
    day = _text(10)
    channel = _text(8)
    direction = _text(3)
    domain = _text(6)
    count = IntegerField()
    cents = BigIntegerField()
    judged = BooleanField()

    class Meta:
        table_name = "movement_days"
        primary_key = CompositeKey("account", "day", "channel", "direction", "domain")
        constraints = _never_negative("count", "cents")


_index(MovementDay, "movement_days_open", "day, account", where="NOT judged")


class Movement(Table):
    seq = BigAutoField()
    transaction_id = _text(36)
    account = _text(66)
    channel = _text(8)
    direction = _text(3)
    domain = _text(6)
    cents = BigIntegerField()
    at_s = BigIntegerField()
    counterparty = _text(42)

    class Meta:
        table_name = "movements"
        indexes: Final = ((("transaction_id", "account", "direction"), True),)
        constraints = _never_negative("cents")


_index(Movement, "movements_pair", "account, counterparty, at_s")
_index(Movement, "movements_account", "account, at_s")


class FindingTable(Table):
    key = _text(200, primary_key=True)
    rule = _text(32)
    pattern = _text(32)
    person = _text(66)
    day = _text(10)
    cents = BigIntegerField()
    count = IntegerField()
    case_id = _text(36, index=True)
    found_at_ms = BigIntegerField()

    class Meta:
        table_name = "findings"


_index(FindingTable, "findings_person", "person, rule")


class PersonAccount(Table):
    person = _text(66)
    account = _text(42, index=True)

    class Meta:
        table_name = "person_accounts"
        primary_key = CompositeKey("person", "account")


class Watched(Table):
    address = _text(42, primary_key=True)
    until = _text(10, null=True)
    act_id = _text(36)
    at_ms = BigIntegerField()

    class Meta:
        table_name = "watched"


class CurrencyDeposit(Table):
    transaction_id = _text(36, primary_key=True)
    deposit_id = _text(64, unique=True)
    account = _text(42)
    token = _text(12)
    units = BigIntegerField()
    by_holder = BooleanField()
    conductor = _text(66)
    conductor_sealed = BlobField()
    counted_at_s = BigIntegerField()

    class Meta:
        table_name = "currency_deposits"
        constraints: Final = [Check("units > 0", name="units_positive")]


_index(CurrencyDeposit, "currency_deposits_account", "account, counted_at_s")
_index(CurrencyDeposit, "currency_deposits_conductor", "conductor, counted_at_s")


class TravelRecord(Table):
    transaction_id = _text(36, primary_key=True)
    payer = _text(42)
    payee = _text(42)
    token = _text(12)
    units = BigIntegerField()
    cents = BigIntegerField()
    at_s = BigIntegerField()
    payer_sealed = BlobField(null=True)
    payee_sealed = BlobField(null=True)
    keep_until = _text(10)
    sealed = BooleanField()

    class Meta:
        table_name = "travel_records"


_index(TravelRecord, "travel_records_at", "at_s")
_index(TravelRecord, "travel_records_keep", "keep_until")
_index(TravelRecord, "travel_records_open", "at_s", where="NOT sealed")

TABLES: Final[list[Any]] = [
    MonitorCursor,
    MovementDay,
    Movement,
    FindingTable,
    PersonAccount,
    Watched,
    CurrencyDeposit,
    TravelRecord,
]


def up(migrator: Any, db: Any) -> None:
    """Create the tables and their indexes."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop them."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
