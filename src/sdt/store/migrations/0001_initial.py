"""The first tables: a frozen copy of the models of that day. Later migrations change the tables, not this."""

from __future__ import annotations

from typing import Any, Final

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    Check,
    CompositeKey,
    IntegerField,
    Model,
    TextField,
)

LIVE = "status IN ('accepted', 'awaiting_funds', 'held', 'in_review', 'screened', 'batched', 'submitted', 'settled')"


def _never_negative(*columns: str) -> list[Any]:
    return [Check(f"{column} >= 0", name=f"{column}_not_negative") for column in columns]


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class Table(Model):
    class Meta:
        legacy_table_names = False


def _index(table: type[Table], name: str, columns: str, *, where: str = "", unique: bool = False) -> None:
    kind, condition = "UNIQUE INDEX" if unique else "INDEX", f" WHERE {where}" if where else ""
    table.add_index(SQL(f"CREATE {kind} {name} ON {table._meta.table_name} ({columns}){condition}"))


class Transaction(Table):
    seq = BigAutoField()
    id = _text(36, unique=True)
    type = _text(32)
    status = _text(16)
    administrative = BooleanField()
    kid = _text(43)
    account = _text(42, null=True)
    counterparty = _text(42, null=True)
    token = _text(12, null=True)
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
    linked_id = _text(36, null=True)
    code = _text(64, null=True)
    detail = TextField(null=True)
    rule = _text(128, null=True)
    statute = TextField(null=True)
    effective = _text(10, null=True)

    class Meta:
        table_name = "transactions"
        constraints = _never_negative("units", "fee_units", "held_units")


_index(Transaction, "transactions_live", "status, seq", where=LIVE)
_index(Transaction, "transactions_account", "account, seq")
_index(Transaction, "transactions_counterparty", "counterparty, seq", where="counterparty IS NOT NULL")
_index(Transaction, "transactions_batch", "batch_number, position", where="batch_number IS NOT NULL")
_index(Transaction, "transactions_linked", "linked_id", where="linked_id IS NOT NULL")
_index(Transaction, "transactions_digest", "digest", where="type <> 'transfer'")


class User(Table):
    user_id = _text(36, primary_key=True)
    account = _text(42, unique=True)
    handle = _text(32, unique=True)
    residency = _text(6)
    created_at_ms = BigIntegerField()
    registered = BooleanField(default=False)
    person_sealed = BlobField(null=True)
    kyc_application = _text(64, null=True)
    kyc_status = _text(32, null=True)
    kyc_reasons = TextField(default="[]")

    class Meta:
        table_name = "users"


_index(User, "users_kyc_application", "kyc_application", where="kyc_application IS NOT NULL", unique=True)


class Key(Table):
    kid = _text(43, primary_key=True)
    public_key = BlobField()
    account = _text(42, null=True, index=True)
    roles = IntegerField()
    scope = IntegerField()
    status = _text(16)
    expires_at_s = BigIntegerField()
    registered_by = _text(36, null=True)
    change = BigIntegerField(unique=True)

    class Meta:
        table_name = "keys"


class Identity(Table):
    account = _text(42)
    domain = _text(16)
    tier = IntegerField()
    resident = BooleanField()
    expires_at_s = BigIntegerField()

    class Meta:
        table_name = "identities"
        primary_key = CompositeKey("account", "domain")


class Freeze(Table):
    account = _text(42)
    token = _text(12)
    order_digest = BlobField()
    expires_at_s = BigIntegerField()

    class Meta:
        table_name = "freezes"
        primary_key = CompositeKey("account", "token")


class LedgerAccount(Table):
    name = _text(96, primary_key=True)
    token = _text(12)
    address = _text(42, null=True)
    debits = BigIntegerField(default=0)
    credits = BigIntegerField(default=0)
    held = BigIntegerField(default=0)

    class Meta:
        table_name = "ledger_accounts"
        constraints: Final = [
            *_never_negative("debits", "credits", "held"),
            Check("address IS NULL OR credits - debits - held >= 0", name="not_overdrawn"),
        ]


_index(LedgerAccount, "ledger_accounts_address", "address", where="address IS NOT NULL")
_index(LedgerAccount, "ledger_accounts_token", "token", where="address IS NOT NULL")


