"""The first half of the worker: takes ids from the queue, checks each transaction, and holds the payer's funds.

Any number may run; none keeps anything in memory. A message leaves the queue once its verdict is committed, so a
payer waits for screening and not for settlement. Rules over history and sanctions screening belong here: signers
check the per-transaction rules again, and hold neither history nor names.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from sdt.domain.authority import approver_role, speaks_for
from sdt.domain.errors import SdtError, Unavailable, Unprocessable
from sdt.domain.ledger import token_account
from sdt.domain.message import Approve, Deposit, Issue, Message, Redeem, Register, Seize, Transfer
from sdt.domain.region import Region
from sdt.domain.rules import UNKNOWN, AccountFacts, check_rules, check_seizure
from sdt.domain.transaction import Event, Status
from sdt.ports import Queue, Received
from sdt.store import Store, banking, deliveries, ledger, registry, transactions
from sdt.store.transactions import Change, TransactionRow
from sdt.worker.clock import Clock
from sdt.worker.reading import Reading
from sdt.worker.sanctions import Sanctions

__all__ = ["Screening"]

log = logging.getLogger(__name__)

RECEIVE_MAX = 500
FORGOTTEN_S = 180
"""After so long a message that is still `accepted` has died in the queue, or its vendor was away."""
ACTOR = "worker:screening"
APPROVAL_REQUIRED = "approval_required"


@dataclass(slots=True)
class _Verdicts:
    """What one round decided: changes to write, and those who first need an answer from outside."""

    changes: list[Change] = field(default_factory=list)
    to_hold: list[tuple[TransactionRow, int]] = field(default_factory=list)
    outside: list[tuple[TransactionRow, Message]] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)
    """What an approval of this very round has freed: a second one finds nothing to approve."""
    deposits: set[str] = field(default_factory=set)
    """Deposits that an issue of this very round was judged for."""


class Screening:
    """Pulls the queue and decides. `wake` is called after a commit that gives the lane something to do."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        region: Region,
        sanctions: Sanctions,
        clock: Clock,
        visibility_s: float,
        reading: Reading,
    ) -> None:
        self._store = store
        self._queue = queue
        self._region = region
        self._sanctions = sanctions
        self._clock = clock
        self._visibility_s = visibility_s
        self._reading = reading
        self._outside: set[asyncio.Task[None]] = set()
        self.screened = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled; a failure outside is logged and tried again, since the queue keeps the message."""
        while True:
            try:
                received = await self._queue.receive(RECEIVE_MAX, 1.0, self._visibility_s)
                if received:
                    await self.take(received)
            except Unavailable as error:
                log.warning("screening waits: %s", error.detail)
                await asyncio.sleep(0.5)

    async def sweep(self) -> None:
        """Take up, until cancelled, what the queue has given up on: nothing acknowledged stays `accepted` for good."""
        while True:
            await asyncio.sleep(FORGOTTEN_S / 3)
            await self.sweep_once()

    async def sweep_once(self) -> int:
        """Judge what was accepted long ago and is in no delivery; returns how many there were."""
        before_ms = self._clock.now_ms() - FORGOTTEN_S * 1000
        rows = await self._store.read(transactions.in_status, Status.ACCEPTED, RECEIVE_MAX)
        forgotten = [row.id for row in rows if row.updated_at_ms < before_ms]
        if forgotten:
            log.warning("%d transactions were forgotten by the queue and are screened now", len(forgotten))
            for row, message in await self._store.run(self._decide, forgotten):
                await self._decide_outside(row, message, None)
            self.screened.set()
        return len(forgotten)

    async def take(self, received: Sequence[Received]) -> None:
        """Decide a round of messages, commit the verdicts, then delete the messages."""
        ids = [message.body for message in received]
        waiting = await self._store.run(self._decide, ids)
        self.screened.set()
        by_id = {message.body: message.receipt for message in received}
        later = {row.id for row, _ in waiting}
        await self._queue.delete([receipt for id_, receipt in by_id.items() if id_ not in later])
        for row, message in waiting:
            task = asyncio.create_task(self._decide_outside(row, message, by_id[row.id]))
            self._outside.add(task)
            task.add_done_callback(self._outside.discard)

    def _decide(self, store: Store, ids: Sequence[str]) -> list[tuple[TransactionRow, Message]]:
        """Decide everything that needs no answer from outside, in one database transaction."""
        rows = transactions.get_many(store, ids, lock=True)
        fresh = [rows[id_] for id_ in dict.fromkeys(ids) if id_ in rows and rows[id_].status == Status.ACCEPTED]
        signed = [(row, self._reading.read(row, keep=True).message) for row in fresh]
        addresses = {a for row, _ in signed for a in (row.account, row.counterparty) if a}
        addresses |= {message.to for _, message in signed if isinstance(message, Seize)}
        facts = registry.facts(store, sorted(addresses))
        verdicts = _Verdicts()
        for row, message in signed:
            self._judge(store, row, message, facts, verdicts)
        self._hold(store, verdicts)
        transactions.move(store, verdicts.changes, actor=ACTOR, at_ms=self._clock.now_ms())
        return verdicts.outside

    def _judge(
        self,
        store: Store,
        row: TransactionRow,
        message: Message,
        facts: dict[str, AccountFacts],
        verdicts: _Verdicts,
    ) -> None:
        now_s = self._clock.now_s()
        if row.expires_at_s <= now_s:
            verdicts.changes.append(Change(row.id, Event.EXPIRE, code="expired_message"))
            return
        refusal = check_rules(row.type, message, self._region, lambda a: facts.get(a, UNKNOWN), now_s)
        if refusal:
            verdicts.changes.append(
                Change(
                    row.id,
                    Event.REJECT,
                    code=refusal.code,
                    detail=refusal.text,
                    rule=refusal.rule,
                    statute=refusal.statute,
                    effective=refusal.effective,
                )
            )
        elif isinstance(message, Transfer):
            verdicts.to_hold.append((row, row.units + row.fee_units))
        elif isinstance(message, Deposit | Redeem | Register):
            unserved = self._unserved(store, message)
            if unserved:
                verdicts.changes.append(Change(row.id, Event.REJECT, code=unserved[0], detail=unserved[1]))
            else:
                verdicts.outside.append((row, message))
        elif isinstance(message, Issue):
            verdicts.changes.append(self._judge_issue(store, row, message, verdicts.deposits))
        elif isinstance(message, Approve):
            verdicts.changes.extend(self._judge_approval(store, row, message, verdicts.approved))
        elif isinstance(message, Seize):
            verdicts.changes.append(self._judge_seizure(store, row, message, facts))
        elif message.approval:
            verdicts.changes.append(_held_for_approval(row))
        else:
            verdicts.changes.append(Change(row.id, Event.SCREEN))

    def _unserved(self, store: Store, message: Deposit | Redeem | Register) -> tuple[str, str] | None:
        """Say why a deposit or redemption goes nowhere: no such way, or another's bank account."""
        if isinstance(message, Register):
            return None
        coming_in = isinstance(message, Deposit)
        way, _, reference = (message.source if isinstance(message, Deposit) else message.destination).partition(":")
        token = self._region.token(message.token)
        if token.domain == "dollar":
            # Coin and paper come over the treasury's counter where the region's file says so.
            offered = "dropoff" if coming_in and token.currency and way == "dropoff" else "bank"
        else:
            offered = "dropoff" if coming_in else "delivery"
        if way != offered:
            return "not_offered", f"{message.token} does not {'come in' if coming_in else 'go out'} by {way}."
        if way == "bank":
            linked = banking.bank_account(store, reference)
            if linked is None or linked.account != message.account:
                return "unknown_bank_account", "No such bank account is linked to this account."
        return None

    def _hold(self, store: Store, verdicts: _Verdicts) -> None:
        """Reserve funds in the order of arrival; who has too little is rejected here and not on chain."""
        wants = [(row.id, row.ledger_account, units) for row, units in verdicts.to_hold]
        for (row, units), enough in zip(verdicts.to_hold, ledger.hold(store, wants), strict=True):
            if enough and row.type == "redeem" and self._region.token(row.value[0]).domain == "cash":
                verdicts.changes.append(self._held_for_picking(store, row, units))
            elif enough:
                verdicts.changes.append(Change(row.id, Event.SCREEN, held_units=units))
            else:
                verdicts.changes.append(
                    Change(
                        row.id,
                        Event.REJECT,
                        code="insufficient_funds",
                        detail="The account does not hold that much beyond what is already on its way.",
                    )
                )

    def _held_for_picking(self, store: Store, row: TransactionRow, units: int) -> Change:
        """Metal is wanted and its tokens are held; the burn waits until the bars are at the counter."""
        token, account = row.value
        destination = self._reading.read(row).message.destination
        deliveries.put(store, row.id, token, account, row.units, destination, at_ms=self._clock.now_ms())
        detail = "The tokens are held; the bars are being set aside and brought to the counter."
        return Change(row.id, Event.HOLD, code="being_picked", detail=detail, held_units=units)

    def _judge_issue(self, store: Store, row: TransactionRow, message: Issue, taken: set[str]) -> Change:
        """An issue names a deposit that waits for it, and says the same as that deposit."""
        deposit = transactions.get(store, message.deposit)
        if deposit is None or deposit.type != "deposit":
            return Change(row.id, Event.REJECT, code="unknown_deposit", detail="There is no such deposit.")
        if (deposit.account, deposit.token, deposit.units) != (message.account, message.token, int(message.amount)):
            return Change(
                row.id,
                Event.REJECT,
                code="deposit_mismatch",
                detail="Account, token or amount differ from the deposit.",
            )
        rivals = [t for t in transactions.linked_to(store, deposit.id) if t.type == "issue" and t.id != row.id]
        if (
            deposit.status != Status.AWAITING_FUNDS
            or deposit.id in taken
            or any(t.status != Status.REJECTED for t in rivals)
        ):
            return Change(row.id, Event.REJECT, code="deposit_used", detail="This deposit does not wait to be issued.")
        taken.add(deposit.id)
        return _held_for_approval(row, deposit.id)

    def _judge_seizure(
        self, store: Store, row: TransactionRow, message: Seize, facts: dict[str, AccountFacts]
    ) -> Change:
        """A seizure follows a freeze, and takes no more than there is; what payments hold does not keep it off."""
        try:
            check_seizure(message, self._region, lambda a: facts.get(a, UNKNOWN), self._clock.now_s())
        except Unprocessable as error:
            return Change(row.id, Event.REJECT, code=error.code, detail=error.detail)
        books = ledger.account_balance(store, token_account(message.token, message.account))
        if books.credits - books.debits < int(message.amount):
            return Change(
                row.id, Event.REJECT, code="insufficient_funds", detail="The account does not hold that much."
            )
        return _held_for_approval(row)

    def _judge_approval(self, store: Store, row: TransactionRow, message: Approve, approved: set[str]) -> list[Change]:
        """An approval frees the message it names, and travels with it."""
        target = transactions.by_digest(store, bytes.fromhex(message.digest))
        if target is None or target.status != Status.HELD or target.code != APPROVAL_REQUIRED or target.id in approved:
            return [
                Change(
                    row.id,
                    Event.REJECT,
                    code="nothing_to_approve",
                    detail="No message with this digest waits for an approval.",
                )
            ]
        key = registry.key(store, row.kid)
        if key is None or not key.roles & approver_role(target.type):
            return [
                Change(row.id, Event.REJECT, code="wrong_role", detail=f"A {target.type} is approved by another role.")
            ]
        if target.kid == row.kid:
            return [Change(row.id, Event.REJECT, code="same_officer", detail="Maker and checker are the same person.")]
        approved.add(target.id)
        return [Change(target.id, Event.SCREEN), Change(row.id, Event.SCREEN, linked_id=target.id)]

    async def _decide_outside(self, row: TransactionRow, message: Message, receipt: str | None) -> None:
        """Ask whoever knows names, then decide. A failure leaves the message in the queue, to be taken again."""
        try:
            clear = await self._sanctions.is_clear(row.id, speaks_for(message), row.type)
        except SdtError as error:
            log.warning("screening of %s waits: %s", row.id, error.detail)
            return
        await self._store.run(self._write_outside, row, message, clear)
        self.screened.set()
        if receipt is not None:
            await self._queue.delete([receipt])

    def _write_outside(self, store: Store, row: TransactionRow, message: Message, clear: bool) -> None:
        current = transactions.get(store, row.id)
        if current is None or current.status != Status.ACCEPTED:
            return
        verdicts = _Verdicts()
        if not clear:
            # The same neutral word whatever the reason: a suspicion shows nowhere outside the compliance role.
            verdicts.changes.append(Change(row.id, Event.REVIEW, code="in_review"))
        elif isinstance(message, Redeem):
            verdicts.to_hold.append((row, row.units + row.fee_units))
        elif isinstance(message, Deposit):
            verdicts.changes.append(Change(row.id, Event.AWAIT_FUNDS))
        else:
            verdicts.changes.append(Change(row.id, Event.SCREEN))
        self._hold(store, verdicts)
        transactions.move(store, verdicts.changes, actor=ACTOR, at_ms=self._clock.now_ms())


def _held_for_approval(row: TransactionRow, linked_id: str | None = None) -> Change:
    return Change(
        row.id,
        Event.HOLD,
        code=APPROVAL_REQUIRED,
        detail="A second officer's approval is needed.",
        linked_id=linked_id,
    )
