"""The officers' acts: a frozen copy of the models of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigAutoField, BigIntegerField, BlobField, CharField, Model, TextField


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class OfficeAct(Model):
    seq = BigAutoField()
    id = _text(36, unique=True)
    type = _text(32)
    status = _text(8)
    kid = _text(43)
    subject = _text(128)
    digest = BlobField(unique=True)
    raw_act = BlobField(column_name="raw")
    issued_at_s = BigIntegerField()
    received_at_ms = BigIntegerField()
    updated_at_ms = BigIntegerField()
    second_kid = _text(43, null=True)
    second_act = _text(36, null=True)
    result = TextField(default="{}")

    class Meta:
        legacy_table_names = False
        table_name = "office_acts"


for name, columns in (
    ("office_acts_waiting", "(seq) WHERE status = 'waiting'"),
    ("office_acts_type", "(type, seq)"),
    ("office_acts_subject", "(subject, seq) WHERE subject <> ''"),
):
    OfficeAct.add_index(SQL(f"CREATE INDEX {name} ON office_acts {columns}"))

TABLES: Final[list[Any]] = [OfficeAct]


def up(migrator: Any, db: Any) -> None:
    """Create the table and its indexes."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop it."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