class Posting(Table):
    id = BigAutoField()
    transaction_id = _text(36, index=True)
    debit = _text(96)
    credit = _text(96)
    token = _text(12)
    units = BigIntegerField()
    at_ms = BigIntegerField()

    class Meta:
        table_name = "postings"
        constraints: Final = [Check("units > 0", name="units_positive")]


class Batch(Table):
    id = BigAutoField()
    number = BigIntegerField()
    kind = _text(8)
    status = _text(8)
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

    class Meta:
        table_name = "batches"
        constraints: Final = [
            Check("count > 0", name="count_positive"),
            Check("skipped_count >= 0 AND skipped_count <= count", name="skipped_within_count"),
            Check("kind IN ('value', 'admin')", name="kind_known"),
        ]


_index(Batch, "batches_number", "number", where="status <> 'void'", unique=True)


class Lane(Table):
    name = _text(64, primary_key=True)
    next_nonce = BigIntegerField(default=0)
    followed_block_number = BigIntegerField(null=True)
    followed_block_hash = BlobField(null=True)

    class Meta:
        table_name = "lane"


class Outbox(Table):
    id = BigAutoField()
    topic = _text(32)
    key = _text(128)
    payload = TextField()
    due_at_ms = BigIntegerField()
    attempts = IntegerField(default=0)
    last_error = TextField(null=True)
    done_at_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "outbox"
        indexes = ((("topic", "key"), True),)


_index(Outbox, "outbox_due", "topic, due_at_ms", where="done_at_ms IS NULL")


class EventRecord(Table):
    seq = BigAutoField()
    transaction_id = _text(36, index=True)
    event = _text(16)
    status = _text(16)
    at_ms = BigIntegerField()
    actor = _text(64)
    detail = TextField(null=True)

    class Meta:
        table_name = "events"


class EventSeal(Table):
    seq = BigAutoField()
    first_event = BigIntegerField(unique=True)
    last_event = BigIntegerField(unique=True)
    digest = BlobField()
    previous = BlobField()
    sealed_at_ms = BigIntegerField()

    class Meta:
        table_name = "event_seals"


class BankAccount(Table):
    ref = _text(72, primary_key=True)
    user_id = _text(36, index=True)
    account = _text(42)
    details_sealed = BlobField()
    mask = _text(16)
    status = _text(16)
    created_at_ms = BigIntegerField()

    class Meta:
        table_name = "bank_accounts"


class BankEntry(Table):
    id = _text(96, primary_key=True)
    transaction_id = _text(36)
    direction = _text(8)
    token = _text(12)
    units = BigIntegerField()
    external_id = _text(64, null=True)
    status = _text(16)
    code = _text(16, null=True)
    updated_at_ms = BigIntegerField()

    class Meta:
        table_name = "bank_entries"
        indexes = ((("transaction_id", "direction"), True), (("status",), False))
        constraints: Final = [
            Check("units > 0", name="units_positive"),
            Check("direction IN ('debit', 'credit', 'book', 'in', 'out')", name="direction_known"),
        ]


_index(BankEntry, "bank_entries_external", "external_id", where="external_id IS NOT NULL")


class Reserve(Table):
    token = _text(12, primary_key=True)
    attested = BigIntegerField()
    as_of_s = BigIntegerField()
    valid_until_s = BigIntegerField()
    attested_sequence = BigIntegerField()

    class Meta:
        table_name = "reserves"
        constraints = _never_negative("attested")


class ReserveFlow(Table):
    token = _text(12)
    sequence = BigIntegerField()
    funded = BigIntegerField()
    released = BigIntegerField()

    class Meta:
        table_name = "reserve_flows"
        primary_key = CompositeKey("token", "sequence")
        constraints = _never_negative("funded", "released")


class ProofSeen(Table):
    jti = _text(64, primary_key=True)
    expires_at_s = BigIntegerField(index=True)

    class Meta:
        table_name = "proofs_seen"


TABLES: list[Any] = [
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
]


def up(migrator: Any, db: Any) -> None:
    """Create every table and its indexes."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop them all."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
