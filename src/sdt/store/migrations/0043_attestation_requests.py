"""How the API asks the locations for their attestation: a frozen copy of the model of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import SQL, BigIntegerField, CharField, Model


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class AttestationRequest(Model):
    nonce = _text(128, primary_key=True)
    asked_at_ms = BigIntegerField()
    answered_at_ms = BigIntegerField(null=True)
    answer = _text(65_536, null=True)

    class Meta:
        legacy_table_names = False
        table_name = "attestation_requests"


AttestationRequest.add_index(SQL("CREATE INDEX attestation_requests_asked ON attestation_requests (asked_at_ms)"))

TABLES: Final[list[Any]] = [AttestationRequest]


def up(migrator: Any, db: Any) -> None:
    """Create the table and its index."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop it."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
