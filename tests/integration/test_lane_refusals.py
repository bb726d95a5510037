"""What can be no item of a batch ends alone: it stops nobody, gives its funds back and never reaches the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from domain_messages import ALICE, BOB, key_text, sealed
from lane_rig import ITEMS, Rig, two_formed
from sdt.api.admission import row_of
from sdt.domain.envelope import message_digest
from sdt.domain.errors import Unavailable
from sdt.domain.items import fee_of
from sdt.domain.ledger import issue_postings, token_account
from sdt.domain.message import format_time, read_message
from sdt.domain.region import Region, load_region
from sdt.domain.transaction import Event, Status
from sdt.signing.coordinator import Outcome
from sdt.signing.ecdsa import Signature
from sdt.signing.wire import BatchProposal, MessageRefusal
from sdt.store import Store, batches, ledger, transactions
from sdt.store.intake import AcceptedRow
from sdt.store.transactions import Change
from sdt.worker import lane as lane_module
from store_rig import NOW_MS, transaction_id

KEY = SigningKey(b"\x01" * 32)
NOW_S = NOW_MS // 1000
FUNDS = 100_000
FEE_MAX = 50


def region_with_fee(units: int) -> Region:
    """The region of the demonstration, as a new file of its with this flat fee has it."""
    text = (Path(__file__).parents[2] / "regions" / "texas.toml").read_text()
    at = text.index("fee_account")
    return load_region(f"{text[:at]}fee_units = {units}\n{text[at:]}".encode())


def _claims(kind: str, n: int) -> dict[str, Any]:
    return {
        "type": kind,
        "version": 1,
        "network": "sdt-test",
        "transaction_id": transaction_id(n),
        "region": "US-TX",
        "issued_at": format_time(NOW_S),
    }


def transfer(n: int, fee_max: int = FEE_MAX) -> bytes:
    claims = _claims("transfer", n) | {
        "token": "TXD",
        "payer": ALICE,
        "payee": BOB,
        "payee_handle": "bob.tx",
        "amount": "100",
        "fee_max": str(fee_max),
        "memo": "",
        "expires_at": format_time(NOW_S + 86_400),
    }
    return sealed("transfer", claims, KEY)


def rotation(n: int, expires_at: str) -> bytes:
    claims = _claims("rotate_key", n) | {
        "account": ALICE,
        "public_key": key_text(SigningKey(b"\x77" * 32)),
        "action": "add",
        "expires_at": expires_at,
    }
    return sealed("rotate_key", claims, KEY)


def stored_before_1970(n: int) -> AcceptedRow:
    """What was accepted while such a time could still be read."""
    good = row_of(read_message(rotation(n, "2030-01-01T00:00:00Z")), 0, NOW_MS)
    raw = rotation(n, "1960-01-01T00:00:00Z")
    return good._replace(raw=raw, digest=message_digest(raw))


def screen(rig: Rig, *messages: bytes | AcceptedRow) -> list[str]:
    """Store messages as the API does, with the fee of the region as it is, and hold their funds as screening does."""
    rows = []
    for message in messages:
        if isinstance(message, bytes):
            signed = read_message(message)
            message = row_of(signed, fee_of(signed, rig.region), NOW_MS)
        rows.append(message)
    store = rig.store
    with store.transaction():
        transactions.insert_accepted(store, rows)
        paying = [row for row in rows if row.type == "transfer"]
        wants = [(row.id, token_account("TXD", ALICE), row.units + row.fee_units) for row in paying]
        assert all(ledger.hold(store, wants))
        held = {id_: units for id_, _, units in wants}
        changes = [Change(row.id, Event.SCREEN, held_units=held.get(row.id)) for row in rows]
        transactions.move(store, changes, actor="screening", at_ms=NOW_MS)
    return [row.id for row in rows]


@pytest.fixture
def rig(store: Store, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(lane_module, "RETRY_S", 0.01)
    deposit = transaction_id(900_000)
    postings = [(deposit, p) for p in issue_postings("TXD", deposit, ALICE, FUNDS)]
    ledger.post(store, postings, release=[], at_ms=NOW_MS)
    return Rig(store, region_with_fee(0))


def _nothing_waits(store: Store) -> bool:
    waits = store.row("SELECT count(*) FROM transactions WHERE status = 'screened'")
    return waits == (0,) and not batches.formed_after(store, 0)


def _shown(rig: Rig) -> list[list[str]]:
    """The ids of each batch that a location was shown."""
    return [[read_message(jws).message.transaction_id for jws in said] for _, said in rig.locations.shown]


def _why(rig: Rig, *ids: str) -> list[tuple[Status, str | None]]:
    found = transactions.get_many(rig.store, list(ids))
    return [(found[id_].status, found[id_].code) for id_ in ids]


def _check_books(rig: Rig, on_the_way: int) -> None:
    """Held is what `on_the_way` payments hold, and the books add up."""
    rows = rig.store.row("SELECT coalesce(sum(held_units), 0) FROM transactions WHERE status = 'batched'")
    assert ledger.account_balance(rig.store, token_account("TXD", ALICE)).held == rows[0]
    assert rig.store.row("SELECT count(*) FROM transactions WHERE status = 'batched'") == (on_the_way,)
    assert ledger.discrepancies(rig.store) == []


async def test_a_message_that_cannot_be_read_any_more_stops_nobody(rig: Rig) -> None:
    bad, *good = screen(rig, stored_before_1970(1), *(transfer(n) for n in (2, 3, 4)))
    rig.locations.open.set()
    async with rig.lane():
        await rig.until(_nothing_waits)
        await rig.until(lambda _: len(rig.client.sent) == 1)
    assert _shown(rig) == [good]
    assert _why(rig, bad) == [(Status.REJECTED, "time")]
    rig.check([bad, *good], rejected=[bad])
    _check_books(rig, 3)


async def test_a_fee_raised_above_what_was_signed_ends_that_payment_alone(rig: Rig) -> None:
    (early,) = screen(rig, transfer(1, fee_max=0))
    rig.region = region_with_fee(1)
    late = screen(rig, transfer(2), transfer(3))
    rig.locations.open.set()
    async with rig.lane():
        await rig.until(_nothing_waits)
        await rig.until(lambda _: len(rig.client.sent) == 1)
    assert _shown(rig) == [late]
    assert _why(rig, early) == [(Status.REJECTED, "fee_above_max")]
    rig.check([early, *late], rejected=[early])
    _check_books(rig, 2)


async def test_what_is_refused_while_a_batch_is_formed_ahead_leaves_that_batch_to_the_others(rig: Rig) -> None:
    old, new = rig.region, region_with_fee(1)
    rig.region = new
    first = screen(rig, *(transfer(n) for n in range(1, 1 + ITEMS)))
    rig.region = old
    (early,) = screen(rig, transfer(10, fee_max=0))
    rig.region = new
    second = screen(rig, *(transfer(n) for n in range(11, 10 + ITEMS)))
    async with rig.lane():
        await rig.until(two_formed)
        # It is over for it before anybody signs, and its funds are free.
        assert _why(rig, early) == [(Status.REJECTED, "fee_above_max")]
        _check_books(rig, len(first) + len(second))
        rig.locations.open.set()
        await rig.until(lambda _: len(rig.client.sent) == 2)
    assert _shown(rig) == [first, second]
    rig.check([*first, *second])


async def test_a_fee_that_was_changed_ends_the_payments_that_hold_another(rig: Rig) -> None:
    early = screen(rig, transfer(1), transfer(2))
    rig.region = region_with_fee(5)
    late = screen(rig, transfer(3))
    rig.locations.open.set()
    async with rig.lane():
        await rig.until(_nothing_waits)
        await rig.until(lambda _: len(rig.client.sent) == 1)
    assert _why(rig, *early) == 2 * [(Status.REJECTED, "fee_changed")]
    assert _shown(rig) == [late]
    rig.check([*early, *late], rejected=early)
    _check_books(rig, 1)


async def test_a_batch_left_by_a_crash_with_another_fee_waits_for_its_deadline(rig: Rig) -> None:
    """As it was it may have been signed somewhere: with its deadline past, that signature is worth nothing."""
    early = screen(rig, transfer(1), transfer(2))
    async with rig.lane():
        await rig.until(lambda _: len(rig.locations.shown) == 1)
    rig.region = region_with_fee(5)
    late = screen(rig, transfer(3))
    rig.locations.open.set()
    async with rig.lane():
        await asyncio.sleep(0.3)
        assert _why(rig, *early) == 2 * [(Status.BATCHED, None)]
        rig.clock.s += 61
        await rig.until(_nothing_waits)
        await rig.until(lambda _: len(rig.client.sent) == 1)
    # What was shown before the crash was never shown with another fee.
    assert _shown(rig) == [early, late]
    assert _why(rig, *early) == 2 * [(Status.REJECTED, "fee_changed")]
    rig.check([*early, *late], rejected=early)
    _check_books(rig, 1)


async def test_an_approval_ends_with_the_act_that_could_be_no_item(rig: Rig) -> None:
    act = stored_before_1970(1)._replace(type="grant_role", account=None)
    approval = stored_before_1970(2)._replace(type="approve", account=None, linked_id=act.id)
    good = screen(rig, act, approval, transfer(3))[2:]
    rig.locations.open.set()
    async with rig.lane():
        await rig.until(lambda _: len(rig.client.sent) == 1)
    assert _shown(rig) == [good]
    assert _why(rig, act.id, approval.id) == [(Status.REJECTED, "time"), (Status.REJECTED, "approved_was_refused")]


async def test_nothing_is_taken_out_of_a_batch_that_is_stored_as_signed(rig: Rig) -> None:
    """The answer to its commit was lost; asked again, a location refuses what it signed before."""
    ids, run, lost = screen(rig, transfer(1), transfer(2)), rig.store.run, 0

    async def lossy(fn: Callable[..., Any], *args: Any) -> Any:
        nonlocal lost
        found = await run(fn, *args)
        if getattr(fn, "__name__", "") == "_signed_and_next" and not lost:
            lost += 1
            raise Unavailable("The database does not answer.")
        return found

    def refuse(batch: BatchProposal) -> Outcome:
        return Outcome(None, (MessageRefusal(0, "expired_message", "It is late."),))

    rig.locations.answers = [lambda batch: Outcome(Signature(5, 7, 0)), refuse]
    rig.locations.open.set()
    rig.store.run = lossy  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="nothing is taken out"):
        async with rig.lane() as running:
            await asyncio.wait_for(running, 10)
    assert lost == 1
    assert _why(rig, *ids) == 2 * [(Status.SUBMITTED, None)]
    assert rig.batches() == [(1, "signed")]
    _check_books(rig, 2)
