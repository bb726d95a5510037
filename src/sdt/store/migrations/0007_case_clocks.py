"""When a case's report is due, what was filed, and what it stands on: a frozen copy of the models of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigAutoField, BigIntegerField, CharField, Model


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class CaseEvidence(Model):
    seq = BigAutoField()
    case_id = _text(36)
    kind = _text(16)
    reference = _text(128)
    added_by = _text(64)
    at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "case_evidence"
        indexes: Final = ((("case_id", "kind", "reference"), True),)


COLUMNS: Final = (("due_on", 10), ("filed_on", 10), ("confirmation", 64))
INDEXES: Final = (
    ("cases_opened", "(opened_at_ms, id)"),
    ("cases_due", "(due_on) WHERE due_on IS NOT NULL"),
)


def up(migrator: Any, db: Any) -> None:
    """Add the columns, their indexes and the table."""
    migrator.migrate(*(migrator.add_column("cases", name, _text(length, null=True)) for name, length in COLUMNS))
    for name, columns in INDEXES:
        db.execute(SQL(f"CREATE INDEX {name} ON cases {columns}"))
    with db.bind_ctx([CaseEvidence], bind_refs=False, bind_backrefs=False):
        db.create_tables([CaseEvidence], safe=False)


def down(migrator: Any, db: Any) -> None:
    """Take them away again."""
    with db.bind_ctx([CaseEvidence], bind_refs=False, bind_backrefs=False):
        db.drop_tables([CaseEvidence])
    for name, _ in INDEXES:
        db.execute(SQL(f"DROP INDEX {name}"))
    migrator.migrate(*(migrator.drop_column("cases", name) for name, _ in COLUMNS))
