"""What one round of screening decides, inside its database transaction: every verdict, and the funds it holds.

Where rounds come from (the queue, a sweep, an officer's word) is `worker.screening`; this asks nobody outside and
keeps nothing in memory, so that any process may do it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sdt.domain.ach.exposure import Minted
from sdt.domain.errors import Unavailable
from sdt.domain.message import (
    Adjust,
    Approve,
    Deposit,
    GrantRole,
    Issue,
    Message,
    Redeem,
    Register,
    RotateKey,
    Seize,
    Transfer,
)
from sdt.domain.region import Region
from sdt.domain.rules import UNKNOWN, AccountFacts, check_rules
from sdt.domain.transaction import Event, Status
from sdt.store import Store, banking, deliveries, ledger, registry, reviews, sanctions, transactions, undone
from sdt.store.transactions import Change, TransactionRow
from sdt.worker.clock import Clock
from sdt.worker.judging import (
    held_for_approval,
    in_review,
    judge_adjustment,
    judge_approval,
    judge_grant,
    judge_issue,
    judge_rotation,
    judge_seizure,
    on_hold,
    refused,
    stopped,
)
from sdt.worker.reading import Reading
from sdt.worker.sanctions import Sanctions
from sdt.workflows.counted import counted_for, follow
from sdt.workflows.sanctions import BLOCKED, CLEAR, REVIEW, Finding, hold, stands_of

__all__ = ["ROUND_MAX", "Named", "ScreeningRound", "decide_all"]

log = logging.getLogger(__name__)

ROUND_MAX = 500
ACTOR = "worker:screening"
Named = Register | Deposit | Issue | Redeem
"""What is about one account whose people are screened by name."""
NAMED = ("register", "deposit", "issue", "redeem")


def _parties(row: TransactionRow) -> list[str]:
    return [account for account in (row.account, row.counterparty) if account]


@dataclass(slots=True)
class _Verdicts:
    """What one round decided: changes to write, and those who first need an answer from outside."""

    changes: list[Change] = field(default_factory=list)
    to_hold: list[tuple[TransactionRow, int]] = field(default_factory=list)
    listed: dict[str, list[str]] = field(default_factory=dict)
    """Of those to hold, payments that wait for a review of these accounts if the funds are there: nothing is held."""
    outside: list[tuple[TransactionRow, Named]] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)
    """What an approval of this very round has freed: a second one finds nothing to approve."""
    minting: list[tuple[str, Minted]] = field(default_factory=list)
    """What issues of ACH deposits this very round let go on: the next one's look at the cover counts it."""
    on_hold: set[tuple[str, str]] = field(default_factory=set)
    """Accounts whose outgoing payments wait for a debt, by token."""
    paid: Collection[str] = ()
    """Deposits whose currency was counted: their time was kept, and does not end them."""


