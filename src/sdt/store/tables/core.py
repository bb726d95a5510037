"""The tables of accounts, transactions, books and batches.

Queries on hot paths are plain SQL over these names; the others use the models. Models are bound to no
database: a query is executed on the store it is given. Amounts are integers of the smallest unit.
"""

from __future__ import annotations

from typing import Final

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    Check,
    CompositeKey,
    IntegerField,
    TextField,
)

from sdt.domain.transaction import FINAL, Status
from sdt.store.tables.columns import Table, index, never_negative, text

__all__ = ["LIVE", "TABLES", "UNFINISHED"]

_ENDED_OR_IN_A_BATCH: Final = FINAL | {Status.REQUESTED, Status.BATCHED}
LIVE: Final = "status IN ({})".format(", ".join(f"'{one}'" for one in Status if one not in _ENDED_OR_IN_A_BATCH))
"""Condition of the partial index on `status`: a query that repeats it word for word is served by it.

What is in a batch is not among them, since its row stays `batched` when the batch is final (see `store.standing`).
"""

UNFINISHED: Final = "status IN ('formed', 'signed', 'sent', 'included')"
"""Condition of the partial index on the batches that are neither final nor void."""


class Transaction(Table):
    """One signed message and where it stands."""

    seq = BigAutoField()
    id = text(36, unique=True)
    type = text(32)
    status = text(16)
    administrative = BooleanField()
    kid = text(43)
    account = text(42, null=True)
    counterparty = text(42, null=True)
    token = text(12, null=True)
    units = BigIntegerField()
    fee_units = BigIntegerField()
    held_units = BigIntegerField(default=0)
    digest = BlobField()
    raw_message = BlobField(column_name="raw")
    issued_at_s = BigIntegerField()
    expires_at_s = BigIntegerField()
    accepted_at_ms = BigIntegerField()
    updated_at_ms = BigIntegerField()
    queued_at_ms = BigIntegerField(null=True)
    batch_number = BigIntegerField(null=True)
    position = IntegerField(null=True)
    linked_id = text(36, null=True)
    code = text(64, null=True)
    detail = TextField(null=True)
    rule = text(128, null=True)
    statute = TextField(null=True)
    effective = text(10, null=True)

    class Meta:
        table_name = "transactions"
        constraints = never_negative("units", "fee_units", "held_units")


index(Transaction, "transactions_live", "status, seq", where=LIVE)
index(Transaction, "transactions_account", "account, seq")
index(Transaction, "transactions_counterparty", "counterparty, seq", where="counterparty IS NOT NULL")
index(Transaction, "transactions_batch", "batch_number, position", where="batch_number IS NOT NULL")
index(Transaction, "transactions_linked", "linked_id", where="linked_id IS NOT NULL")
index(Transaction, "transactions_digest", "digest", where="type <> 'transfer'")


class User(Table):
    """One person or business of the region. What identifies them is sealed by the caller."""

    user_id = text(36, primary_key=True)
    account = text(42, unique=True)
    handle = text(32, unique=True)
    residency = text(6)
    created_at_ms = BigIntegerField()
    registered = BooleanField(default=False)
    person_sealed = BlobField(null=True)
    kyc_application = text(64, null=True)
    kyc_status = text(32, null=True)
    kyc_reasons = TextField(default="[]")
    skeleton = text(64, null=True)
    standing = text(8, null=True)

    class Meta:
        table_name = "users"


index(User, "users_kyc_application", "kyc_application", where="kyc_application IS NOT NULL", unique=True)
index(User, "users_skeleton", "skeleton", where="skeleton IS NOT NULL", unique=True)


class Key(Table):
    """A key as the chain's registry has it. `change` grows with every write, for caches to follow."""

    kid = text(43, primary_key=True)
    public_key = BlobField()
    account = text(42, null=True, index=True)
    roles = IntegerField()
    scope = IntegerField()
    status = text(16)
    expires_at_s = BigIntegerField()
    registered_by = text(36, null=True)
    change = BigIntegerField(unique=True)

    class Meta:
        table_name = "keys"


class Identity(Table):
    """What a KYC desk attested of an account for one domain, as settled on chain."""

    account = text(42)
    domain = text(16)
    tier = IntegerField()
    resident = BooleanField()
    expires_at_s = BigIntegerField()

    class Meta:
        table_name = "identities"
        primary_key = CompositeKey("account", "domain")


class Freeze(Table):
    """An order that stops an account in one token, as settled on chain."""

    account = text(42)
    token = text(12)
    order_digest = BlobField()
    expires_at_s = BigIntegerField()

    class Meta:
        table_name = "freezes"
        primary_key = CompositeKey("account", "token")


class LedgerAccount(Table):
    """Debits and credits of one account, and what is held of it. A user's account is never overdrawn."""

    name = text(96, primary_key=True)
    token = text(12)
    address = text(42, null=True)
    debits = BigIntegerField(default=0)
    credits = BigIntegerField(default=0)
    held = BigIntegerField(default=0)

    class Meta:
        table_name = "ledger_accounts"
        constraints: Final = [
            *never_negative("debits", "credits", "held"),
            Check("address IS NULL OR credits - debits - held >= 0", name="not_overdrawn"),
        ]


index(LedgerAccount, "ledger_accounts_address", "address", where="address IS NOT NULL")
index(LedgerAccount, "ledger_accounts_token", "token", where="address IS NOT NULL")


class Posting(Table):
    """One movement between two accounts: posted, never changed."""

    id = BigAutoField()
    transaction_id = text(36, index=True)
    debit = text(96)
    credit = text(96)
    token = text(12)
    units = BigIntegerField()
    at_ms = BigIntegerField()

    class Meta:
        table_name = "postings"
        constraints: Final = [Check("units > 0", name="units_positive")]


