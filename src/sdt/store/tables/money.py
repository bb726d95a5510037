"""The tables of money at the bank: what was told of entries and accounts, what must move, what is held or blocked."""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField, Check, CompositeKey, IntegerField

from sdt.store.tables.columns import Table, index, text

__all__ = ["TABLES"]


class EntryFact(Table):
    """One thing that happened to a bank entry, on a banking day; appended, never changed."""

    entry_id = text(96)
    event = text(16)
    code = text(16, null=True)
    on_day = text(10)
    at_ms = BigIntegerField()

    class Meta:
        table_name = "entry_facts"
        primary_key = CompositeKey("entry_id", "event")
        indexes: Final = ((("event", "on_day"), False),)


class StatementLine(Table):
    """One line of a bank account's statement, as the bank said it. `reference` is ours, `subject` the bank's."""

    account = text(64)
    sequence = BigIntegerField()
    kind = text(16)
    flow = text(4)
    units = BigIntegerField()
    subject = text(64)
    reference = text(64)
    at_ms = BigIntegerField()

    class Meta:
        table_name = "statement_lines"
        primary_key = CompositeKey("account", "sequence")
        indexes: Final = ((("reference",), False),)
        constraints: Final = [
            Check("units > 0", name="units_positive"),
            Check("flow IN ('in', 'out')", name="flow_known"),
        ]


class ReserveMove(Table):
    """A book transfer that the books ask of the custodian, until the bank's statement shows it.

    `nth` tells apart moves of one transaction the same way: paid out, come back, paid out again.
    """

    transaction_id = text(36)
    direction = text(8)
    nth = IntegerField()
    token = text(12)
    units = BigIntegerField()
    reason = text(24)
    wanted_at_ms = BigIntegerField()
    done_at_ms = BigIntegerField(null=True)
    subject = text(64, null=True)

    class Meta:
        table_name = "reserve_moves"
        primary_key = CompositeKey("transaction_id", "direction", "nth")
        constraints: Final = [
            Check("units > 0", name="units_positive"),
            Check("direction IN ('in', 'out', 'blocked', 'freed')", name="direction_known"),
        ]


index(ReserveMove, "reserve_moves_open", "token, wanted_at_ms", where="done_at_ms IS NULL")


class Undone(Table):
    """What a bank undid of a transaction, until it is set right: a deposit that is owed, a payout that came back.

    While an account owes a deposit, its outgoing payments are on hold.
    """

    transaction_id = text(36, primary_key=True)
    kind = text(8)
    account = text(42)
    token = text(12)
    units = BigIntegerField()
    code = text(16, null=True)
    opened_at_ms = BigIntegerField()
    ended_at_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "undone"
        constraints: Final = [
            Check("units > 0", name="units_positive"),
            Check("kind IN ('debt', 'payout')", name="kind_known"),
        ]


index(Undone, "undone_accounts", "account", where="ended_at_ms IS NULL")
index(Undone, "undone_open", "token, opened_at_ms", where="ended_at_ms IS NULL")


class BlockedFunds(Table):
    """Dollars blocked for sanctions: of a deposit before its mint, or of a redemption after its burn.

    Units: `units` in the token's smallest unit. `reference` is the case or order that blocked them.
    """

    transaction_id = text(36, primary_key=True)
    account = text(42)
    token = text(12)
    units = BigIntegerField()
    side = text(8)
    reference = text(80)
    blocked_at_ms = BigIntegerField()
    ended_at_ms = BigIntegerField(null=True)

    class Meta:
        table_name = "blocked_funds"
        constraints: Final = [
            Check("units > 0", name="units_positive"),
            Check("side IN ('deposit', 'payout')", name="side_known"),
        ]


TABLES: Final[tuple[type[Table], ...]] = (EntryFact, StatementLine, ReserveMove, Undone, BlockedFunds)
