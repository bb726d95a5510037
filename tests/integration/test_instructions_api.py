"""Orders that the bank takes one by one: written down before they are sent, and the same order after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ach_rig import Rig, ach_config
from nacl.signing import SigningKey
from sandbox_servers import Sandbox, sandbox
from test_bank_entries import tell

from domain_messages import envelope_claims, sealed, texas
from sdt.domain.ach.entry_life import EntryEvent
from sdt.domain.claims import format_time
from sdt.domain.envelope import message_digest
from sdt.domain.errors import Conflict, NotFound, SdtError, Unprocessable
from sdt.domain.ledger import payout_suspended, redeem_postings, suspense_ended
from sdt.domain.transaction import Event
from sdt.ports.bank import AchEntry, AchOrder, Bank
from sdt.ports.evidence import StateUnknown
from sdt.store import Store, banking, ledger, outbox, transactions
from sdt.store.transactions import Change
from sdt.worker.instructions import Instructions
from sdt.workflows import blocking
from store_rig import FEE_ACCOUNT, NOW_MS, TOKEN, accepted, address, fund, transaction_id

pytestmark = pytest.mark.slow
ENTRY = f"ach:{transaction_id(1)}"


@dataclass
class Dying:
    """The bank, where this process dies on the way back from it, or on the way there."""

    bank: Bank
    dies: str = ""

    async def originate(self, order: AchOrder, *, key: str) -> AchEntry:
        if self.dies == "before":
            raise asyncio.CancelledError
        entry = await self.bank.originate(order, key=key)
        if self.dies == "after":
            raise asyncio.CancelledError
        return entry


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "bank", "bank", "--program", "TXD") as (running, _):
        yield running


@pytest.fixture
async def rig(store: Store, server: Sandbox) -> AsyncIterator[Rig]:
    rig = Rig.open(store, server)
    linked = rig.user(1)
    with store.transaction():
        burnt(store, linked.ref)
    yield rig
    await rig.close()


def burnt(store: Store, ref: str) -> None:
    """A redemption of 100 that is burnt, and the instruction to pay it."""
    claims = envelope_claims("redeem") | {
        "transaction_id": transaction_id(1),
        "token": TOKEN,
        "account": address(1),
        "amount": "100",
        "fee_max": "0",
        "destination": f"bank:{ref}",
        "expires_at": format_time(NOW_MS // 1000 + 900),
    }
    raw = sealed("redeem", claims, SigningKey(bytes([99]) * 32))
    fund(store, 1, 100)
    row = accepted(1, units=100, type="redeem")._replace(raw=raw, digest=message_digest(raw))
    transactions.insert_accepted(store, [row])
    postings = redeem_postings(TOKEN, row.id, address(1), 100, 0, FEE_ACCOUNT)
    ledger.post(store, [(row.id, p) for p in postings], release=[], at_ms=NOW_MS)
    for step in (Event.SCREEN, Event.BATCH, Event.SUBMIT, Event.SETTLE):
        transactions.move(store, [Change(row.id, step)], actor="lane", at_ms=NOW_MS)


def instructions(rig: Rig, bank: Any) -> Instructions:
    vendors: Any = SimpleNamespace(bank=bank)
    config = ach_config(delivery="api")
    return Instructions(rig.store, texas(), vendors, rig.people, None, config, rig.clock)  # type: ignore[arg-type]


async def work(rig: Rig, dies: str = "", bank: Any = None) -> None:
    rig.store.execute("UPDATE outbox SET due_at_ms = 0")
    try:
        await instructions(rig, bank or Dying(rig.bank, dies)).work()
    except asyncio.CancelledError:
        assert dies


async def orders_at_bank(rig: Rig) -> int:
    found = banking.entry(rig.store, ENTRY)
    assert found is not None
    assert found.external_id is not None
    return (await rig.bank.ach_entry(found.external_id)).amount.units


@pytest.mark.parametrize("dies", ["before", "after"])
async def test_an_order_that_may_have_been_taken_is_known_before_the_answer(rig: Rig, dies: str) -> None:
    await work(rig, dies)
    found = banking.entry(rig.store, ENTRY)
    assert found is not None
    assert (found.status, found.external_id) == ("unknown", None)
    # It counts as the bank's: nothing blocks what may be on its way.
    with pytest.raises(Conflict), rig.store.transaction():
        blocking.block_payout(rig.store, transaction_id(1), reference="case", actor="x", at_ms=NOW_MS)

    await work(rig)
    assert rig.status(ENTRY) == "filed"
    assert await orders_at_bank(rig) == 100
    assert rig.cases() == []
    await work(rig)
    assert rig.store.row("SELECT count(*) FROM bank_entries")[0] == 1


async def test_what_is_paid_out_of_suspense_is_an_order_of_its_own(rig: Rig) -> None:
    await work(rig)
    id = transaction_id(1)
    ledger.post(rig.store, [(id, p) for p in payout_suspended(TOKEN, id, 100)], release=[], at_ms=NOW_MS)
    ledger.post(rig.store, [(id, p) for p in suspense_ended(TOKEN, id, 100)], release=[], at_ms=NOW_MS)
    wanted = {"transaction_id": id, "entry": f"{ENTRY}:2", "bank_account": "ref-1", "units": 100}
    assert outbox.put(rig.store, "instruct", f"{ENTRY}:2", wanted, NOW_MS)
    rig.store.execute("UPDATE users SET standing = 'review'")
    await work(rig)
    assert banking.entry(rig.store, f"{ENTRY}:2") is None
    rig.store.execute("UPDATE users SET standing = 'clear'")
    await work(rig)
    first, second = banking.entry(rig.store, ENTRY), banking.entry(rig.store, f"{ENTRY}:2")
    assert first is not None
    assert second is not None
    assert (second.status, second.direction, second.units) == ("filed", "credit", 100)
    assert second.external_id not in (None, first.external_id)


async def test_what_is_not_here_any_more_is_not_paid_out_of_suspense(rig: Rig) -> None:
    await work(rig)
    id, again = transaction_id(1), f"{ENTRY}:2"
    wanted = {"transaction_id": id, "entry": again, "bank_account": "ref-1", "units": 100}
    assert outbox.put(rig.store, "instruct", again, wanted, NOW_MS)
    # The bank dishonored the return by itself after two officers let the dollars out: they are kept apart, or gone.
    ledger.post(rig.store, [(id, p) for p in payout_suspended(TOKEN, id, 100)], release=[], at_ms=NOW_MS)
    await work(rig)
    assert banking.entry(rig.store, again) is None
    assert outbox.is_open(rig.store, "instruct", again)


class Sent:
    """The bank, of which the worker first gets no answer and then others: a way that is closed, or its own word."""

    def __init__(self, bank: Bank, *answers: SdtError, asked: SdtError | None = None, done: bool = False) -> None:
        self.bank = bank
        self.answers = list(answers)
        self.asked = asked
        self.done = done

    async def originate(self, order: AchOrder, *, key: str) -> AchEntry:
        if not self.answers:
            return await self.bank.originate(order, key=key)
        if self.done:
            await self.bank.originate(order, key=key)
        raise self.answers.pop(0)

    async def originated(self, order: AchOrder, *, key: str) -> AchEntry | None:
        if self.asked is not None:
            raise self.asked
        return await self.bank.originated(order, key=key)


GATEWAY, SCHEMA, IN_PROGRESS = (
    NotFound("x", code="http_404"),
    Unprocessable("x", code="schema"),
    Conflict("x", code="in_progress"),
)


async def sent(rig: Rig, bank: Sent) -> None:
    for _ in range(len(bank.answers)):
        await work(rig, bank=bank)


def is_blockable(store: Store) -> bool:
    try:
        with store.transaction():
            blocking.block_payout(store, transaction_id(1), reference="case", actor="x", at_ms=NOW_MS)
    except Conflict:
        return False
    return True


@pytest.mark.parametrize("refusal", [GATEWAY, SCHEMA, IN_PROGRESS], ids=str)
async def test_a_refusal_after_an_unanswered_order_is_no_word_on_that_order(rig: Rig, refusal: SdtError) -> None:
    await sent(rig, Sent(rig.bank, StateUnknown("x"), refusal, asked=StateUnknown("x")))
    assert rig.status(ENTRY) == "unknown"
    # Repetition does not help: an officer has the instruction.
    assert [kind for kind, _ in rig.cases()] == ["vendor"]
    assert not is_blockable(rig.store)
    found = banking.entry(rig.store, ENTRY)
    assert found is not None
    assert tell(rig.store, found, EntryEvent.SETTLE) == "settled"
    assert [kind for kind, _ in rig.cases()] == ["vendor"]


async def test_what_the_bank_has_whatever_it_says_is_filed(rig: Rig) -> None:
    await sent(rig, Sent(rig.bank, StateUnknown("x"), GATEWAY, done=True))
    assert rig.status(ENTRY) == "filed"
    assert await orders_at_bank(rig) == 100
    assert rig.cases() == []


@pytest.mark.parametrize(("refusal", "stands"), [(SCHEMA, "created"), (IN_PROGRESS, "unknown")], ids=str)
async def test_what_the_bank_itself_denies_is_free_again_unless_it_knows_the_key(
    rig: Rig, server: Sandbox, refusal: SdtError, stands: str
) -> None:
    bank = server.bank(timeout_s=0.3)
    await sent(rig, Sent(bank, StateUnknown("x"), refusal))
    assert rig.status(ENTRY) == stands
    assert is_blockable(rig.store) is (stands == "created")
    await bank.close()


async def test_a_refusal_of_what_was_never_sent_before_is_the_banks_word(rig: Rig) -> None:
    await sent(rig, Sent(rig.bank, Unprocessable("x", code="no"), asked=StateUnknown("x")))
    assert rig.status(ENTRY) == "created"
    assert is_blockable(rig.store)
