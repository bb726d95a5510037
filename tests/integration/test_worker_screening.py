"""Screening against a real store and a real queue: holds in order, reasons told, approvals by two people, time kept."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey

from databases import database_at
from domain_messages import ALICE, BOB, texas
from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.domain.authority import parties
from sdt.domain.envelope import b64url, kid_of, message_digest, seal_envelope
from sdt.domain.items import fee_of
from sdt.domain.ledger import Posting, prefunded, token_account
from sdt.domain.message import format_time, read_message
from sdt.domain.region import Region
from sdt.domain.registry import NEVER_S, Role
from sdt.domain.transaction import Event, Status
from sdt.domain.transaction_id import uuid7
from sdt.ports.queue import QueueEntry
from sdt.store import Store, banking, batches, deliveries, ledger, open_store, registry, transactions
from sdt.store.accounts import UserRow, create_user, mark_registered
from sdt.store.batches import FormedBatch
from sdt.store.registry import FreezeRow, IdentityRow, KeyRow
from sdt.store.transactions import AcceptedRow, Change, TransactionRow
from sdt.worker.clock import Clock
from sdt.worker.expiry import Expiry
from sdt.worker.projection import Settled, project
from sdt.worker.reading import Reading
from sdt.worker.screening import Screening
from sdt.workflows.sanctions import CLEAR, Finding, Stands

DOLLAR = "TXD"
KEY, ISSUER, APPROVER, OFFICER = (SigningKey(bytes([n]) * 32) for n in (1, 2, 3, 4))
NOW = {"release": [], "at_ms": 1}


class NobodyListed:
    """Names have tests of their own; here everybody is clear."""

    async def look(self, transaction_id: str, account: str, kind: str) -> Finding:
        return Finding(account, "known", "known", "list", ())

    def write(self, store: Store, finding: Finding, actor: str, now_ms: int) -> Stands:
        return Stands(CLEAR, "")


class MovedClock(Clock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead_s = 0

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self.ahead_s * 1000

    def now_s(self) -> int:
        return self.now_ms() // 1000


@dataclass
class Rig:
    store: Store
    queue: EmbeddedQueue
    region: Region
    clock: MovedClock
    screening: Screening
    made: int = field(default=0)

    def new_id(self) -> str:
        self.made += 1
        return uuid7(self.clock.now_ms(), self.made.to_bytes(10, "big"))

    def message(self, kind: str, key: SigningKey = KEY, transaction_id: str = "", **claims: Any) -> tuple[str, bytes]:
        transaction_id = transaction_id or self.new_id()
        base = {
            "type": kind,
            "version": 1,
            "network": "sdt-test",
            "transaction_id": transaction_id,
            "region": "US-TX",
            "issued_at": format_time(self.clock.now_s()),
        }
        return transaction_id, seal_envelope(kind, base | claims, key)

    def transfer(self, units: int, token: str = DOLLAR, life_s: int = 60) -> tuple[str, bytes]:
        return self.message(
            "transfer",
            token=token,
            payer=ALICE,
            payee=BOB,
            payee_handle="bob.tx",
            amount=str(units),
            fee_max="0",
            memo="",
            expires_at=format_time(self.clock.now_s() + life_s),
        )

    async def accept(self, *messages: tuple[str, bytes]) -> None:
        """What intake does once a message is verified: store, then queue."""
        rows = []
        for _, raw in messages:
            signed = read_message(raw)
            account, counterparty = parties(signed.message)
            rows.append(
                AcceptedRow(
                    signed.message.transaction_id,
                    signed.type,
                    signed.message.administrative,
                    signed.kid,
                    account,
                    counterparty,
                    getattr(signed.message, "token", None),
                    int(getattr(signed.message, "amount", 0)),
                    fee_of(signed, self.region),
                    signed.digest,
                    raw,
                    signed.issued_at_s,
                    signed.expires_at_s,
                    self.clock.now_ms(),
                )
            )
        await self.store.run(transactions.insert_accepted, rows)
        await self.queue.send([QueueEntry(ALICE, row.id, row.id) for row in rows])

    async def screen(self) -> None:
        """Take everything that waits, as the worker does."""
        while received := await self.queue.receive(500, 0.0, 30):
            await self.screening.take(received)
            for task in list(self.screening._outside):
                await task

    async def row(self, transaction_id: str) -> TransactionRow:
        found = await self.store.read(transactions.get, transaction_id)
        assert found is not None
        return found

    async def status(self, transaction_id: str) -> tuple[Status, str | None]:
        row = await self.row(transaction_id)
        return row.status, row.code


def prepare(store: Store) -> None:
    """Alice has 100.00 TXD; both people are known in the dollar domain, Bob is no resident."""
    now_ms = int(time.time() * 1000)
    for account, handle in ((ALICE, "alice.tx"), (BOB, "bob.tx")):
        create_user(store, UserRow(handle, account, handle, "US-TX", now_ms))
        mark_registered(store, account)
        registry.set_identity(store, IdentityRow(account, "dollar", 1, False, NEVER_S))
    officials = ((ISSUER, Role.ISSUER), (APPROVER, Role.APPROVER), (OFFICER, Role.COMPLIANCE_OFFICER))
    for key, account, role in ((KEY, ALICE, Role.CLIENT), *((key, None, role) for key, role in officials)):
        public = bytes(key.verify_key)
        registry.upsert_key(store, KeyRow(kid_of(public), public, account, int(role), 0, "active", NEVER_S, None))
    minted = Posting("Pending:TXD:x", token_account("TXD", ALICE), "TXD", 10_000)
    ledger.post(store, [("genesis", p) for p in (minted, *prefunded("TXD", 1_000_000))], release=[], at_ms=now_ms)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    store = open_store(database_at(tmp_path / "books.db"), migrate=True)
    await store.run(prepare)
    queue = EmbeddedQueue(tmp_path / "queue.db")
    region, clock = texas(), MovedClock()
    screening = Screening(store, queue, region, NobodyListed(), clock, 30, Reading())  # type: ignore[arg-type]
    yield Rig(store, queue, region, clock, screening)
    await queue.close()
    store.close()


async def test_funds_are_held_in_the_order_of_arrival(rig: Rig) -> None:
    payments = [rig.transfer(6_000), rig.transfer(5_000), rig.transfer(4_000)]
    await rig.accept(*payments)
    await rig.screen()
    assert [await rig.status(id_) for id_, _ in payments] == [
        (Status.SCREENED, None),
        (Status.REJECTED, "insufficient_funds"),
        (Status.SCREENED, None),
    ]
    (balance,) = await rig.store.read(ledger.balances, ALICE)
    assert (balance.posted, balance.held, balance.available) == (10_000, 10_000, 0)
    assert (await rig.queue.depth()).waiting == 0


async def test_a_second_delivery_changes_nothing(rig: Rig) -> None:
    payment = rig.transfer(6_000)
    await rig.accept(payment)
    received = await rig.queue.receive(10, 0, 30)
    await rig.screening.take(received)
    await rig.screening.take(received)
    (balance,) = await rig.store.read(ledger.balances, ALICE)
    assert balance.held == 6_000


async def test_a_refusal_names_its_law(rig: Rig) -> None:
    payment = rig.transfer(10**9, token="TXG")
    await rig.accept(payment)
    await rig.screen()
    row = await rig.row(payment[0])
    assert (row.status, row.rule, row.effective) == (Status.REJECTED, "TX-WALL-1", "2026-01-01")
    assert row.statute


async def test_what_was_late_on_arrival_expires(rig: Rig) -> None:
    payment = rig.transfer(100, life_s=60)
    await rig.accept(payment)
    rig.clock.ahead_s = 61
    await rig.screen()
    assert await rig.status(payment[0]) == (Status.EXPIRED, "expired_message")


async def test_a_screened_payment_that_outlives_its_time_gives_its_hold_back(rig: Rig) -> None:
    payment = rig.transfer(6_000, life_s=60)
    await rig.accept(payment)
    await rig.screen()
    expiry = Expiry(rig.store, rig.clock)
    assert await rig.store.run(expiry.expire) == 0
    rig.clock.ahead_s = 61
    assert await rig.store.run(expiry.expire) == 1
    assert await rig.status(payment[0]) == (Status.EXPIRED, "expired_message")
    (balance,) = await rig.store.read(ledger.balances, ALICE)
    assert (balance.held, balance.available) == (0, 10_000)
    assert await rig.store.read(ledger.discrepancies) == []


async def waiting_deposit(rig: Rig) -> str:
    details = banking.BankAccountRow("acct1", "alice.tx", ALICE, b"sealed", "...1", "active", rig.clock.now_ms())
    await rig.store.run(banking.link_account, details)
    deposit = rig.message(
        "deposit",
        token="TXD",
        account=ALICE,
        amount="500",
        source="bank:acct1",
        expires_at=format_time(rig.clock.now_s() + 60),
    )
    await rig.accept(deposit)
    await rig.screen()
    assert await rig.status(deposit[0]) == (Status.AWAITING_FUNDS, None)
    return deposit[0]


def issue(rig: Rig, deposit: str, **changes: str) -> tuple[str, bytes]:
    claims = {"token": "TXD", "account": ALICE, "amount": "500", "deposit": deposit, "evidence": "ee" * 32} | changes
    return rig.message("issue", ISSUER, **claims)


async def test_an_issue_waits_for_the_second_officer(rig: Rig) -> None:
    minted = issue(rig, await waiting_deposit(rig))
    await rig.accept(minted)
    await rig.screen()
    assert await rig.status(minted[0]) == (Status.HELD, "approval_required")
    by_maker = rig.message("approve", ISSUER, digest=message_digest(minted[1]).hex())
    unknown = rig.message("approve", APPROVER, digest="00" * 32)
    approval = rig.message("approve", APPROVER, digest=message_digest(minted[1]).hex())
    await rig.accept(by_maker, unknown)
    await rig.screen()
    assert await rig.status(by_maker[0]) == (Status.REJECTED, "wrong_role")
    assert await rig.status(unknown[0]) == (Status.REJECTED, "nothing_to_approve")
    await rig.accept(approval)
    await rig.screen()
    assert await rig.status(minted[0]) == (Status.SCREENED, None)
    assert (await rig.row(approval[0])).linked_id == minted[0]
    assert [row.id for row in await rig.store.run(transactions.claim_screened, 10)] == [minted[0]]


async def test_a_deposit_is_issued_against_once_and_exactly(rig: Rig) -> None:
    deposit = await waiting_deposit(rig)
    first, second = issue(rig, deposit), issue(rig, deposit)
    more, elsewhere = issue(rig, deposit, amount="501"), issue(rig, deposit, account=BOB)
    nowhere = issue(rig, rig.new_id())
    await rig.accept(first, second, more, elsewhere, nowhere)
    await rig.screen()
    assert [await rig.status(id_) for id_, _ in (first, second, more, elsewhere, nowhere)] == [
        (Status.HELD, "approval_required"),
        (Status.REJECTED, "deposit_used"),
        (Status.REJECTED, "deposit_mismatch"),
        (Status.REJECTED, "deposit_mismatch"),
        (Status.REJECTED, "unknown_deposit"),
    ]


@pytest.mark.parametrize(
    ("source", "code"),
    [("bank:other", "unknown_bank_account"), ("delivery:home", "not_offered")],
)
async def test_money_comes_in_by_ways_that_exist(rig: Rig, source: str, code: str) -> None:
    deposit = rig.message(
        "deposit",
        token="TXD",
        account=ALICE,
        amount="500",
        source=source,
        expires_at=format_time(rig.clock.now_s() + 60),
    )
    await rig.accept(deposit)
    await rig.screen()
    assert await rig.status(deposit[0]) == (Status.REJECTED, code)


@pytest.mark.parametrize(
    ("taken", "expected"),
    [(True, (Status.AWAITING_FUNDS, None)), (False, (Status.REJECTED, "not_offered"))],
)
async def test_currency_comes_in_where_the_region_says_so(
    rig: Rig, taken: bool, expected: tuple[Status, str | None]
) -> None:
    tokens = tuple(msgspec.structs.replace(t, currency=taken and t.symbol == "TXD") for t in rig.region.tokens)
    region = dataclasses.replace(rig.region, tokens=tokens)
    rig.screening = Screening(rig.store, rig.queue, region, NobodyListed(), rig.clock, 30, Reading())  # type: ignore[arg-type]
    deposit = rig.message(
        "deposit",
        token="TXD",
        account=ALICE,
        amount="1000001",
        source="dropoff:counter",
        expires_at=format_time(rig.clock.now_s() + 60),
    )
    await rig.accept(deposit)
    await rig.screen()
    assert await rig.status(deposit[0]) == expected


async def test_a_batched_payment_does_not_expire(rig: Rig) -> None:
    payment = rig.transfer(100, life_s=60)
    await rig.accept(payment)
    await rig.screen()
    change = Change(payment[0], Event.BATCH, batch_number=1, position=0)
    await rig.store.run(transactions.move, [change], actor="test", at_ms=rig.clock.now_ms())
    rig.clock.ahead_s = 3600
    assert await rig.store.run(Expiry(rig.store, rig.clock).expire) == 0
    assert await rig.status(payment[0]) == (Status.BATCHED, None)


async def test_what_died_in_the_queue_is_taken_up_again(rig: Rig) -> None:
    payment = rig.transfer(100, life_s=3600)
    await rig.accept(payment)
    received = await rig.queue.receive(10, 0, 30)
    await rig.queue.delete([one.receipt for one in received])
    assert await rig.screening.sweep_once() == 0
    rig.clock.ahead_s = 181
    assert await rig.screening.sweep_once() == 1
    assert await rig.status(payment[0]) == (Status.SCREENED, None)


async def test_a_message_that_cannot_be_read_takes_no_other_with_it_and_stays_in_the_queue(rig: Rig) -> None:
    # given three payments, of which the second's row holds what no version of ours wrote
    payments = [rig.transfer(100, life_s=3600) for _ in range(3)]
    await rig.accept(*payments)
    spoilt = payments[1][0]

    def spoil(store: Store) -> None:
        store.execute("UPDATE transactions SET raw = ? WHERE id = ?", (b"of a version to come", spoilt))

    await rig.store.run(spoil)
    # when they are judged together
    await rig.screening.take(await rig.queue.receive(10, 0, 0.05))
    # then the others have their verdict, and its message is delivered again
    statuses = [(await rig.status(id_))[0] for id_, _ in payments]
    assert statuses == [Status.SCREENED, Status.ACCEPTED, Status.SCREENED]
    await asyncio.sleep(0.1)
    assert [message.body for message in await rig.queue.receive(10, 0, 30)] == [spoilt]
    # and the sweep goes on past it
    rig.clock.ahead_s = 181
    assert await rig.screening.sweep_once() == 1


def seizure(rig: Rig, units: int = 7_000, **changes: str) -> tuple[str, bytes]:
    claims = {"account": ALICE, "token": DOLLAR, "amount": str(units), "to": BOB, "order": "S-1", "authority": "Court"}
    return rig.message("seize", OFFICER, **(claims | changes))


async def freeze(rig: Rig, account: str = ALICE) -> None:
    await rig.store.run(registry.set_freeze, FreezeRow(account, DOLLAR, bytes(32), NEVER_S))


async def test_a_seizure_follows_a_freeze_and_takes_no_more_than_there_is(rig: Rig) -> None:
    early = seizure(rig)
    await rig.accept(early)
    await rig.screen()
    assert await rig.status(early[0]) == (Status.REJECTED, "not_frozen")
    await freeze(rig)
    too_much, stranger, good = seizure(rig, 10_001), seizure(rig, to="0x" + "77" * 20), seizure(rig)
    await rig.accept(too_much, stranger, good)
    await rig.screen()
    assert [await rig.status(id_) for id_, _ in (too_much, stranger, good)] == [
        (Status.REJECTED, "insufficient_funds"),
        (Status.REJECTED, "payee_not_eligible"),
        (Status.HELD, "approval_required"),
    ]
    await freeze(rig, BOB)
    late = seizure(rig)
    await rig.accept(late)
    await rig.screen()
    assert await rig.status(late[0]) == (Status.REJECTED, "payee_frozen")


async def test_a_seizure_waits_for_the_approver(rig: Rig) -> None:
    await freeze(rig)
    order = seizure(rig)
    await rig.accept(order)
    await rig.screen()
    own, issuers, good = (
        rig.message("approve", key, digest=message_digest(order[1]).hex()) for key in (OFFICER, ISSUER, APPROVER)
    )
    await rig.accept(own, issuers)
    await rig.screen()
    assert [(await rig.row(id_)).code for id_, _ in (own, issuers)] == ["wrong_role", "wrong_role"]
    await rig.accept(good)
    await rig.screen()
    assert await rig.status(order[0]) == (Status.SCREENED, None)


async def test_who_administers_one_token_touches_no_key_of_another_and_no_rules(rig: Rig) -> None:
    # given two administrators of gold, one of the whole region, and a dollar custodian
    of_gold, colleague, of_all, custodian = (SigningKey(bytes([n]) * 32) for n in (11, 12, 13, 14))
    known = ((of_gold, Role.ADMINISTRATOR, 2), (colleague, Role.ADMINISTRATOR, 2), (of_all, Role.ADMINISTRATOR, 0))
    for key, role, scope in (*known, (custodian, Role.CUSTODIAN, 1)):
        public = bytes(key.verify_key)
        row = KeyRow(kid_of(public), public, None, int(role), scope, "active", NEVER_S, None)
        await rig.store.run(registry.upsert_key, row)

    def grant(maker: SigningKey, key: SigningKey) -> tuple[str, bytes]:
        public_key, expires_at = b64url(bytes(key.verify_key)).decode(), format_time(rig.clock.now_s() + 60)
        claims = {"public_key": public_key, "role": "custodian", "token": "TXG", "expires_at": expires_at}
        return rig.message("grant_role", maker, action="revoke", **claims)

    # when they take the custodian's role, or the other administrator's, then they are refused at once
    for key in (custodian, of_all):
        revoked = grant(of_gold, key)
        await rig.accept(revoked)
        await rig.screen()
        assert await rig.status(revoked[0]) == (Status.REJECTED, "wrong_scope")
    # and they approve no such thing of somebody else, nor rules
    rules = rig.message("set_rules", of_all, digest="ab" * 32, effective=format_time(rig.clock.now_s()))
    for waiting in (grant(of_all, custodian), rules):
        approval = rig.message("approve", colleague, digest=message_digest(waiting[1]).hex())
        for message in (waiting, approval):
            await rig.accept(message)
            await rig.screen()
        assert await rig.status(waiting[0]) == (Status.HELD, "approval_required")
        assert await rig.status(approval[0]) == (Status.REJECTED, "wrong_scope")
    # while their own token's keys are theirs
    own = grant(of_gold, SigningKey(bytes([15]) * 32))
    approval = rig.message("approve", colleague, digest=message_digest(own[1]).hex())
    for message in (own, approval):
        await rig.accept(message)
        await rig.screen()
    assert await rig.status(own[0]) == (Status.SCREENED, None)


async def test_two_approvals_that_arrive_together_approve_once(rig: Rig) -> None:
    # Given what waits for an approval, and two of them, sent by the same officer from two desks at the same moment
    await freeze(rig)
    order = seizure(rig)
    await rig.accept(order)
    await rig.screen()
    twice = [rig.message("approve", APPROVER, digest=message_digest(order[1]).hex()) for _ in range(2)]
    await rig.accept(*twice)
    # When one round takes both
    await rig.screen()
    # Then the first frees it, and the second finds nothing to approve: no message stops the lane
    assert await rig.status(order[0]) == (Status.SCREENED, None)
    assert [await rig.status(id_) for id_, _ in twice] == [
        (Status.SCREENED, None),
        (Status.REJECTED, "nothing_to_approve"),
    ]


async def test_metal_is_held_and_wanted_and_nobody_may_approve_it_out_of_turn(rig: Rig) -> None:
    # Given Alice, a resident with two grams of gold
    registry_of = IdentityRow(ALICE, "cash", 1, True, NEVER_S)
    await rig.store.run(registry.set_identity, registry_of)
    minted = Posting("Pending:TXG:x", token_account("TXG", ALICE), "TXG", 2_000)
    await rig.store.run(ledger.post, [("genesis", minted)], **NOW)

    def wanted(units: int, destination: str) -> tuple[str, bytes]:
        return rig.message(
            "redeem",
            token="TXG",
            account=ALICE,
            amount=str(units),
            fee_max="0",
            destination=destination,
            expires_at=format_time(rig.clock.now_s() + 60),
        )

    # When she wants them at a counter, twice, and once by a way that metal does not go
    good, again, wrong = (
        wanted(2_000, "delivery:austin-1"),
        wanted(1, "delivery:austin-1"),
        wanted(1, "dropoff:austin-1"),
    )
    await rig.accept(good)
    await rig.screen()
    await rig.accept(again, wrong)
    await rig.screen()
    # Then they are held until the bars are at the counter, and a delivery is noted with it
    assert await rig.status(good[0]) == (Status.HELD, "being_picked")
    assert (await rig.status(again[0]))[1] == "insufficient_funds"
    assert (await rig.status(wrong[0]))[1] == "not_offered"
    (row,) = await rig.store.read(deliveries.opened, 10)
    assert (row.transaction_id, row.units, row.destination) == (good[0], 2_000, "delivery:austin-1")
    assert await rig.store.read(ledger.discrepancies) == []
    # and no officer's approval sends it to the burn before that
    approval = rig.message("approve", APPROVER, digest=message_digest(good[1]).hex())
    await rig.accept(approval)
    await rig.screen()
    assert (await rig.status(approval[0]))[1] == "nothing_to_approve"
    # and when its time runs out the gold is hers again
    rig.clock.ahead_s = 61
    assert await rig.store.run(Expiry(rig.store, rig.clock).expire) == 1
    assert (await rig.store.read(ledger.balances, ALICE))[1].available == 2_000
    assert await rig.store.read(ledger.discrepancies) == []


async def test_a_final_seizure_is_posted_and_payments_that_held_its_funds_are_refused(rig: Rig) -> None:
    # given a payment that holds most of Alice's funds, and another of Bob's
    await rig.store.run(ledger.post, [("g", Posting("Pending:TXD:y", token_account("TXD", BOB), "TXD", 50))], **NOW)
    payment = rig.transfer(6_000)
    await rig.accept(payment)
    await rig.screen()
    await freeze(rig)
    order = seizure(rig, 9_000)
    await rig.accept(order)
    await rig.screen()
    approval = rig.message("approve", APPROVER, digest=message_digest(order[1]).hex())
    await rig.accept(approval)
    await rig.screen()
    at_ms = rig.clock.now_ms()

    def settle(store: Store) -> None:
        batches.form(store, FormedBatch(9, "admin", bytes(32), 2**31, 0, 1, at_ms))
        transactions.place_in_batch(store, order[:1], 9, actor="test", at_ms=at_ms)
        transactions.attach_to_batch(store, approval[:1], 9, actor="test", at_ms=at_ms)
        signed = {"root": bytes(32), "head": bytes(32), "gas": 1, "chain_tx_hash": bytes(32), "raw_tx": b"raw"}
        batches.mark_signed(store, 9, **signed, signed_at_ms=at_ms)
        project(store, rig.region, Settled(9, transactions.in_batch(store, 9), approval[:1], {}), at_ms)
        batches.mark_final(store, 9, block_number=1, block_hash=bytes(32), skipped_count=0, final_at_ms=at_ms)

    # when the seizure is final
    await rig.store.run(settle)
    # then the books say what the chain says, and the payment holds nothing any more
    assert await rig.status(order[0]) == await rig.status(approval[0]) == (Status.COMPLETED, None)
    assert await rig.status(payment[0]) == (Status.REJECTED, "payer_frozen")
    assert [(b.posted, b.held) for b in await rig.store.read(ledger.balances, ALICE)] == [(1_000, 0)]
    assert [(b.posted, b.held) for b in await rig.store.read(ledger.balances, BOB)] == [(9_050, 0)]
    assert await rig.store.read(ledger.discrepancies) == []


async def test_one_officer_stops_a_token_and_two_let_it_go_on(rig: Rig) -> None:
    stop = rig.message("pause", OFFICER, token="", reason="INC-7")
    go_on = rig.message("resume", OFFICER, token="", reason="INC-7")
    await rig.accept(stop, go_on)
    await rig.screen()
    assert await rig.status(stop[0]) == (Status.SCREENED, None)
    assert await rig.status(go_on[0]) == (Status.HELD, "approval_required")
