"""The tables about people: their keys, identity checks and documents, and the orders that keep them.

What is sealed with a person's key stands where it belongs (users, bank accounts, files of documents).
"""

from __future__ import annotations

from typing import Final

from peewee import BigAutoField, BigIntegerField, BlobField, BooleanField, CompositeKey, IntegerField, TextField

from sdt.store.tables.columns import Table, text

__all__ = ["TABLES"]


class PersonKey(Table):
    """The key that everything about one user is sealed with, itself wrapped. Erased: the row stays, the key is gone."""

    user_id = text(36, primary_key=True)
    wrapped = BlobField(null=True)
    created_at_ms = BigIntegerField()
    erased_at_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "person_keys"


class FormerParty(Table):
    """Whom an account's record named before, its nth, sealed as it was. Erased: the row stays, empty."""

    account = text(42)
    n = IntegerField()
    round = IntegerField()
    sealed = BlobField(null=True)
    passed = BooleanField()
    kept_at_ms = BigIntegerField()

    class Meta:
        table_name = "former_parties"
        primary_key = CompositeKey("account", "n")


class Examination(Table):
    """The identity check of one account as it stands: what the vendor found, or two officers decided.

    Application, status and reasons are the user's own columns; here is the rest. `subjects` is JSON and names nobody.
    """

    account = text(42, primary_key=True)
    round = IntegerField()
    attempts_left = IntegerField()
    tier = IntegerField()
    resident = BooleanField(null=True)
    residency = text(24)
    residency_reasons = TextField()
    subjects = TextField()
    decided_at_s = BigIntegerField(null=True)
    expires_at_s = BigIntegerField(null=True)
    decision_act = text(36, null=True)
    updated_at_ms = BigIntegerField()

    class Meta:
        table_name = "examinations"


class Document(Table):
    """A document somebody handed in. Its content is a sealed file of this id; `digest` is that of the plain bytes."""

    id = text(36, primary_key=True)
    account = text(42, index=True)
    kind = text(16)
    subject = text(16)
    media_type = text(32)
    size_bytes = IntegerField()
    digest = text(64)
    round = IntegerField()
    forwarded = BooleanField()
    received_at_ms = BigIntegerField()

    class Meta:
        table_name = "documents"


class LegalHold(Table):
    """An order that forbids to erase what is known of an account, until it is lifted."""

    id = text(36, primary_key=True)
    account = text(42, index=True)
    order_number = text(80)
    authority = text(80)
    placed_by = text(43)
    placed_at_ms = BigIntegerField()
    lifted_act = text(36, null=True)
    lifted_at_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "legal_holds"


class HandleGrant(Table):
    """Two officers' leave for one account to take a handle that passes for an office."""

    handle = text(32, primary_key=True)
    account = text(42)
    act_id = text(36)
    granted_at_ms = BigIntegerField()

    class Meta:
        table_name = "handle_grants"


class PersonalRead(Table):
    """An officer looked at what is known of a person: whose key, at what, when. Written before it is shown."""

    seq = BigAutoField()
    account = text(42, index=True)
    kid = text(43)
    what = text(48)
    at_ms = BigIntegerField()

    class Meta:
        table_name = "personal_reads"


TABLES: Final[tuple[type[Table], ...]] = (
    PersonKey,
    FormerParty,
    Examination,
    Document,
    LegalHold,
    HandleGrant,
    PersonalRead,
)
