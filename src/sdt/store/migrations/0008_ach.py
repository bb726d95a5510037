"""ACH: entries, files and what comes back: a frozen copy of the models of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigIntegerField, BlobField, BooleanField, CharField, Check, IntegerField, Model, TextField


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


def _never_negative(*columns: str) -> list[Any]:
    return [Check(f"{column} >= 0", name=f"{column}_not_negative") for column in columns]


class AchEntry(Model):
    id = _text(96, primary_key=True)
    purpose = _text(12)
    bank_ref = _text(72)
    account = _text(42)
    token = _text(12)
    is_credit = BooleanField()
    units = BigIntegerField()
    sec_code = _text(3)
    same_day = BooleanField()
    reference = _text(36)
    created_at_ms = BigIntegerField()
    stage = _text(8)
    status = _text(16, null=True)
    file_name = _text(48, null=True)
    batch = IntegerField(null=True)
    trace = _text(15, null=True)
    effective_on = _text(10, null=True)
    follow_at = _text(16, null=True)
    settled_on = _text(10, null=True)
    returned_on = _text(10, null=True)
    return_code = _text(3, null=True)

    class Meta:
        legacy_table_names = False
        table_name = "ach_entries"
        constraints: Final = [
            *_never_negative("units"),
            Check("stage IN ('wanted', 'in_file', 'refused')", name="ach_stage_known"),
        ]


class AchFile(Model):
    name = _text(48, primary_key=True)
    token = _text(12)
    made_on = _text(10)
    modifier = _text(1)
    status = _text(16)
    digest = _text(64, unique=True)
    data_sealed = BlobField()
    entry_count = IntegerField()
    entry_hash = _text(10)
    debit_units = BigIntegerField()
    credit_units = BigIntegerField()
    tries = IntegerField(default=0)
    code = _text(64, null=True)
    made_at_ms = BigIntegerField()
    delivered_at_ms = BigIntegerField(null=True)
    updated_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "ach_files"
        indexes: Final = ((("made_on", "modifier"), True), (("status",), False))
        constraints: Final = _never_negative("debit_units", "credit_units")


class AchInbound(Model):
    digest = _text(64, primary_key=True)
    name = _text(64)
    kind = _text(16)
    status = _text(16)
    day = _text(10)
    records = IntegerField(default=0)
    unmatched = IntegerField(default=0)
    detail = TextField(default="")
    data_sealed = BlobField()
    read_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "ach_inbound"
        indexes: Final = ((("kind", "day"), False), (("read_at_ms",), False))


class AchInboundName(Model):
    name = _text(64, primary_key=True)
    digest = _text(64)
    read_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "ach_inbound_names"


class AchRecord(Model):
    record = _text(48, primary_key=True)
    digest = _text(64, index=True)
    kind = _text(12)
    code = _text(3)
    trace = _text(15)
    entry_id = _text(96, null=True)
    units = BigIntegerField()
    day = _text(10)
    read_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "ach_records"


class AchCounter(Model):
    name = _text(48, primary_key=True)
    value = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "ach_counters"


class BankVerification(Model):
    bank_ref = _text(72, primary_key=True)
    method = _text(8)
    round = IntegerField(default=1)
    attempts = IntegerField(default=0)
    updated_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "bank_verifications"


for table, name, columns in (
    (AchEntry, "ach_entries_wanted", "(token, created_at_ms, id) WHERE stage = 'wanted'"),
    (AchEntry, "ach_entries_trace", "(trace) WHERE trace IS NOT NULL"),
    (AchEntry, "ach_entries_file", "(file_name, trace) WHERE file_name IS NOT NULL"),
    (AchEntry, "ach_entries_follow", "(follow_at) WHERE follow_at IS NOT NULL"),
    (AchEntry, "ach_entries_bank_ref", "(bank_ref, created_at_ms)"),
    (AchEntry, "ach_entries_settled", "(settled_on) WHERE settled_on IS NOT NULL"),
    (AchEntry, "ach_entries_returned", "(returned_on) WHERE returned_on IS NOT NULL"),
    (AchRecord, "ach_records_entry", "(entry_id) WHERE entry_id IS NOT NULL"),
):
    table.add_index(SQL(f"CREATE INDEX {name} ON {table._meta.table_name} {columns}"))

TABLES: Final[list[Any]] = [AchEntry, AchFile, AchInbound, AchInboundName, AchRecord, AchCounter, BankVerification]


def up(migrator: Any, db: Any) -> None:
    """Create the tables and their indexes."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop them."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
