"""The officers' cases: a frozen copy of the models of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigAutoField, BigIntegerField, BooleanField, CharField, Model, TextField


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class Case(Model):
    id = _text(36, primary_key=True)
    kind = _text(32)
    key = _text(200)
    account = _text(42, null=True)
    transaction_id = _text(36, null=True)
    status = _text(16)
    detected_on = _text(10)
    suspect_known = BooleanField()
    officer = _text(43, null=True)
    decision = _text(16, null=True)
    reason = TextField(default="")
    second_officer = _text(43, null=True)
    facts = TextField()
    opened_at_ms = BigIntegerField()
    updated_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "cases"
        indexes: Final = ((("kind", "key"), True),)


class CaseEvent(Model):
    seq = BigAutoField()
    case_id = _text(36, index=True)
    event = _text(24)
    actor = _text(64)
    detail = TextField(null=True)
    at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "case_events"


for name, columns in (
    ("cases_status", "(status, opened_at_ms)"),
    ("cases_account", "(account) WHERE account IS NOT NULL"),
    ("cases_transaction", "(transaction_id) WHERE transaction_id IS NOT NULL"),
):
    Case.add_index(SQL(f"CREATE INDEX {name} ON cases {columns}"))

TABLES: Final[list[Any]] = [Case, CaseEvent]


def up(migrator: Any, db: Any) -> None:
    """Create the tables and their indexes."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop them."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
