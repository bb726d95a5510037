"""Postings of the books as movements of people: who moved what by which way, and what it was worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sdt.domain.monitoring.movements import BusinessDay, Channel, Direction, Movement
from sdt.domain.monitoring.value import Prices
from sdt.domain.region import Region, Token
from sdt.store import Store, banking, currency
from sdt.store.currency import CurrencyRow
from sdt.store.movements import PostingRow

__all__ = ["Moved", "read_movements"]

_PAYMENTS = frozenset({"transfer", "exchange"})


@dataclass(frozen=True, slots=True)
class Moved:
    """A movement, and the token it was of. `posting` names both accounts where it was a payment."""

    movement: Movement
    token: Token
    units: int


@dataclass(frozen=True, slots=True)
class _Reading:
    region: Region
    prices: Prices
    calendar: BusinessDay
    channels: dict[str, Channel]
    counted: dict[str, CurrencyRow]

    def moved(
        self, row: PostingRow, person: str, channel: Channel, direction: Direction, counterparty: str = ""
    ) -> Moved:
        return self._moved(row, row.transaction_id, person, channel, direction, row.at_ms // 1000, counterparty)

    def _moved(
        self,
        row: PostingRow,
        id_: str,
        person: str,
        channel: Channel,
        direction: Direction,
        at_s: int,
        counterparty: str = "",
    ) -> Moved:
        token = self.region.token(row.token)
        # What no price is known of counts as a movement all the same; health says that the price is missing.
        cents = self.prices.cents(token, row.units, self.calendar.of(at_s)) or 0
        movement = Movement(id_, person, channel, direction, cents, at_s, counterparty, token.domain)
        return Moved(movement, token, row.units)

    def counted_in(self, row: PostingRow, counted: CurrencyRow) -> list[Moved]:
        """Currency moves on the day it is counted, by the holder and by whoever handed it in.

        What no deposit asked for moved all the same: by the hand alone, where its posting names nobody's deposit.
        """
        kept = _is_kept(row.credit)
        known = not kept or row.transaction_id != counted.deposit_id[:36]
        holder = counted.account if known else counted.conductor
        id_ = counted.deposit_id[:36] if kept else counted.transaction_id
        found = self._moved(row, id_, holder, Channel.CURRENCY, Direction.IN, counted.counted_at_s)
        if counted.by_holder or not known:
            return [found]
        return [found, replace(found, movement=replace(found.movement, person=counted.conductor))]

    def given(self, row: PostingRow, counted: CurrencyRow) -> list[Moved]:
        """Currency found its deposit: now it is known for whom it was; by whose hand it came has counted already."""
        if row.transaction_id != counted.transaction_id or counted.by_holder:
            return []
        return [
            self._moved(
                row, counted.transaction_id, counted.account, Channel.CURRENCY, Direction.IN, counted.counted_at_s
            )
        ]


def read_movements(
    store: Store, region: Region, prices: Prices, calendar: BusinessDay, rows: Sequence[PostingRow]
) -> list[Moved]:
    """Return what these postings moved, as each person sees it.

    Fees, seizures and corrections are the region's own doing and move nobody. A deposit of currency moved when it was
    counted: its mint is no second movement.
    """
    deposits = {row.debit.rpartition(":")[2] for row in rows if row.debit.startswith("Pending:")}
    counts = {row.credit.rpartition(":")[2] for row in rows if _is_count(row)}
    numbers = {side.rpartition(":")[2] for row in rows for side in (row.debit, row.credit) if _is_kept(side)}
    counted = currency.of(store, counts | deposits) | currency.counted(store, numbers)
    channels = {
        entry.transaction_id: Channel.ACH if entry.direction == "debit" else Channel.METAL
        for entry in (banking.entries_of(store, sorted(deposits)) if deposits else [])
        if entry.direction in ("debit", "in")
    }
    reading = _Reading(region, prices, calendar, channels, counted)
    return [moved for row in rows for moved in _of_row(reading, row)]


def _is_count(row: PostingRow) -> bool:
    return row.debit.startswith("Clearing:") and row.credit.startswith("Pending:")


def _is_kept(account: str) -> bool:
    return account.startswith("Suspense:")


def _of_row(reading: _Reading, row: PostingRow) -> list[Moved]:
    giver, taker = _address(row.debit), _address(row.credit)
    kept = reading.counted.get((row.debit if _is_kept(row.debit) else row.credit).rpartition(":")[2])
    if _is_count(row) or (_is_kept(row.credit) and row.debit.startswith("Clearing:")):
        return reading.counted_in(row, kept) if kept else []
    if _is_kept(row.debit) and row.credit.startswith("Pending:"):
        return reading.given(row, kept) if kept else []
    if giver and taker:
        fee_account = reading.region.token(row.token).fee_account
        if row.type not in _PAYMENTS or fee_account in (giver, taker) or giver == taker:
            return []
        return [
            reading.moved(row, giver, Channel.TOKEN, Direction.OUT, taker),
            reading.moved(row, taker, Channel.TOKEN, Direction.IN, giver),
        ]
    if taker and row.type == "issue" and row.debit.startswith("Pending:"):
        deposit = row.debit.rpartition(":")[2]
        if deposit in reading.counted:
            return []
        channel = reading.channels.get(deposit, Channel.ACH)
        return [reading.moved(row, taker, channel, Direction.IN)]
    if giver and row.type == "redeem":
        dollar = reading.region.token(row.token).domain == "dollar"
        return [reading.moved(row, giver, Channel.ACH if dollar else Channel.METAL, Direction.OUT)]
    return []


def _address(account: str) -> str:
    """Return whose ledger account it is; empty for the region's own."""
    return account.rpartition(":")[2] if account.startswith("Token:") else ""
