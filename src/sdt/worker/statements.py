"""What the bank's statements say of our own accounts, line by line: kept, booked where nobody else tells it, and
matched with the book transfers that the books asked for.

The statement is the bank's word on what moved; an ACH entry's line is booked by the fact about the entry, not here.
Of an entry that the bank took one by one and that came back it is asked again, however long ago the window passed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sdt.domain.ach.entry_life import EntryEvent, EntryStatus, follow
from sdt.domain.claims import day_of
from sdt.domain.ledger import (
    Posting,
    bank_fee_from_clearing,
    blocked_brought_back,
    blocked_interest,
    blocked_set_apart,
    interest_earned,
    prefund_taken_out,
    prefunded,
)
from sdt.domain.region import Region
from sdt.domain.transaction import Status
from sdt.ports.statement import Statement, StatementLine
from sdt.store import Store, bank_facts, cases, ledger, reserve_moves, transactions
from sdt.store.bank_facts import LineRow
from sdt.store.reserve_moves import Direction
from sdt.vendors import Purpose, Vendors, bank_account
from sdt.worker.clock import Clock
from sdt.worker.pace import keep_looking, stir
from sdt.workflows import blocking, setting_apart

__all__ = ["Statements"]


ACTOR: Final = "worker:statements"
PURPOSES: Final[tuple[Purpose, ...]] = ("clearing", "reserve", "blocked")

_BOOKED: Final[dict[tuple[Purpose, str, str], Callable[[str, int], list[Posting]]]] = {
    ("clearing", "prefund", "in"): prefunded,
    ("clearing", "prefund", "out"): prefund_taken_out,
    ("clearing", "fee", "out"): bank_fee_from_clearing,
    ("reserve", "interest", "in"): interest_earned,
    ("blocked", "book", "in"): blocked_set_apart,
    ("blocked", "book", "out"): blocked_brought_back,
    ("blocked", "interest", "in"): blocked_interest,
}
"""What a line is booked as, by account, kind and direction. Transfers of the reserve are booked when they are stated
on chain."""
_SILENT: Final = frozenset(
    {
        *("ach", "ach_debit", "ach_credit", "ach_debit_batch", "ach_credit_batch", "ach_contested"),
        *("ach_offset", "currency", "book"),
    }
)
"""Kinds that somebody else books: the entry's own facts, or the custodian's statement on chain."""

_UNMINTED: Final = frozenset({Status.RETURNED, Status.REJECTED, Status.EXPIRED})


class Statements:
    """Reads every dollar account's statement to its end, again and again.

    `one_by_one`: the bank takes entries so, and no file tells what came back.
    """

    def __init__(
        self, store: Store, region: Region, vendors: Vendors, poll_s: float, clock: Clock, *, one_by_one: bool
    ) -> None:
        self._store = store
        self._region = region
        self._vendors = vendors
        self._poll_s = poll_s
        self._clock = clock
        self._one_by_one = one_by_one

    async def run(self) -> None:
        """Read until cancelled; a bank that does not answer is asked again."""
        await keep_looking(self.look, self._poll_s, "a statement")

    async def look(self) -> None:
        """Read what is new on every account."""
        for token in self._region.tokens:
            if token.domain == "dollar":
                for purpose in PURPOSES:
                    await self._read(token.symbol, purpose)

    async def _read(self, symbol: str, purpose: Purpose) -> None:
        account = bank_account(symbol, purpose)
        while True:
            after = await self._store.read(bank_facts.last_line, account)
            page: Statement = await self._vendors.bank.statement(account, after=after)
            if page.lines:
                stir(outside=True)
                await self._store.run(self._take_in, symbol, purpose, page.lines)
            if not page.more:
                return

    def _take_in(self, store: Store, symbol: str, purpose: Purpose, lines: tuple[StatementLine, ...]) -> None:
        """Keep a page of lines and book them, in one database transaction."""
        now_ms = self._clock.now_ms()
        for line in lines:
            row = LineRow(
                bank_account(symbol, purpose),
                line.sequence,
                line.kind,
                line.flow.value,
                line.amount.units,
                line.subject,
                line.reference,
                int(line.at.timestamp() * 1000),
            )
            if bank_facts.add_line(store, row):
                self._book(store, symbol, purpose, row, now_ms)

    def _book(self, store: Store, symbol: str, purpose: Purpose, line: LineRow, now_ms: int) -> None:
        make = _BOOKED.get((purpose, line.kind, line.flow))
        if make is not None:
            of_transaction = purpose == "blocked" and line.kind == "book"
            name = line.reference if of_transaction else f"{line.account}:{line.sequence}"
            ledger.post(store, [(name[:36], p) for p in make(symbol, line.units)], release=[], at_ms=now_ms)
        if line.kind == "book" and purpose == "blocked":
            self._moved_apart(store, symbol, line, now_ms)
        elif line.kind == "book" and purpose == "reserve":
            self._moved(store, symbol, line, now_ms)
        elif line.kind == "ach_return":
            self._came_back(store, symbol, line, now_ms)
        elif make is None and line.kind not in _SILENT:
            self._unknown(store, symbol, line, now_ms)

    def _moved(self, store: Store, symbol: str, line: LineRow, now_ms: int) -> None:
        """A book transfer that the books asked for is done. One that nobody asked for is an officer's case.

        One into the reserve that they had ceased to ask for, or whose deposit has ended, crossed that word: back.
        """
        direction: Direction = "in" if line.flow == "in" else "out"
        move = reserve_moves.done(store, line.reference, direction, line.units, line.subject, now_ms)
        if move is None or (move.canceled and direction != "in"):
            self._unknown(store, symbol, line, now_ms)
        elif move.canceled or (direction == "in" and self._has_ended(store, move.transaction_id)):
            reserve_moves.want(store, move.transaction_id, "out", symbol, line.units, f"crossed-{move.nth}", now_ms)

    def _moved_apart(self, store: Store, symbol: str, line: LineRow, now_ms: int) -> None:
        """Blocked dollars were set apart, or brought back: what a release waited for goes on.

        One that they had ceased to ask for crossed that word: the other way. One that nobody asked for is a case.
        """
        direction: Direction = "blocked" if line.flow == "in" else "freed"
        released = setting_apart.releasing(store, line.reference)
        move = reserve_moves.done(store, line.reference, direction, line.units, line.subject, now_ms)
        if move is None:
            if direction == "freed":
                setting_apart.made_unasked(store, line.reference, symbol, line.units, line.subject, now_ms)
            self._unknown(store, symbol, line, now_ms)
        elif move.canceled:
            setting_apart.crossed(store, move, now_ms)
        elif released is not None and move.nth == released.nth and direction == "freed":
            blocking.brought_back(store, line.reference, actor=ACTOR, at_ms=now_ms)

    def _came_back(self, store: Store, symbol: str, line: LineRow, now_ms: int) -> None:
        """Note of which entry a return is, so that the bank is asked of it. A return of none that may come back, or a
        second of one, is an officer's case, unless a file is still to tell it."""
        entry = bank_facts.entry_of_return(store, symbol, line)
        if entry is None:
            explained = not self._one_by_one
        else:
            standing = EntryStatus(entry.status)
            may_come = standing is EntryStatus.RETURNED or follow(standing, EntryEvent.RETURN) is not None
            stated = bank_facts.RETURN_STATED
            explained = may_come and bank_facts.note(store, entry.id, stated, None, day_of(now_ms), now_ms)
        if not explained:
            self._unknown(store, symbol, line, now_ms)

    def _has_ended(self, store: Store, deposit: str) -> bool:
        """Return whether nothing will be minted for a deposit any more."""
        row = transactions.get(store, deposit)
        return row is not None and row.type == "deposit" and row.status in _UNMINTED

    def _unknown(self, store: Store, symbol: str, line: LineRow, now_ms: int) -> None:
        cases.open_case(
            store,
            kind="ach_unmatched",
            key=f"{line.account}:{line.sequence}",
            facts={"token": symbol, **line._asdict()},
            detected_on=day_of(now_ms),
            actor=ACTOR,
            at_ms=now_ms,
        )
