"""A book transfer may bring dollars back from the blocked account: a frozen copy of the model of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigIntegerField, CharField, Check, CompositeKey, IntegerField, Model

_KNOWN: Final = "direction IN ('in', 'out', 'blocked', 'freed')"
_KNOWN_BEFORE: Final = "direction IN ('in', 'out', 'blocked')"


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


def _model(known: str) -> Any:
    class ReserveMove(Model):
        transaction_id = _text(36)
        direction = _text(8)
        nth = IntegerField()
        token = _text(12)
        units = BigIntegerField()
        reason = _text(24)
        wanted_at_ms = BigIntegerField()
        done_at_ms = BigIntegerField(null=True)
        subject = _text(64, null=True)

        class Meta:
            legacy_table_names = False
            table_name = "reserve_moves"
            primary_key = CompositeKey("transaction_id", "direction", "nth")
            constraints: Final = [Check("units > 0", name="units_positive"), Check(known, name="direction_known")]

    open_ones = "(token, wanted_at_ms) WHERE done_at_ms IS NULL"
    ReserveMove.add_index(SQL(f"CREATE INDEX reserve_moves_open ON reserve_moves {open_ones}"))
    return ReserveMove


def _allow(db: Any, known: str) -> None:
    """SQLite changes no constraint of a table that is there: its rows are put into a new one."""
    if db.param != "?":
        change = f"DROP CONSTRAINT direction_known, ADD CONSTRAINT direction_known CHECK ({known})"
        db.execute_sql(f"ALTER TABLE reserve_moves {change}")
        return
    db.execute_sql("CREATE TABLE reserve_moves_kept AS SELECT * FROM reserve_moves")
    db.execute_sql("DROP TABLE reserve_moves")
    model = _model(known)
    with db.bind_ctx([model], bind_refs=False, bind_backrefs=False):
        db.create_tables([model], safe=False)
    db.execute_sql("INSERT INTO reserve_moves SELECT * FROM reserve_moves_kept")
    db.execute_sql("DROP TABLE reserve_moves_kept")


def up(migrator: Any, db: Any) -> None:
    """Know the way back."""
    _allow(db, _KNOWN)


def down(migrator: Any, db: Any) -> None:
    """Forget it: refused while such a transfer is on record."""
    _allow(db, _KNOWN_BEFORE)
