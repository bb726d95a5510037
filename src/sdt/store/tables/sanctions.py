"""The tables of sanctions screening: lists, how everybody stands, who may be meant, and what waits for an officer."""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField, BlobField, CompositeKey, IntegerField

from sdt.store.tables.columns import Table, index, text

__all__ = ["TABLES"]


class SanctionsList(Table):
    """One edition that was loaded; in force is the one put in force and not superseded. Counts are against the last."""

    digest = text(64, primary_key=True)
    list_date = text(10)
    entries = IntegerField()
    names = IntegerField()
    added = IntegerField()
    removed = IntegerField()
    changed = IntegerField()
    loaded_at_ms = BigIntegerField()
    loaded_by = text(64)
    in_force_at_ms = BigIntegerField(null=True)
    put_by = text(64, null=True)
    superseded_at_ms = BigIntegerField(null=True)
    rescreened_at_ms = BigIntegerField(null=True)
    addresses = IntegerField(null=True)

    class Meta:
        table_name = "sanctions_lists"


class Standing(Table):
    """How the people an account names stand, as last screened: with which data, against which edition, until when.

    `party_digest` is keyed with the person's own key: it tells nothing to who has only the table. `asked_digest` is the
    same again; where it is another or none, a version wrote the row that asks about those behind the account alone.
    """

    account = text(42, primary_key=True)
    standing = text(8)
    party_digest = text(64)
    list_digest = text(64)
    valid_until_s = BigIntegerField()
    screened_at_ms = BigIntegerField()
    asked_digest = text(64, null=True)

    class Meta:
        table_name = "sanctions_standing"


index(Standing, "sanctions_standing_list", "list_digest")
index(Standing, "sanctions_standing_hit", "standing", where="standing <> 'clear'")


class Match(Table):
    """Somebody listed who may be meant by one account's people as they gave themselves. Names and reasons are sealed.

    `party_digest` is of those behind the account together; or of one alone, of a bank account or a counter.
    A cleared match is an ignore-list entry: for these data and this entry of the list, until its time is over.
    """

    id = text(36, primary_key=True)
    account = text(42)
    party_digest = text(64)
    source = text(8)
    entry_digest = text(64)
    uid = text(64)
    list_digest = text(64)
    score = IntegerField()
    status = text(10)
    case_id = text(36, null=True)
    details_sealed = BlobField()
    found_at_ms = BigIntegerField()
    decided_at_ms = BigIntegerField(null=True)
    act_id = text(36, null=True)
    ignored_until_s = BigIntegerField(null=True)

    class Meta:
        table_name = "sanctions_matches"
        indexes: Final = ((("account", "party_digest", "source", "entry_digest"), True),)


index(Match, "sanctions_matches_case", "case_id", where="case_id IS NOT NULL")
index(Match, "sanctions_matches_cleared", "decided_at_ms", where="status = 'cleared'")


class ReviewHold(Table):
    """Why a transaction is in review: a row for each reason, and its verdict once there is one. Never shown outside."""

    transaction_id = text(36)
    reason = text(16)
    key = text(64)
    at_ms = BigIntegerField()
    verdict = text(4, null=True)

    class Meta:
        table_name = "review_holds"
        primary_key = CompositeKey("transaction_id", "reason", "key")


index(ReviewHold, "review_holds_key", "reason, key")

TABLES: Final[tuple[type[Table], ...]] = (SanctionsList, Standing, Match, ReviewHold)
