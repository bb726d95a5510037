"""What settlement asks of others: the outbox, taken to bank, depository and KYC vendor.

The outbox row was written in the same database transaction as the status that caused it. Every call carries the
transaction_id as its idempotency key, so a crash between call and commit repeats the call and nothing else.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Final

from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.errors import SdtError
from sdt.domain.message import Deposit, Redeem, Register, read_message
from sdt.domain.personal import Person
from sdt.domain.region import Region
from sdt.domain.transaction import Event, Status
from sdt.ports import AchDirection, AchEntry, AchOrder, ExternalAccount, KycPerson, SecCode
from sdt.store import Store, accounts, banking, outbox, transactions
from sdt.store.banking import BankEntryRow
from sdt.store.transactions import Change, TransactionRow
from sdt.vendors import Vendors, bank_account
from sdt.worker import bank_entries
from sdt.worker.clock import Clock
from sdt.worker.dead_letters import put_off
from sdt.worker.sanctions import postal
from sdt.workflows.people import People

__all__ = ["Instructions"]

ACTOR: Final = "worker:instructions"
ROUND: Final = 50


class Instructions:
    """Works off the outbox, oldest first; what fails is tried again later, or given to an officer."""

    def __init__(
        self,
        store: Store,
        region: Region,
        vendors: Vendors,
        people: People,
        clock: Clock,
    ) -> None:
        self._store = store
        self._region = region
        self._vendors = vendors
        self._people = people
        self._clock = clock

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            if not await self.work():
                await asyncio.sleep(0.2)

    async def work(self) -> int:
        """Carry out what is due; returns how many were tried."""
        due = await self._store.read(outbox.due, ["instruct"], self._clock.now_ms(), ROUND)
        for row in due:
            try:
                await self._carry_out(json.loads(row.payload)["transaction_id"])
            except SdtError as error:
                await self._store.run(put_off, row, error, self._clock.now_ms())
            else:
                await self._store.run(outbox.done, [row.id], self._clock.now_ms())
        return len(due)

    async def _carry_out(self, transaction_id: str) -> None:
        row = await self._store.read(transactions.get, transaction_id)
        assert row is not None, "the outbox names a transaction that is not there"
        handler: dict[str, Callable[[TransactionRow], Awaitable[None]]] = {
            "deposit": self._collect,
            "redeem": self._pay_out,
            "register": self._identify,
        }
        await handler[row.type](row)

    async def _collect(self, row: TransactionRow) -> None:
        """A deposit: debit the user's bank account by ACH. Metal needs no instruction: it is dropped off."""
        message = read_message(row.raw).message
        assert isinstance(message, Deposit)
        if message.source.startswith("bank:"):
            order = await self._ach_order(row, message.source, AchDirection.DEBIT)
            if order is None:
                await self._store.run(self._refuse, row.id)
                return
            entry = await self._vendors.bank.originate(order, key=row.id)
            await self._store.run(self._filed, row, entry)

    async def _pay_out(self, row: TransactionRow) -> None:
        """A redemption that is burnt: credit the user's bank account."""
        message = read_message(row.raw).message
        assert isinstance(message, Redeem)
        if not message.destination.startswith("bank:"):
            return  # Metal was brought to the counter before the burn; its delivery goes on by itself.
        order = await self._ach_order(row, message.destination, AchDirection.CREDIT)
        assert order is not None, "a redemption was accepted for a bank account that is not there"
        entry = await self._vendors.bank.originate(order, key=row.id)
        await self._store.run(self._filed, row, entry)

    async def _identify(self, row: TransactionRow) -> None:
        """A registration that settled: hand the person to the KYC vendor. Its desk decides on the outcome."""
        message = read_message(row.raw).message
        assert isinstance(message, Register)
        person = await self._people.party(message.account)
        if not isinstance(person, Person):
            return
        application = await self._vendors.kyc.apply(
            KycPerson(
                account=message.account,
                given_name=person.given_name,
                family_name=person.family_name,
                born_on=date.fromisoformat(person.born_on),
                address=postal(person),
                ssn_last4=person.ssn_last4,
                region_state=self._region.id.partition("-")[2],
            ),
            key=row.id,
        )
        await self._store.run(
            accounts.set_kyc,
            message.account,
            application.application_id,
            application.outcome.value,
            list(application.reasons),
        )

    async def _ach_order(self, row: TransactionRow, reference: str, direction: AchDirection) -> AchOrder | None:
        linked = await self._store.read(banking.bank_account, reference.removeprefix("bank:"))
        if linked is None or linked.account != row.account:
            return None
        token, account = row.value
        details = await self._people.bank_details(account, linked.details_sealed)
        if details is None:
            return None
        return AchOrder(
            direction=direction,
            account=bank_account(token, "clearing"),
            amount=self._region.token(token).amount(row.units),
            counterparty=ExternalAccount(details.routing_number, details.account_number, details.kind, details.holder),
            sec_code=SecCode.WEB if direction is AchDirection.DEBIT else SecCode.PPD,
            reference=row.id,
        )

    def _filed(self, store: Store, row: TransactionRow, entry: AchEntry) -> None:
        """Record the entry once, with the posting that says the money is under way."""
        assert row.token
        now_ms = self._clock.now_ms()
        filed = BankEntryRow(
            id=f"ach:{row.id}",
            transaction_id=row.id,
            direction=entry.direction.value,
            token=row.token,
            units=row.units,
            external_id=entry.entry_id,
            status=EntryStatus.CREATED.value,
            code=None,
            updated_at_ms=now_ms,
        )
        if banking.put_entry(store, filed):
            on = datetime.fromtimestamp(now_ms / 1000, UTC).date()
            bank_entries.apply(store, self._region, filed, EntryEvent.FILE, code=None, on=on, at_ms=now_ms)

    def _refuse(self, store: Store, transaction_id: str) -> None:
        current = transactions.get(store, transaction_id)
        if current is not None and current.status == Status.AWAITING_FUNDS:
            change = Change(
                transaction_id, Event.REJECT, code="unknown_bank_account", detail="No such bank account is linked."
            )
            transactions.move(store, [change], actor=ACTOR, at_ms=self._clock.now_ms())