class ScreeningRound:
    """Decides rounds; each method is the whole of one database transaction."""

    def __init__(self, region: Region, sanctions: Sanctions, clock: Clock, reading: Reading) -> None:
        self._region = region
        self._sanctions = sanctions
        self._clock = clock
        self._reading = reading

    def decide(self, store: Store, ids: Sequence[str]) -> list[tuple[TransactionRow, Named]]:
        """Decide everything that needs no answer from outside, in one database transaction."""
        rows = transactions.get_many(store, ids, lock=True)
        fresh = [rows[id_] for id_ in dict.fromkeys(ids) if id_ in rows and rows[id_].status == Status.ACCEPTED]
        signed = [(row, self._reading.read(row, keep=True).message) for row in fresh]
        addresses = {a for row, _ in signed for a in (row.account, row.counterparty) if a}
        addresses |= {message.to for _, message in signed if isinstance(message, Seize)}
        facts = registry.facts(store, sorted(addresses))
        verdicts = _Verdicts(on_hold=undone.on_hold(store, sorted(addresses)), paid=self._paid(store, fresh))
        for row, message in signed:
            self._judge(store, row, message, facts, verdicts)
        locked = {row.id: (row.type, row.status) for row in fresh}
        self._write(store, rows, verdicts, locked)
        return verdicts.outside

    def _paid(self, store: Store, rows: Iterable[TransactionRow]) -> Collection[str]:
        """Return those deposits past their time whose currency is here."""
        now_s = self._clock.now_s()
        return counted_for(store, [row.id for row in rows if row.type == "deposit" and row.expires_at_s <= now_s])

    def _write(
        self,
        store: Store,
        rows: Mapping[str, TransactionRow],
        verdicts: _Verdicts,
        locked: Mapping[str, tuple[str, Status]] | None = None,
    ) -> None:
        """Hold funds, write what was decided, and follow it where dollars are here already."""
        self._hold(store, verdicts)
        now_ms = self._clock.now_ms()
        transactions.move(store, verdicts.changes, actor=ACTOR, at_ms=now_ms, locked=locked)
        follow(store, rows, verdicts.changes, actor=ACTOR, at_ms=now_ms)

    def _judge(
        self,
        store: Store,
        row: TransactionRow,
        message: Message,
        facts: dict[str, AccountFacts],
        verdicts: _Verdicts,
    ) -> None:
        now_s = self._clock.now_s()
        if row.expires_at_s <= now_s and row.id not in verdicts.paid:
            verdicts.changes.append(Change(row.id, Event.EXPIRE, code="expired_message"))
            return
        refusal = check_rules(row.type, message, self._region, lambda a: facts.get(a, UNKNOWN), now_s)
        if refusal:
            verdicts.changes.append(refused(row, refusal))
        elif isinstance(message, Transfer | Redeem) and (row.account, row.token) in verdicts.on_hold:
            verdicts.changes.append(on_hold(row))
        elif isinstance(message, Transfer):
            self._judge_transfer(row, message, facts, verdicts)
        elif isinstance(message, Deposit | Redeem | Register):
            unserved = self._unserved(store, message)
            if unserved:
                verdicts.changes.append(Change(row.id, Event.REJECT, code=unserved[0], detail=unserved[1]))
            else:
                verdicts.outside.append((row, message))
        elif isinstance(message, Issue):
            verdicts.outside.append((row, message))
        elif isinstance(message, Approve):
            verdicts.changes.extend(judge_approval(store, self._region, row, message, verdicts.approved))
        elif isinstance(message, Adjust):
            verdicts.changes.append(judge_adjustment(store, self._region, row, message, facts, now_s))
        elif isinstance(message, Seize):
            verdicts.changes.append(judge_seizure(store, self._region, row, message, facts, now_s))
        elif isinstance(message, RotateKey):
            verdicts.changes.append(judge_rotation(store, row, message))
        elif isinstance(message, GrantRole):
            verdicts.changes.append(judge_grant(store, row, message))
        elif message.approval:
            verdicts.changes.append(held_for_approval(row))
        else:
            verdicts.changes.append(Change(row.id, Event.SCREEN))

    def _judge_transfer(
        self,
        row: TransactionRow,
        message: Transfer,
        facts: dict[str, AccountFacts],
        verdicts: _Verdicts,
    ) -> None:
        """A payment is screened by how its parties stand: they were screened when they came, and are by every list.

        Whoever has not the funds is told that and no more: else one unit that nobody has would ask about anybody.
        """
        listed = [a for a in (message.payer, message.payee) if facts.get(a, UNKNOWN).standing in (REVIEW, BLOCKED)]
        verdicts.to_hold.append((row, row.units + row.fee_units))
        if listed:
            verdicts.listed[row.id] = listed

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
        granted = ledger.hold(store, wants, verdicts.listed)
        for (row, units), enough in zip(verdicts.to_hold, granted, strict=True):
            if enough and row.id in verdicts.listed:
                for account in verdicts.listed[row.id]:
                    hold(store, row.id, stands_of(store, account), self._clock.now_ms())
                verdicts.changes.append(in_review(row))
            elif enough and row.type == "redeem" and self._region.token(row.value[0]).domain == "cash":
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

    def decide_named(self, store: Store, row: TransactionRow, message: Named, finding: Finding) -> None:
        current = transactions.get_many(store, [row.id], lock=True).get(row.id)
        if current is None or current.status != Status.ACCEPTED:
            return
        verdicts = _Verdicts()
        now_ms = self._clock.now_ms()
        stands = self._sanctions.write(store, finding, ACTOR, now_ms)
        if stands.standing == CLEAR:
            self._go_on(store, row, message, verdicts)
        else:
            hold(store, row.id, stands, now_ms)
            # Linked, so that no desk takes its deposit for one that nobody has issued yet.
            verdicts.changes.append(in_review(row, message.deposit if isinstance(message, Issue) else None))
        self._write(store, {row.id: current}, verdicts)

    def _go_on(self, store: Store, row: TransactionRow, message: Message, verdicts: _Verdicts) -> None:
        """Let what nobody stops take its way."""
        if isinstance(message, Transfer | Redeem) and row.value[::-1] in undone.on_hold(store, [row.value[1]]):
            verdicts.changes.append(on_hold(row))
        elif isinstance(message, Transfer | Redeem):
            verdicts.to_hold.append((row, row.units + row.fee_units))
        elif isinstance(message, Deposit):
            verdicts.changes.append(Change(row.id, Event.AWAIT_FUNDS))
        elif isinstance(message, Issue):
            verdicts.changes.append(
                judge_issue(store, self._region, row, message, self._clock.now_ms(), verdicts.minting)
            )
        else:
            verdicts.changes.append(Change(row.id, Event.SCREEN))

    def decide_again(self, store: Store) -> int:
        verdict_of = dict(reviews.decided(store, ROUND_MAX))
        rows = transactions.get_many(store, list(verdict_of), lock=True)
        due = sanctions.due_among(store, self._screened_by_name(rows.values()), self._clock.now_s())
        waiting = [
            row
            for row in rows.values()
            if row.status is Status.IN_REVIEW and (verdict_of[row.id] == "stop" or due.isdisjoint(_parties(row)))
        ]
        reviews.forget(store, [row.id for row in waiting])
        verdicts = _Verdicts(paid=self._paid(store, waiting))
        for row in waiting:
            if verdict_of[row.id] == "stop":
                verdicts.changes.append(stopped(row))
            else:
                self._judge_again(store, row, verdicts)
        self._write(store, rows, verdicts)
        return len(waiting)

    def _screened_by_name(self, rows: Iterable[TransactionRow]) -> list[str]:
        """Return the accounts whose people are held against the list in force before what is cleared goes on."""
        return sorted({account for row in rows if row.type in NAMED for account in _parties(row)})

    def _judge_again(self, store: Store, row: TransactionRow, verdicts: _Verdicts) -> None:
        """Judge what was cleared as of now: its time, the rules, and how its parties stand meanwhile."""
        message = self._reading.read(row).message
        if row.expires_at_s <= self._clock.now_s() and row.id not in verdicts.paid:
            verdicts.changes.append(Change(row.id, Event.EXPIRE, code="expired_message"))
            return
        parties = _parties(row)
        facts = registry.facts(store, parties)
        refusal = check_rules(row.type, message, self._region, lambda a: facts.get(a, UNKNOWN), self._clock.now_s())
        if refusal:
            verdicts.changes.append(refused(row, refusal))
            return
        stands = {account: stands_of(store, account) for account in parties}
        listed = [each for each in stands.values() if each.standing != CLEAR]
        for each in listed:
            # It waits on, for another case: its status is the same, so nobody sees that it is not the first.
            hold(store, row.id, each, self._clock.now_ms())
        if not listed:
            self._go_on(store, row, message, verdicts)


async def decide_all(
    store: Store, round_: ScreeningRound, ids: Sequence[str]
) -> tuple[list[tuple[TransactionRow, Named]], set[str]]:
    """Decide all together; where one of them is more than this code can read, each alone.

    Returns those who first need an answer from outside, and the ids of those that cannot be judged: their messages
    stay in the queue, which sets them aside. Errors: Unavailable.
    """
    try:
        return await store.run(round_.decide, ids), set()
    except Unavailable:
        raise
    except Exception:
        log.exception("a round of %d fails; each is judged alone", len(ids))
    waiting, undone = [], set()
    for id_ in ids:
        try:
            waiting += await store.run(round_.decide, [id_])
        except Unavailable:
            raise
        except Exception as error:
            log.error("%s cannot be judged: %s", id_, type(error).__name__, extra={"transaction_id": id_})
            undone.add(id_)
    return waiting, undone
