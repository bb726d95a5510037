"""What bank and depository have done since: the worker asks, and the books follow.

Statements of others are facts to be recorded once: each change is written with its postings in one database
transaction, keyed by the entry it is about.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sdt.domain.ach.codes import RETURNS, is_officers
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.claims import day_of
from sdt.domain.ledger import metal_taken_in
from sdt.domain.message import Deposit, Redeem, read_message
from sdt.domain.region import Region
from sdt.domain.transaction import Status
from sdt.ports.bank import AchEntry, AchStatus
from sdt.ports.statement import Flow, StatementLine
from sdt.store import Store, ach, bank_facts, banking, cases, debit_stops, ledger, transactions
from sdt.store.banking import BankEntryRow
from sdt.vendors import Vendors
from sdt.worker import bank_entries
from sdt.worker.clock import Clock
from sdt.worker.pace import keep_looking
from sdt.workflows import bank_proof, debit_stop

__all__ = ["Counterparties"]

ACTOR: Final = "worker:counterparties"
STATED_DAYS: Final = 66
"""How long a return that only a statement tells is asked about; an officer has had its case since the day after."""
UNEXPLAINED_MS: Final = 86_400_000


class Counterparties:
    """Follows ACH entries that the bank took one by one, identity checks, and bars into the vaults."""

    def __init__(self, store: Store, region: Region, vendors: Vendors, poll_s: float, clock: Clock) -> None:
        self._store = store
        self._region = region
        self._vendors = vendors
        self._poll_s = poll_s
        self._clock = clock

    async def run(self) -> None:
        """Ask until cancelled; whoever does not answer is asked again."""
        await keep_looking(self.look, self._poll_s, "a counterparty")

    async def look(self) -> None:
        """Ask once about everything that is open."""
        for entry in await self._store.read(ach.asked):
            assert entry.external_id is not None
            found = await self._vendors.bank.ach_entry(entry.external_id)
            await self._store.run(self._entry_moved, entry, found)
        await self._look_at_stated()
        for token in self._region.tokens:
            if token.domain == "cash":
                await self._look_at_vault(token.symbol)

    async def _look_at_stated(self) -> None:
        """Ask about entries past their window that came back by the statement. What the bank still denies a day
        later is an officer's case."""
        now_ms = self._clock.now_ms()
        first = day_of(now_ms) - timedelta(days=STATED_DAYS)
        for entry, read_at_ms in await self._store.read(bank_facts.returns_stated, first):
            assert entry.external_id is not None
            found = await self._vendors.bank.ach_entry(entry.external_id)
            await self._store.run(self._entry_moved, entry, found)
            if found.status is not AchStatus.RETURNED and now_ms - read_at_ms >= UNEXPLAINED_MS:
                await self._store.run(self._denied, entry, read_at_ms)

    def _denied(self, store: Store, entry: BankEntryRow, read_at_ms: int) -> None:
        cases.open_case(
            store,
            kind="ach_unmatched",
            key=f"{entry.id}:{bank_facts.RETURN_STATED}",
            facts={"entry": entry.id, "token": entry.token, "units": entry.units, "stated_at_ms": read_at_ms},
            detected_on=day_of(self._clock.now_ms()),
            actor=ACTOR,
            at_ms=self._clock.now_ms(),
            transaction_id=entry.transaction_id,
        )

    def _entry_moved(self, store: Store, entry: BankEntryRow, found: AchEntry) -> None:
        """Tell the steps of an ACH entry. Those the poll did not see are made up for, in order."""
        now_ms = self._clock.now_ms()
        on = day_of(now_ms)
        happened = {
            EntryEvent.SETTLE: found.settled_day is not None,
            EntryEvent.OUTLAST: found.window_passed_day is not None,
            EntryEvent.RETURN: found.status is AchStatus.RETURNED,
        }
        if happened[EntryEvent.RETURN] and found.return_code and debit_stop.stops(found.return_code):
            self._stopped(store, entry, found.return_code)
        for event in (event for event, has in happened.items() if has):
            code = found.return_code if event is EntryEvent.RETURN else None
            bank_entries.apply(store, self._region, entry, event, code=code, on=on, at_ms=now_ms)
        if happened[EntryEvent.RETURN] and is_officers(found.return_code or ""):
            self._officers(store, entry, found.return_code or "")

    def _officers(self, store: Store, entry: BankEntryRow, code: str) -> None:
        """Open the case of a return that nothing but an officer follows up."""
        row, known, now_ms = transactions.get(store, entry.transaction_id), RETURNS.get(code), self._clock.now_ms()
        cases.open_case(
            store,
            kind="ach_return",
            key=f"{entry.id}:{code}",
            facts={
                "entry": entry.id,
                "token": entry.token,
                "units": entry.units,
                "code": code,
                "title": known.title if known else "an unknown code",
                "to_do": known.action.value if known else "",
            },
            detected_on=day_of(now_ms),
            actor=ACTOR,
            at_ms=now_ms,
            account=row.account if row else None,
            transaction_id=entry.transaction_id,
        )

    @staticmethod
    def _stopped(store: Store, entry: BankEntryRow, code: str) -> None:
        """Note what a return says of its bank account. Its holder is locked first: nothing is asked meanwhile."""
        row = transactions.get(store, entry.transaction_id)
        assert row is not None, "an entry names its transaction"
        debit_stops.lock_holders(store, [row.value[1]])
        message = read_message(row.raw).message
        assert isinstance(message, Deposit | Redeem), "nothing else is asked of the bank"
        place = message.source if isinstance(message, Deposit) else message.destination
        # What was let out of suspense went to another bank account than its message names.
        if entry.id == f"ach:{row.id}":
            bank_proof.noted_return(store, place.removeprefix("bank:"), code)

    async def _look_at_vault(self, symbol: str) -> None:
        """Book bars that came in for a deposit. The vault's own name of the drop-off is our transaction_id."""
        waiting = {
            row.id: row
            for row in await self._store.read(transactions.in_status, Status.AWAITING_FUNDS, 500)
            if row.type == "deposit" and row.token == symbol
        }
        if not waiting:
            return
        known = {entry.transaction_id for entry in await self._store.read(banking.entries_of, list(waiting))}
        after = 0
        while True:
            page = await self._vendors.depository.statement(symbol, after=after)
            for line in page.lines:
                if line.flow is Flow.IN and line.reference in waiting and line.reference not in known:
                    await self._store.run(self._bar_in, symbol, line)
            if not page.more:
                return
            after = page.lines[-1].sequence

    def _bar_in(self, store: Store, symbol: str, line: StatementLine) -> None:
        now_ms = self._clock.now_ms()
        fresh = banking.put_entry(
            store,
            BankEntryRow(
                id=f"bar:{line.subject}",
                transaction_id=line.reference,
                direction="in",
                token=symbol,
                units=line.amount.units,
                external_id=line.subject,
                status=EntryStatus.WINDOW_PASSED.value,
                code=None,
                updated_at_ms=now_ms,
            ),
        )
        if fresh:
            postings = metal_taken_in(symbol, line.reference, line.amount.units)
            ledger.post(store, [(line.reference, p) for p in postings], release=[], at_ms=now_ms)
