"""The tables of the officers' acts: their exact bytes, and what came of them."""

from __future__ import annotations

from typing import Final

from peewee import BigAutoField, BigIntegerField, BlobField, TextField

from sdt.store.tables.columns import Table, index, text

__all__ = ["TABLES"]


class OfficeAct(Table):
    """One signed act. `second_act` is the act that agreed or declined; `result` is JSON."""

    seq = BigAutoField()
    id = text(36, unique=True)
    type = text(32)
    status = text(8)
    kid = text(43)
    subject = text(128)
    digest = BlobField(unique=True)
    raw_act = BlobField(column_name="raw")
    issued_at_s = BigIntegerField()
    received_at_ms = BigIntegerField()
    updated_at_ms = BigIntegerField()
    second_kid = text(43, null=True)
    second_act = text(36, null=True)
    result = TextField(default="{}")

    class Meta:
        table_name = "office_acts"


index(OfficeAct, "office_acts_waiting", "seq", where="status = 'waiting'")
index(OfficeAct, "office_acts_type", "type, seq")
index(OfficeAct, "office_acts_subject", "subject, seq", where="subject <> ''")


class KeyHolder(Table):
    """Which person holds an official's key: their personnel number, and the act that said so."""

    kid = text(43, primary_key=True)
    holder = text(40, index=True)
    act_id = text(36)
    named_at_ms = BigIntegerField()

    class Meta:
        table_name = "key_holders"


TABLES: Final[tuple[type[Table], ...]] = (OfficeAct, KeyHolder)
