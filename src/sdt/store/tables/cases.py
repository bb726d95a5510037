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
    due_on = text(10, null=True)
    filed_on = text(10, null=True)
    confirmation = text(64, null=True)

    class Meta:
        table_name = "cases"
        indexes: Final = ((("kind", "key"), True),)


index(Case, "cases_status", "status, opened_at_ms")
index(Case, "cases_account", "account", where="account IS NOT NULL")
index(Case, "cases_transaction", "transaction_id", where="transaction_id IS NOT NULL")
index(Case, "cases_opened", "opened_at_ms, id")
index(Case, "cases_due", "due_on", where="due_on IS NOT NULL")


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


class CaseEvidence(Table):
    """What a case stands on: a transaction, a case, a listed entry, a document by its digest. Linked once."""

    seq = BigAutoField()
    case_id = text(36)
    kind = text(16)
    reference = text(128)
    added_by = text(64)
    at_ms = BigIntegerField()

    class Meta:
        table_name = "case_evidence"
        indexes: Final = ((("case_id", "kind", "reference"), True),)


TABLES: Final[tuple[type[Table], ...]] = (Case, CaseEvent, CaseEvidence)
