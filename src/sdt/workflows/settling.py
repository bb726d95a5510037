"""What a final batch asks of the bank: book transfers after a burn, debts after a mint, an end of mints that failed."""

from __future__ import annotations

from collections.abc import Sequence

from sdt.domain.claims import day_of
from sdt.domain.message import Adjust, read_message
from sdt.domain.region import Region
from sdt.store import Store, reserve_moves, transactions, undone
from sdt.store.transactions import TransactionRow
from sdt.workflows import debts, payouts

__all__ = ["follow", "minted", "skipped"]


def follow(store: Store, region: Region, rows: Sequence[TransactionRow], at_ms: int) -> None:
    """Burn, then release: ask for the dollars of what was burnt; end what a final adjustment set right."""
    for row in rows:
        token = str(row.token)
        if region.token(token).domain != "dollar":
            continue
        if row.type == "redeem":
            reserve_moves.want(store, row.id, "out", token, row.units, "burnt", at_ms)
            continue
        message: Adjust = read_message(bytes(row.raw)).message
        if message.kind == "remint":
            undone.end(store, message.original, at_ms)
        else:
            reserve_moves.want(store, row.id, "out", token, row.units, message.kind, at_ms)
            debts.clawed_back(store, token, message.original, day_of(at_ms), at_ms)


def minted(store: Store, deposits: Sequence[TransactionRow], at_ms: int) -> None:
    """Deposits whose debit came back while they were minted are returned now, and owed."""
    for deposit in deposits:
        if deposit.token and debts.owed(store, deposit.token, deposit.id):
            found = undone.get(store, deposit.id)
            debts.came_back(store, deposit, found.code if found else None, day_of(at_ms), at_ms)


def skipped(store: Store, region: Region, rows: Sequence[TransactionRow], at_ms: int) -> None:
    """What signers or the chain refused: deposits that had come back end, payouts that cannot be minted wait apart."""
    debts.mint_failed(store, region, rows, day_of(at_ms), at_ms)
    for row in rows:
        if row.type != "adjust":
            continue
        message: Adjust = read_message(bytes(row.raw)).message
        original = transactions.get(store, message.original)
        if message.kind == "remint" and original is not None:
            payouts.suspend(store, original, "refused", day_of(at_ms), at_ms)
