"""Money at the bank: a frozen copy of the models of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigIntegerField, CharField, Check, CompositeKey, IntegerField, Model


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class EntryFact(Model):
    entry_id = _text(96)
    event = _text(16)
    code = _text(16, null=True)
    on_day = _text(10)
    at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "entry_facts"
        primary_key = CompositeKey("entry_id", "event")
        indexes: Final = ((("event", "on_day"), False),)


class StatementLine(Model):
    account = _text(64)
    sequence = BigIntegerField()
    kind = _text(16)
    flow = _text(4)
    units = BigIntegerField()
    subject = _text(64)
    reference = _text(64)
    at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "statement_lines"
        primary_key = CompositeKey("account", "sequence")
        indexes: Final = ((("reference",), False),)
        constraints: Final = [
            Check("units > 0", name="units_positive"),
            Check("flow IN ('in', 'out')", name="flow_known"),
        ]


class ReserveMove(Model):
    transaction_id = _text(36)
    direction = _text(8)
    nth = IntegerField()
    token = _text(12)
    units = BigIntegerField()
    reason = _text(24)
    wanted_at_ms = BigIntegerField()
    done_at_ms = BigIntegerField(null=True)
    subject = _text(64, null=True)

    class Meta:
        legacy_table_names = False
        table_name = "reserve_moves"
        primary_key = CompositeKey("transaction_id", "direction", "nth")
        constraints: Final = [
            Check("units > 0", name="units_positive"),
            Check("direction IN ('in', 'out', 'blocked')", name="direction_known"),
        ]


class Undone(Model):
    transaction_id = _text(36, primary_key=True)
    kind = _text(8)
    account = _text(42)
    token = _text(12)
    units = BigIntegerField()
    code = _text(16, null=True)
    opened_at_ms = BigIntegerField()
    ended_at_ms = BigIntegerField(null=True)

    class Meta:
        legacy_table_names = False
        table_name = "undone"
        constraints: Final = [
            Check("units > 0", name="units_positive"),
            Check("kind IN ('debt', 'payout')", name="kind_known"),
        ]


class BlockedFunds(Model):
    transaction_id = _text(36, primary_key=True)
    account = _text(42)
    token = _text(12)
    units = BigIntegerField()
    side = _text(8)
    reference = _text(80)
    blocked_at_ms = BigIntegerField()
    ended_at_ms = BigIntegerField(null=True)

    class Meta:
        legacy_table_names = False
        table_name = "blocked_funds"
        constraints: Final = [
            Check("units > 0", name="units_positive"),
            Check("side IN ('deposit', 'payout')", name="side_known"),
        ]


for table, name, columns in (
    (ReserveMove, "reserve_moves_open", "(token, wanted_at_ms) WHERE done_at_ms IS NULL"),
    (Undone, "undone_accounts", "(account) WHERE ended_at_ms IS NULL"),
    (Undone, "undone_open", "(token, opened_at_ms) WHERE ended_at_ms IS NULL"),
):
    table.add_index(SQL(f"CREATE INDEX {name} ON {table._meta.table_name} {columns}"))

TABLES: Final[list[Any]] = [EntryFact, StatementLine, ReserveMove, Undone, BlockedFunds]


def up(migrator: Any, db: Any) -> None:
    """Create the tables and their indexes."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop them."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
