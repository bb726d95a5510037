"""The tables of ACH: what is wanted of the network, the files that carry it, and what comes back."""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField, BlobField, BooleanField, Check, IntegerField, TextField

from sdt.store.tables.columns import Table, index, never_negative, text

__all__ = ["TABLES"]


class AchEntry(Table):
    """One entry for a file. A payment's has the id of its row in `bank_entries`, which says where it stands; where a
    prenote or a micro-entry stands is said here. `follow_at` is the next moment, in Eastern time, at which something
    is due of itself.
    """

    id = text(96, primary_key=True)
    purpose = text(12)
    bank_ref = text(72)
    account = text(42)
    token = text(12)
    is_credit = BooleanField()
    units = BigIntegerField()
    sec_code = text(3)
    same_day = BooleanField()
    reference = text(36)
    created_at_ms = BigIntegerField()
    stage = text(8)
    status = text(16, null=True)
    file_name = text(48, null=True)
    batch = IntegerField(null=True)
    trace = text(15, null=True)
    effective_on = text(10, null=True)
    follow_at = text(16, null=True)
    settled_on = text(10, null=True)
    returned_on = text(10, null=True)
    return_code = text(3, null=True)

    class Meta:
        table_name = "ach_entries"
        constraints: Final = [
            *never_negative("units"),
            Check("stage IN ('wanted', 'in_file', 'refused')", name="ach_stage_known"),
        ]


index(AchEntry, "ach_entries_wanted", "token, created_at_ms, id", where="stage = 'wanted'")
index(AchEntry, "ach_entries_trace", "trace", where="trace IS NOT NULL")
index(AchEntry, "ach_entries_file", "file_name, trace", where="file_name IS NOT NULL")
index(AchEntry, "ach_entries_follow", "follow_at", where="follow_at IS NOT NULL")
index(AchEntry, "ach_entries_bank_ref", "bank_ref, created_at_ms")
index(AchEntry, "ach_entries_settled", "settled_on", where="settled_on IS NOT NULL")
index(AchEntry, "ach_entries_returned", "returned_on", where="returned_on IS NOT NULL")


class AchFile(Table):
    """One file that we made, sealed, stored before it is sent. Its name and its digest are its own for ever.

    `data_sealed` is empty once nothing in it must be kept; so it is with those that came in.
    """

    name = text(48, primary_key=True)
    token = text(12)
    made_on = text(10)
    modifier = text(1)
    status = text(16)
    digest = text(64, unique=True)
    data_sealed = BlobField()
    entry_count = IntegerField()
    entry_hash = text(10)
    debit_units = BigIntegerField()
    credit_units = BigIntegerField()
    tries = IntegerField(default=0)
    code = text(64, null=True)
    made_at_ms = BigIntegerField()
    delivered_at_ms = BigIntegerField(null=True)
    updated_at_ms = BigIntegerField()

    class Meta:
        table_name = "ach_files"
        indexes: Final = ((("made_on", "modifier"), True), (("status",), False))
        constraints: Final = never_negative("debit_units", "credit_units")


class AchInbound(Table):
    """One file that came in, sealed. The same bytes again under another name are the same file."""

    digest = text(64, primary_key=True)
    name = text(64)
    kind = text(16)
    status = text(16)
    day = text(10)
    records = IntegerField(default=0)
    unmatched = IntegerField(default=0)
    detail = TextField(default="")
    data_sealed = BlobField()
    read_at_ms = BigIntegerField()

    class Meta:
        table_name = "ach_inbound"
        indexes: Final = ((("kind", "day"), False), (("read_at_ms",), False))


index(AchInbound, "ach_inbound_unread", "read_at_ms, name", where="status = 'stored'")


class AchInboundName(Table):
    """A name under which something was delivered to us: fetched once, or again while its bytes are not believed."""

    name = text(64, primary_key=True)
    digest = text(64)
    read_at_ms = BigIntegerField()

    class Meta:
        table_name = "ach_inbound_names"


class AchRecord(Table):
    """One record of a file that came in, by trace and code: counted once, in however many files it stands."""

    record = text(48, primary_key=True)
    digest = text(64, index=True)
    kind = text(12)
    code = text(3)
    trace = text(15)
    entry_id = text(96, null=True)
    units = BigIntegerField()
    day = text(10)
    read_at_ms = BigIntegerField()

    class Meta:
        table_name = "ach_records"


index(AchRecord, "ach_records_entry", "entry_id", where="entry_id IS NOT NULL")


class AchDishonor(Table):
    """Why an entry of ours sends a return back: which record of which file it answers, and what is wrong with that."""

    id = text(96, primary_key=True)
    entry_id = text(96, index=True)
    record = text(48)
    reason = text(3)
    fields = text(20)

    class Meta:
        table_name = "ach_dishonors"


class DebitAuthorisation(Table):
    """What a holder allowed by telephone or in writing: terms, day, and the digest of the recording or the paper."""

    id = text(36, primary_key=True)
    account = text(42)
    bank_ref = text(72, index=True)
    token = text(12)
    authorised_by = text(9)
    recurrence = text(9)
    units = BigIntegerField()
    given_on = text(10)
    ends_on = text(10)
    evidence = text(64, unique=True)
    recorded_at_ms = BigIntegerField()
    ended_at_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "debit_authorisations"
        constraints: Final = [Check("units > 0", name="units_positive")]


class AuthorisedDebit(Table):
    """Under which authorisation a deposit is debited."""

    transaction_id = text(36, primary_key=True)
    authorisation_id = text(36, index=True)

    class Meta:
        table_name = "authorised_debits"


class AchCounter(Table):
    """A number that only grows: the trace sequence, the place in the bank's list, the cut-off closed last."""

    name = text(48, primary_key=True)
    value = BigIntegerField()

    class Meta:
        table_name = "ach_counters"


class BankVerification(Table):
    """The newest proof of one bank account: which one it is, by what method, and how often amounts were named."""

    bank_ref = text(72, primary_key=True)
    method = text(8)
    round = IntegerField(default=1)
    attempts = IntegerField(default=0)
    updated_at_ms = BigIntegerField()

    class Meta:
        table_name = "bank_verifications"


TABLES: Final[tuple[type[Table], ...]] = (
    AchEntry,
    AchFile,
    AchInbound,
    AchInboundName,
    AchRecord,
    AchDishonor,
    DebitAuthorisation,
    AuthorisedDebit,
    AchCounter,
    BankVerification,
)
