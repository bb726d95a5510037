"""Identity checks, documents, legal holds, and handles of which no two look alike: frozen copies of that day's models.

Of two handles of before that look alike, the older one's likeness is taken; the younger stands without.
"""

from __future__ import annotations

from typing import Any, Final

from peewee import BigIntegerField, BooleanField, CharField, IntegerField, Model, TextField

from sdt.domain.handle import skeleton


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class Examination(Model):
    account = _text(42, primary_key=True)
    round = IntegerField()
    attempts_left = IntegerField()
    tier = IntegerField()
    resident = BooleanField(null=True)
    residency = _text(24)
    residency_reasons = TextField()
    subjects = TextField()
    decided_at_s = BigIntegerField(null=True)
    expires_at_s = BigIntegerField(null=True)
    decision_act = _text(36, null=True)
    updated_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "examinations"


class Document(Model):
    id = _text(36, primary_key=True)
    account = _text(42, index=True)
    kind = _text(16)
    subject = _text(16)
    media_type = _text(32)
    size_bytes = IntegerField()
    digest = _text(64)
    round = IntegerField()
    forwarded = BooleanField()
    received_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "documents"


class LegalHold(Model):
    id = _text(36, primary_key=True)
    account = _text(42, index=True)
    order_number = _text(80)
    authority = _text(80)
    placed_by = _text(43)
    placed_at_ms = BigIntegerField()
    lifted_act = _text(36, null=True)
    lifted_at_ms = BigIntegerField(null=True)

    class Meta:
        legacy_table_names = False
        table_name = "legal_holds"


class HandleGrant(Model):
    handle = _text(32, primary_key=True)
    account = _text(42)
    act_id = _text(36)
    granted_at_ms = BigIntegerField()

    class Meta:
        legacy_table_names = False
        table_name = "handle_grants"


TABLES: Final[list[Any]] = [Examination, Document, LegalHold, HandleGrant]


def up(migrator: Any, db: Any) -> None:
    """Create the tables and their indexes, and say of every handle what it looks like."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)
    db.execute_sql('ALTER TABLE users ADD COLUMN "skeleton" VARCHAR(64)')
    taken = set()
    for user_id, handle in db.execute_sql("SELECT user_id, handle FROM users ORDER BY created_at_ms").fetchall():
        looks = skeleton(handle)
        if looks not in taken:
            taken.add(looks)
            mark = "?" if db.param == "?" else "%s"
            db.execute_sql(f"UPDATE users SET skeleton = {mark} WHERE user_id = {mark}", (looks, user_id))  # noqa: S608
    db.execute_sql("CREATE UNIQUE INDEX users_skeleton ON users (skeleton) WHERE skeleton IS NOT NULL")


def down(migrator: Any, db: Any) -> None:
    """Drop them."""
    db.execute_sql("DROP INDEX users_skeleton")
    db.execute_sql('ALTER TABLE users DROP COLUMN "skeleton"')
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