class Batch(Table):
    """One numbered chain transaction. A voided number may be formed again."""

    id = BigAutoField()
    number = BigIntegerField()
    kind = text(8)
    status = text(8)
    parent = BlobField()
    head = BlobField(null=True)
    root = BlobField(null=True)
    deadline_s = BigIntegerField()
    nonce = BigIntegerField(null=True)
    gas = BigIntegerField(null=True)
    count = IntegerField()
    skipped_count = IntegerField(default=0)
    chain_tx_hash = BlobField(null=True)
    raw_tx = BlobField(null=True)
    block_number = BigIntegerField(null=True)
    block_hash = BlobField(null=True)
    formed_at_ms = BigIntegerField()
    final_at_ms = BigIntegerField(null=True)
    signed_at_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "batches"
        constraints: Final = [
            Check("count > 0", name="count_positive"),
            Check("skipped_count >= 0 AND skipped_count <= count", name="skipped_within_count"),
            Check("kind IN ('value', 'admin')", name="kind_known"),
        ]


index(Batch, "batches_number", "number", where="status <> 'void'", unique=True)
index(Batch, "batches_unfinished", "number", where=UNFINISHED)


class Lane(Table):
    """Where the settlement process of one chain key stands."""

    name = text(64, primary_key=True)
    next_nonce = BigIntegerField(default=0)
    followed_block_number = BigIntegerField(null=True)
    followed_block_hash = BlobField(null=True)

    class Meta:
        table_name = "lane"


class Outbox(Table):
    """What must be told to others, written in the same commit as the reason for it."""

    id = BigAutoField()
    topic = text(32)
    key = text(128)
    payload = TextField()
    due_at_ms = BigIntegerField()
    attempts = IntegerField(default=0)
    last_error = TextField(null=True)
    done_at_ms = BigIntegerField(null=True)
    failed_since_ms = BigIntegerField(null=True)
    dead_at_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "outbox"
        indexes: Final = ((("topic", "key"), True),)


index(Outbox, "outbox_due", "topic, due_at_ms", where="done_at_ms IS NULL")


class EventRecord(Table):
    """One change of one transaction's status; appended, never changed."""

    seq = BigAutoField()
    transaction_id = text(36, index=True)
    event = text(16)
    status = text(16)
    at_ms = BigIntegerField()
    actor = text(64)
    detail = TextField(null=True)

    class Meta:
        table_name = "events"


class EventSeal(Table):
    """A digest over a run of events and the seal before it: nothing sealed can change unnoticed."""

    seq = BigAutoField()
    first_event = BigIntegerField(unique=True)
    last_event = BigIntegerField(unique=True)
    digest = BlobField()
    previous = BlobField()
    sealed_at_ms = BigIntegerField()

    class Meta:
        table_name = "event_seals"


class BankAccount(Table):
    """A linked bank account: an opaque reference, a mask to show, the rest sealed by the caller."""

    ref = text(72, primary_key=True)
    user_id = text(36, index=True)
    account = text(42)
    details_sealed = BlobField()
    mask = text(16)
    status = text(16)
    created_at_ms = BigIntegerField()

    class Meta:
        table_name = "bank_accounts"


class BankEntry(Table):
    """What bank or vault did for one transaction, and where that stands."""

    id = text(96, primary_key=True)
    transaction_id = text(36)
    direction = text(8)
    token = text(12)
    units = BigIntegerField()
    external_id = text(64, null=True)
    status = text(16)
    code = text(16, null=True)
    updated_at_ms = BigIntegerField()

    class Meta:
        table_name = "bank_entries"
        indexes: Final = ((("transaction_id",), False), (("status",), False))
        constraints: Final = [
            Check("units > 0", name="units_positive"),
            Check("direction IN ('debit', 'credit', 'book', 'in', 'out')", name="direction_known"),
        ]


index(BankEntry, "bank_entries_external", "external_id", where="external_id IS NOT NULL")
# What came back may be paid again, by an entry of its own; a deposit comes in once.
index(BankEntry, "bank_entries_once", "transaction_id, direction", where="direction <> 'credit'", unique=True)


class Reserve(Table):
    """What stands behind one token, as settled on chain. What flowed since the attestation is in the flows."""

    token = text(12, primary_key=True)
    attested = BigIntegerField()
    as_of_s = BigIntegerField()
    valid_until_s = BigIntegerField()
    attested_sequence = BigIntegerField()

    class Meta:
        table_name = "reserves"
        constraints = never_negative("attested")


class ReserveFlow(Table):
    """What was funded or released under one number; used once."""

    token = text(12)
    sequence = BigIntegerField()
    funded = BigIntegerField()
    released = BigIntegerField()

    class Meta:
        table_name = "reserve_flows"
        primary_key = CompositeKey("token", "sequence")
        constraints = never_negative("funded", "released")


class ProofSeen(Table):
    """The id of a read proof that was accepted: never accepted twice."""

    jti = text(64, primary_key=True)
    expires_at_s = BigIntegerField(index=True)

    class Meta:
        table_name = "proofs_seen"


TABLES: Final[tuple[type[Table], ...]] = (
    Transaction,
    User,
    Key,
    Identity,
    Freeze,
    LedgerAccount,
    Posting,
    Batch,
    Lane,
    Outbox,
    EventRecord,
    EventSeal,
    BankAccount,
    BankEntry,
    Reserve,
    ReserveFlow,
    ProofSeen,
)
