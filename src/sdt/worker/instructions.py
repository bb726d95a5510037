"""What settlement asks of others: the outbox, taken to bank, depository and KYC vendor.

The outbox row was written in the same database transaction as the status that caused it. Every call carries the
transaction_id as its idempotency key, so a crash between call and commit repeats the call and nothing else. An order
to the bank is written down before it is sent.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from sdt.config.model import Ach
from sdt.domain.ach.classes import Authorised, sec_code_of
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.errors import Conflict, SdtError, Unavailable, Unprocessable
from sdt.domain.message import Deposit, Redeem, Register, read_message
from sdt.domain.personal import Business
from sdt.domain.region import Region
from sdt.domain.transaction import Event, Status
from sdt.observing import tracing
from sdt.observing.context import about
from sdt.ports.bank import AchDirection, AchEntry, AchOrder, ExternalAccount, SecCode
from sdt.ports.evidence import VendorFault
from sdt.store import Store, ach, banking, outbox, registry, sanctions, transactions
from sdt.store.ach import AchEntryRow
from sdt.store.banking import BankAccountRow, BankEntryRow
from sdt.store.outbox import OutboxRow
from sdt.store.transactions import Change, TransactionRow
from sdt.vendors import Vendors, bank_account
from sdt.worker import bank_entries
from sdt.worker.clock import Clock
from sdt.worker.dead_letters import put_off
from sdt.worker.figures import HANDLER
from sdt.worker.identities import Identities
from sdt.worker.pace import rest, stir
from sdt.worker.traces import of_ids
from sdt.workflows import debit_stop, payouts
from sdt.workflows.ach_reversal import bank_today
from sdt.workflows.bank_proof import wanted_entry
from sdt.workflows.debit_authorisation import authorised
from sdt.workflows.people import People

__all__ = ["Instructions"]

log = logging.getLogger(__name__)

ACTOR: Final = "worker:instructions"
ROUND: Final = 50
REVIEW_PAUSE_MS: Final = 5_000
"""When a payout that waits for a review is looked at again: no failure, and no end to its waiting."""
_REFUSALS: Final = {
    "unknown_bank_account": "No such bank account is linked.",
    "bank_account_closed": "This bank account takes no debits: its bank returned one.",
    "bank_account_unverified": "This bank account must be verified before it is debited.",
}
HELD_MS: Final = 60_000
"""How often a payout that is held is looked at again."""


class PayoutHeld(Unavailable):
    """Not now: the account is frozen or the dollars are blocked. Nothing failed."""

    code = "payout_held"


class Instructions:
    """Works off the outbox, oldest first; what fails is tried again later, or given to an officer."""

    def __init__(
        self,
        store: Store,
        region: Region,
        vendors: Vendors,
        people: People,
        identities: Identities,
        config: Ach,
        clock: Clock,
    ) -> None:
        self._store = store
        self._region = region
        self._vendors = vendors
        self._people = people
        self._identities = identities
        self._config = config
        self._clock = clock

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            if await self.work():
                stir(outside=True)
            else:
                await rest(0.2)

    async def work(self) -> int:
        """Carry out what is due; returns how many were tried."""
        due = await self._store.read(outbox.due, ["instruct"], self._clock.now_ms(), ROUND)
        for row in due:
            transaction_id = json.loads(row.payload)["transaction_id"]
            if await self._store.read(sanctions.payout_waits, transaction_id):
                await self._store.run(outbox.defer, row.id, self._clock.now_ms() + REVIEW_PAUSE_MS)
                continue
            with about(transaction_id=transaction_id):
                await self._try(row, transaction_id)
        return len(due)

    async def _try(self, instruction: OutboxRow, transaction_id: str) -> None:
        row = await self._store.read(transactions.get, transaction_id)
        assert row is not None, "the outbox names a transaction that is not there"
        begun_s, outcome = time.perf_counter(), "done"
        traced = await of_ids(self._store, [row.id])
        try:
            with tracing.span("instruction", parent=traced.parent, transaction_id=row.id, type=row.type):
                await self._carry_out(row, instruction.payload)
        except PayoutHeld:
            outcome = "held"
            await self._store.run(outbox.postpone, instruction.id, self._clock.now_ms() + HELD_MS)
        except SdtError as error:
            outcome = error.kind.label
            await self._store.run(put_off, instruction, error, self._clock.now_ms())
        else:
            await self._store.run(outbox.done, [instruction.id], self._clock.now_ms())
        HANDLER.observe(time.perf_counter() - begun_s, row.type, outcome)

    async def _carry_out(self, row: TransactionRow, payload: str) -> None:
        if "entry" in (asked := json.loads(payload)):
            await self._pay_suspense(row, asked["entry"], asked["bank_account"], asked["units"])
            return
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
            linked = await self._linked(row, message.source)
            refusal = "unknown_bank_account"
            if linked is not None:
                refusal = await self._store.run(self._no_fresh_debit, row, linked)
            if refusal or not await self._order(row, linked, self._entry(row, AchDirection.DEBIT)):
                await self._store.run(self._refuse, row.id, refusal or "unknown_bank_account")

    def _no_debit(self, store: Store, row: TransactionRow, linked: BankAccountRow) -> str:
        """Say why an account may not be debited, or nothing."""
        today, verified_only = bank_today(store, self._clock.now_ms()), self._region.ach.debits_need_verified_account
        return debit_stop.refusal(
            store, self._people, linked, row.value[0], row.units, row.id, today, verified_only=verified_only
        )

    def _no_fresh_debit(self, store: Store, row: TransactionRow, linked: BankAccountRow) -> str:
        """Say so of a debit that was not asked for before: one that was is judged where it goes to the bank."""
        asked = banking.entry(store, self._entry(row, AchDirection.DEBIT).id)
        return "" if asked is not None else self._no_debit(store, row, linked)

    async def _pay_out(self, row: TransactionRow) -> None:
        """A redemption that is burnt: credit the user's bank account, unless an order or a block holds it."""
        if await self._store.read(payouts.held_because, row, self._clock.now_s()):
            raise PayoutHeld("This payout waits.")
        message = read_message(row.raw).message
        assert isinstance(message, Redeem)
        if not message.destination.startswith("bank:"):
            return  # Metal was brought to the counter before the burn; its delivery goes on by itself.
        linked = await self._linked(row, message.destination)
        ordered = await self._order(row, linked, self._entry(row, AchDirection.CREDIT))
        assert ordered, "a redemption was accepted for a bank account that is not there"

    async def _pay_suspense(self, row: TransactionRow, entry_id: str, reference: str, units: int) -> None:
        """Two officers let dollars out of suspense to another bank account of their owner."""
        if await self._store.read(self._must_wait, row):
            raise PayoutHeld("This payout waits.")
        if await self._store.read(self._is_gone, row, entry_id, units):
            raise Conflict("These dollars are not here any more.", code="nothing_in_suspense")
        linked = await self._linked(row, reference)
        entry = self._entry(row, AchDirection.CREDIT)._replace(id=entry_id, units=units)
        if not await self._order(row, linked, entry):
            raise Unprocessable("The bank account is not linked any more.", code="unknown_bank_account")

    def _must_wait(self, store: Store, row: TransactionRow) -> bool:
        now_s = self._clock.now_s()
        if sanctions.unpayable(store, row.value[1]):
            return True
        return payouts.held_because(store, row, now_s) is not None or payouts.stopped(store, *row.value, now_s)

    def _is_gone(self, store: Store, row: TransactionRow, entry_id: str, units: int) -> bool:
        """Return whether less is owed than was let out: our bank sent the return that had brought it back again."""
        return banking.entry(store, entry_id) is None and payouts.due(store, row.value[0], row.id) < units

    async def _linked(self, row: TransactionRow, reference: str) -> BankAccountRow | None:
        linked = await self._store.read(banking.bank_account, reference.removeprefix("bank:"))
        return linked if linked is not None and linked.account == row.account else None

    async def _order(self, row: TransactionRow, linked: BankAccountRow | None, entry: BankEntryRow) -> bool:
        """Ask for an entry: of the next file, or of the bank at once. False when nobody's account is named."""
        if linked is None:
            return False
        token, account = row.value
        details = await self._people.bank_details(account, linked.details_sealed)
        if details is None:
            return False
        business = isinstance(await self._people.party(account), Business)
        is_credit = entry.direction == "credit"
        how: Authorised = "internet"
        if not is_credit and not business:
            how = await self._store.run(self._authorised, linked.ref, entry)
        if self._config.delivery != "api":
            wanted = wanted_entry(
                entry.id,
                linked,
                token,
                purpose="payment",
                is_credit=is_credit,
                units=entry.units,
                business=business,
                reference=row.id,
                at_ms=self._clock.now_ms(),
                same_day=self._config.same_day in ("all", f"{entry.direction}s"),
                authorised=how,
            )
            await self._store.run(self._wanted, entry, wanted)
            return True
        order = AchOrder(
            direction=AchDirection(entry.direction),
            account=bank_account(token, "clearing"),
            amount=self._region.token(token).amount(entry.units),
            counterparty=ExternalAccount(details.routing_number, details.account_number, details.kind, details.holder),
            sec_code=SecCode(sec_code_of(business=business, is_credit=is_credit, authorised=how)),
            reference=row.id,
        )
        stood = await self._store.run(self._intended, row, linked.ref, entry)
        if stood is not None:
            try:
                filed = await self._vendors.bank.originate(order, key=_key(entry))
            except SdtError as error:
                if error.kind.worker != "reject" or isinstance(error, VendorFault):
                    raise
                found = await self._at_bank_after(error, order, entry, stood)
                if found is None:
                    raise
                filed = found
            await self._store.run(self._filed, entry.id, filed.entry_id)
        return True

    async def _at_bank_after(
        self, refusal: SdtError, order: AchOrder, entry: BankEntryRow, stood: EntryStatus
    ) -> AchEntry | None:
        """Return what the bank has of an order that is refused now; when it has nothing, the entry is free again.

        What was sent before without an answer may be there whatever is said to its repetition, and a conflict says that
        the key is known: then the entry stays `unknown`, unless the bank itself, asked about it, has another word.
        """
        if stood is EntryStatus.UNKNOWN or isinstance(refusal, Conflict):
            try:
                found = await self._vendors.bank.originated(order, key=_key(entry))
            except SdtError as error:
                log.warning("whether the bank has %s is not known: %s", entry.id, error.code)
                return None
            if found is not None or isinstance(refusal, Conflict):
                return found
        await self._store.run(self._tell, entry.id, EntryEvent.MISS)
        return None

    def _authorised(self, store: Store, bank_ref: str, entry: BankEntryRow) -> Authorised:
        today = bank_today(store, self._clock.now_ms())
        return authorised(store, bank_ref, entry.token, entry.units, entry.transaction_id, today)

    def _wanted(self, store: Store, entry: BankEntryRow, wanted: AchEntryRow) -> None:
        """Record the entry once, with what its file needs: it goes out at the next cut-off."""
        if banking.put_entry(store, entry):
            ach.want(store, wanted)

    def _entry(self, row: TransactionRow, direction: AchDirection) -> BankEntryRow:
        assert row.token
        return BankEntryRow(
            id=f"ach:{row.id}",
            transaction_id=row.id,
            direction=direction.value,
            token=row.token,
            units=row.units,
            external_id=None,
            status=EntryStatus.CREATED.value,
            code=None,
            updated_at_ms=self._clock.now_ms(),
        )

    def _intended(self, store: Store, row: TransactionRow, bank_ref: str, entry: BankEntryRow) -> EntryStatus | None:
        """Write down that the bank is about to have an order, before it has; None when it is not to have it now.

        Return how the entry stood before: `created`, or `unknown` when the bank may have it from an earlier call.
        Until it answers the entry is `unknown`: it counts as the bank's, and asking again is the same order again.
        Whether it may go is judged in this very transaction: an order or a block that is committed before holds it, and
        a stop on debits ends it.
        """
        registry.lock_account(store, row.value[1])
        banking.put_entry(store, entry)
        standing = banking.entry(store, entry.id, lock=True)
        assert standing is not None, "it was just written"
        if standing.status not in (EntryStatus.CREATED, EntryStatus.UNKNOWN):
            return None
        if standing.status == EntryStatus.CREATED:
            if entry.direction == "credit" and self._must_wait(store, row):
                raise PayoutHeld("This payout waits.")
            linked = banking.bank_account(store, bank_ref)
            assert linked is not None, "what is linked stays so"
            if entry.direction == "debit" and (refusal := self._no_debit(store, row, linked)):
                self._tell(store, entry.id, EntryEvent.REFUSE, bank_entries.UNASKED[refusal])
                return None
            self._tell(store, entry.id, EntryEvent.LOSE)
        return EntryStatus(standing.status)

    def _filed(self, store: Store, entry_id: str, external_id: str) -> None:
        """The bank has it: note its own number, with the posting that says the money is under way."""
        standing = banking.entry(store, entry_id, lock=True)
        assert standing is not None, "an order is written down before it is sent"
        banking.update_entry(
            store,
            entry_id,
            status=standing.status,
            code=standing.code,
            at_ms=self._clock.now_ms(),
            external_id=external_id,
        )
        if standing.status == EntryStatus.UNKNOWN:
            self._tell(store, entry_id, EntryEvent.FIND)

    def _tell(self, store: Store, entry_id: str, event: EntryEvent, code: str | None = None) -> None:
        entry, now_ms = banking.entry(store, entry_id), self._clock.now_ms()
        assert entry is not None
        on = datetime.fromtimestamp(now_ms / 1000, UTC).date()
        bank_entries.apply(store, self._region, entry, event, code=code, on=on, at_ms=now_ms)

    async def _identify(self, row: TransactionRow) -> None:
        """A registration that settled: hand the party to the KYC vendor. Its desk decides on the outcome."""
        message = read_message(row.raw).message
        assert isinstance(message, Register)
        await self._identities.apply(message.account, row.id)

    def _refuse(self, store: Store, transaction_id: str, code: str) -> None:
        current = transactions.get(store, transaction_id)
        if current is not None and current.status == Status.AWAITING_FUNDS:
            change = Change(transaction_id, Event.REJECT, code=code, detail=_REFUSALS[code])
            transactions.move(store, [change], actor=ACTOR, at_ms=self._clock.now_ms())


def _key(entry: BankEntryRow) -> str:
    """Return the idempotency key of an entry's order: the same in every call."""
    return entry.id.removeprefix("ach:")
