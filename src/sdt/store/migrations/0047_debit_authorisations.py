"""Debits authorised by telephone or in writing: a frozen copy of the models of that day."""

from __future__ import annotations

from typing import Any, Final

from peewee import BigIntegerField, CharField, Check, Model


def _text(length: int, **options: Any) -> Any:
    return CharField(max_length=length, **options)


class DebitAuthorisation(Model):
    id = _text(36, primary_key=True)
    account = _text(42)
    bank_ref = _text(72, index=True)
    token = _text(12)
    authorised_by = _text(9)
    recurrence = _text(9)
    units = BigIntegerField()
    given_on = _text(10)
    ends_on = _text(10)
    evidence = _text(64, unique=True)
    recorded_at_ms = BigIntegerField()
    ended_at_ms = BigIntegerField(null=True)

    class Meta:
        legacy_table_names = False
        table_name = "debit_authorisations"
        constraints: Final = [Check("units > 0", name="units_positive")]


class AuthorisedDebit(Model):
    transaction_id = _text(36, primary_key=True)
    authorisation_id = _text(36, index=True)

    class Meta:
        legacy_table_names = False
        table_name = "authorised_debits"


TABLES: Final[list[Any]] = [DebitAuthorisation, AuthorisedDebit]


def up(migrator: Any, db: Any) -> None:
    """Create the tables and their indexes."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.create_tables(TABLES, safe=False)


def down(migrator: Any, db: Any) -> None:
    """Drop them."""
    with db.bind_ctx(TABLES, bind_refs=False, bind_backrefs=False):
        db.drop_tables(TABLES)
