"""What is in a batch is told by the batch: its rows stay `batched`, out of the index of what is live."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, PostgresqlDatabase

BEFORE: Final = (
    "status IN ('accepted', 'awaiting_funds', 'held', 'in_review', 'screened', 'batched', 'submitted', 'settled')"
)
LIVE: Final = "status IN ('accepted', 'awaiting_funds', 'held', 'in_review', 'screened', 'submitted', 'settled')"
UNFINISHED: Final = "status IN ('formed', 'signed', 'sent', 'included')"
ITS_BATCH: Final = "SELECT 1 FROM batches b WHERE b.number = transactions.batch_number AND b.status"


def _live(db: Any, condition: str) -> None:
    db.execute(SQL("DROP INDEX transactions_live"))
    db.execute(SQL(f"CREATE INDEX transactions_live ON transactions (status, seq) WHERE {condition}"))


def up(migrator: Any, db: Any) -> None:
    """Let the batches say when they were signed, and what they hold follow them."""
    kind = "BIGINT" if isinstance(db, PostgresqlDatabase) else "INTEGER"
    db.execute_sql(f'ALTER TABLE batches ADD COLUMN "signed_at_ms" {kind}')
    db.execute(SQL(f"CREATE INDEX batches_unfinished ON batches (number) WHERE {UNFINISHED}"))
    db.execute_sql(
        "UPDATE batches SET signed_at_ms = (SELECT max(t.updated_at_ms) FROM transactions t "
        "WHERE t.batch_number = number AND t.status = 'submitted') WHERE status IN ('signed', 'sent', 'included')"
    )
    db.execute_sql(
        "UPDATE transactions SET status = 'batched' WHERE status = 'submitted' "  # noqa: S608
        f"AND EXISTS ({ITS_BATCH} IN ('signed', 'sent', 'included'))"
    )
    _live(db, LIVE)


def down(migrator: Any, db: Any) -> None:
    """Write into each row what its batch says of it."""
    for status, of_batch in (("completed", "= 'final'"), ("submitted", "IN ('signed', 'sent', 'included')")):
        db.execute_sql(
            f"UPDATE transactions SET status = '{status}' WHERE status = 'batched' AND EXISTS ({ITS_BATCH} {of_batch})"  # noqa: S608
        )
    _live(db, BEFORE)
    db.execute(SQL("DROP INDEX batches_unfinished"))
    db.execute_sql('ALTER TABLE batches DROP COLUMN "signed_at_ms"')
