"""Sanctions screening: lists, standings, matches and reviews. A frozen copy of the models of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigIntegerField, BlobField, CharField, CompositeKey, IntegerField, Model


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class SanctionsList(Model):
    digest = _text(64, primary_key=True)
    list_date = _text(10)
    entries = IntegerField()
    names = IntegerField()
    added = IntegerField()
    removed = IntegerField()
    changed = IntegerField()
    loaded_at_ms = BigIntegerField()
    loaded_by = _text(64)
    in_force_at_ms = BigIntegerField(null=True)
    put_by = _text(64, null=True)
    superseded_at_ms = BigIntegerField(null=True)
    rescreened_at_ms = BigIntegerField(null=True)

    class Meta:
        legacy_table_names = False
        table_name = "sanctions_lists"


class Standing(Model):
    account = _text(42, primary_key=True)
    standing = _text(8)
    party_digest = _text(64)
    list_digest = _text(64)
    valid_until_s = BigIntegerField()
    screened_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "sanctions_standing"


class Match(Model):
    id = _text(36, primary_key=True)
    account = _text(42)
    party_digest = _text(64)
    source = _text(8)
    entry_digest = _text(64)
    uid = _text(64)
    list_digest = _text(64)
    score = IntegerField()
    status = _text(10)
    case_id = _text(36, null=True)
    details_sealed = BlobField()
    found_at_ms = BigIntegerField()
    decided_at_ms = BigIntegerField(null=True)
    act_id = _text(36, null=True)
    ignored_until_s = BigIntegerField(null=True)

    class Meta:
        legacy_table_names = False
        table_name = "sanctions_matches"
        indexes: Final = ((("account", "party_digest", "source", "entry_digest"), True),)


class ReviewHold(Model):
    transaction_id = _text(36)
    reason = _text(16)
    key = _text(64)
    at_ms = BigIntegerField()
    verdict = _text(4, null=True)

    class Meta:
        legacy_table_names = False
        table_name = "review_holds"
        primary_key = CompositeKey("transaction_id", "reason", "key")


for model, name, columns in (
    (Standing, "sanctions_standing_list", "sanctions_standing (list_digest)"),
    (Standing, "sanctions_standing_hit", "sanctions_standing (standing) WHERE standing <> 'clear'"),
    (Match, "sanctions_matches_case", "sanctions_matches (case_id) WHERE case_id IS NOT NULL"),
    (Match, "sanctions_matches_cleared", "sanctions_matches (decided_at_ms) WHERE status = 'cleared'"),
    (ReviewHold, "review_holds_key", "review_holds (reason, key)"),
):
    model.add_index(SQL(f"CREATE INDEX {name} ON {columns}"))

TABLES: Final[list[Any]] = [SanctionsList, Standing, Match, ReviewHold]


def up(migrator: Any, db: Any) -> None:
    """Create the tables, and the column that payments look at."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)
    migrator.migrate(migrator.add_column("users", "standing", _text(8, null=True)))


def down(migrator: Any, db: Any) -> None:
    """Drop them."""
    migrator.migrate(migrator.drop_column("users", "standing"))
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
