"""The tables of the officers' cases: what was found about whom, and what was decided."""

from __future__ import annotations

from typing import Final

from peewee import BigAutoField, BigIntegerField, BooleanField, TextField

from sdt.store.tables.columns import Table, index, text

__all__ = ["TABLES"]


class Case(Table):
    """One case. The same kind and key is the same case, however often it is found. `facts` is JSON."""

    id = text(36, primary_key=True)
    kind = text(32)
    key = text(200)
    account = text(42, null=True)
    transaction_id = text(36, null=True)
    status = text(16)
    detected_on = text(10)
    suspect_known = BooleanField()
    officer = text(43, null=True)
    decision = text(16, null=True)
    reason = TextField(default="")
    second_officer = text(43, null=True)
    facts = TextField()
    opened_at_ms = BigIntegerField()
    updated_at_ms = BigIntegerField()

    class Meta:
        table_name = "cases"
        indexes: Final = ((("kind", "key"), True),)


index(Case, "cases_status", "status, opened_at_ms")
index(Case, "cases_account", "account", where="account IS NOT NULL")
index(Case, "cases_transaction", "transaction_id", where="transaction_id IS NOT NULL")


class CaseEvent(Table):
    """One thing that happened to a case; appended, never changed."""

    seq = BigAutoField()
    case_id = text(36, index=True)
    event = text(24)
    actor = text(64)
    detail = TextField(null=True)
    at_ms = BigIntegerField()

    class Meta:
        table_name = "case_events"


TABLES: Final[tuple[type[Table], ...]] = (Case, CaseEvent)
