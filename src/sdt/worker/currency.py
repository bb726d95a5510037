"""Currency at the treasury's counter: what the bank's clerk counted, into the books line by line.

Every line of that kind is booked once: for its deposit when amount and token agree, else into suspense with a case
for the custodian. What is counted while its deposit is still looked at waits in clearing, or is blocked. Who handed it
in is sealed with the key of the account's holder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

import msgspec

from sdt.domain.ach.entry_life import EntryStatus
from sdt.domain.errors import NotFound
from sdt.domain.ledger import currency_taken_in, currency_unmatched
from sdt.domain.message import Deposit, read_message
from sdt.domain.monitoring.persons import person_id
from sdt.domain.region import Region, Token
from sdt.domain.transaction import Status
from sdt.ports.bank import Bank, Conductor, CurrencyDeposit
from sdt.ports.statement import Flow, StatementLine
from sdt.store import (
    Store,
    banking,
    blocked,
    cases,
    currency,
    ledger,
    movements,
    registry,
    reserve_moves,
    transactions,
)
from sdt.store.banking import BankEntryRow
from sdt.store.currency import CONDUCTOR_NOTE, CurrencyRow
from sdt.store.transactions import TransactionRow
from sdt.vendors import bank_account
from sdt.worker.clock import Clock
from sdt.worker.pace import keep_looking
from sdt.workflows import blocking
from sdt.workflows.counted import ENTRY
from sdt.workflows.people import People
from sdt.workflows.sanctions import BLOCKED, NOBODY, stands_of

__all__ = ["Currency"]


ACTOR: Final = "worker:currency"

KIND: Final = "currency"

_WAITING: Final = (Status.ACCEPTED, Status.IN_REVIEW, Status.AWAITING_FUNDS)


class Currency:
    """Reads the clearing account of every token that currency is taken for."""

    def __init__(
        self,
        store: Store,
        region: Region,
        bank: Bank,
        people: People,
        persons_key: Callable[[], bytes],
        clock: Clock,
        poll_s: float,
    ) -> None:
        self._store = store
        self._region = region
        self._bank = bank
        self._people = people
        self._persons_key = persons_key
        self._clock = clock
        self._poll_s = poll_s

    async def run(self) -> None:
        """Ask until cancelled; a bank that does not answer is asked again."""
        await keep_looking(self.look, self._poll_s, "the counter")

    async def look(self) -> None:
        """Book what was counted since the line that was read last."""
        for token in self._region.tokens:
            more = token.currency
            while more:
                after, _ = await self._store.read(movements.cursor, _cursor(token))
                page = await self._bank.statement(bank_account(token.symbol, "clearing"), after=after)
                counted = [line for line in page.lines if line.kind == KIND and line.flow is Flow.IN]
                found = [(line, await self._bank.currency_deposit(line.subject)) for line in counted]
                if page.lines:
                    await self._store.run(self._book, token, after, page.lines[-1].sequence, found)
                more = page.more

    def _book(
        self, store: Store, token: Token, after: int, upto: int, found: list[tuple[StatementLine, CurrencyDeposit]]
    ) -> None:
        if not movements.advance(store, _cursor(token), after, upto):
            return
        rows = _locked(store, [line.reference for line, _ in found])
        for line, counted in found:
            row = rows.get(line.reference)
            if row is None or not self._fits(row, token, line):
                self._unmatched(store, token, line, counted, row)
            else:
                self._counted(store, token, line, counted, row)

    def _fits(self, row: TransactionRow, token: Token, line: StatementLine) -> bool:
        if row.type != "deposit" or row.status not in _WAITING:
            return False
        asked = read_message(bytes(row.raw)).message
        # A deposit from a bank account is debited there: currency would be its second payment.
        over_the_counter = isinstance(asked, Deposit) and asked.source.startswith("dropoff:")
        return over_the_counter and (row.token, row.units) == (token.symbol, line.amount.units)

    def _counted(
        self, store: Store, token: Token, line: StatementLine, counted: CurrencyDeposit, row: TransactionRow
    ) -> None:
        now_ms = self._clock.now_ms()
        account = row.value[1]
        entry = BankEntryRow(
            id=f"{ENTRY}{line.subject}",
            transaction_id=row.id,
            direction="in",
            token=token.symbol,
            units=line.amount.units,
            external_id=line.subject,
            status=EntryStatus.WINDOW_PASSED.value,
            code=None,
            updated_at_ms=now_ms,
        )
        if banking.entries_of(store, [row.id]) or not banking.put_entry(store, entry):
            self._unmatched(store, token, line, counted, row)
            return
        self._record(store, token, line, counted, row.id, account)
        postings = currency_taken_in(token.symbol, row.id, line.amount.units)
        ledger.post(store, [(row.id, p) for p in postings], release=[], at_ms=now_ms)
        if blocked.get(store, row.id) is not None:
            blocking.funds_settled(store, row, now_ms)
        elif row.status is Status.AWAITING_FUNDS:
            reserve_moves.want(store, row.id, "in", token.symbol, line.amount.units, "deposit", now_ms)
        elif (stands := stands_of(store, account)).standing == BLOCKED:
            blocking.block_deposit(store, row.id, reference=stands.case_id, actor=ACTOR, at_ms=now_ms)
            if stands.case_id != NOBODY:
                cases.add_evidence(store, stands.case_id, "transaction", row.id, actor=ACTOR, at_ms=now_ms)

    def _record(
        self, store: Store, token: Token, line: StatementLine, counted: CurrencyDeposit, of: str, account: str
    ) -> None:
        """Keep what was counted, and whose hand it came by: it counts for the currency report in any case."""
        who = counted.conductor
        record = CurrencyRow(
            transaction_id=of,
            deposit_id=line.subject,
            account=account,
            token=token.symbol,
            units=line.amount.units,
            by_holder=counted.by_holder,
            conductor=person_id(self._persons_key(), who.given_name, who.family_name, who.born_on.isoformat()),
            conductor_sealed=self._sealed(store, account, who) if account else b"",
            counted_at_s=int(line.at.timestamp()),
        )
        currency.put(store, record)

    def _sealed(self, store: Store, account: str, who: Conductor) -> bytes:
        note = msgspec.json.encode(who)
        try:
            return self._people.seal_note(store, account, CONDUCTOR_NOTE, note, self._clock.now_ms())
        except NotFound:
            return b""

    def _unmatched(
        self,
        store: Store,
        token: Token,
        line: StatementLine,
        counted: CurrencyDeposit,
        row: TransactionRow | None,
    ) -> None:
        now_ms, number = self._clock.now_ms(), line.subject[:36]
        # A line that names a deposit says whose it is, though another amount was asked for.
        account = row.account if row is not None and row.type == "deposit" and row.account else ""
        self._record(store, token, line, counted, number, account)
        postings = currency_unmatched(token.symbol, line.subject, line.amount.units)
        ledger.post(store, [(row.id if row and account else number, p) for p in postings], release=[], at_ms=now_ms)
        cases.open_case(
            store,
            kind="ach_unmatched",
            key=f"currency:{line.subject}",
            facts={"token": token.symbol, "units": line.amount.units, "counted": line.subject},
            detected_on=self._today(),
            actor=ACTOR,
            at_ms=now_ms,
            transaction_id=row.id if row else None,
        )

    def _today(self) -> date:
        return self._region.business_day.date_of(self._clock.now_s())


def _locked(store: Store, references: Sequence[str]) -> dict[str, TransactionRow]:
    """Return the transactions that slips name; nobody screens, blocks or ends them until the commit."""
    ids = sorted({reference for reference in references if len(reference) == 36})
    for account in sorted({row.account for row in transactions.get_many(store, ids).values() if row.account}):
        registry.lock_account(store, account)
    return transactions.get_many(store, ids, lock=True)


def _cursor(token: Token) -> str:
    return f"currency:{token.symbol}"
