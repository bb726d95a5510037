"""The life of a message at the API: an id, a signed message, its answer, its repetition, its place in the queue."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_platform import Holder, Platform, platform
from nacl.signing import SigningKey

from sdt.api.services import Limits
from sdt.domain.envelope import b64url, message_digest, seal_envelope
from sdt.domain.registry import Role
from sdt.domain.transaction import Event, Status
from sdt.store import Store, transactions
from sdt.store.transactions import Change


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(api: Platform) -> Holder:
    return await api.settle(Holder("alice"))


@pytest.fixture
async def bob(api: Platform) -> Holder:
    return await api.settle(Holder("bob"))


def _reject(store: Store, id_: str) -> None:
    change = Change(
        id_, Event.REJECT, code="residency", detail="No.", rule="TX-RES-1", statute="§ 1", effective="2026-01-01"
    )
    transactions.move(store, [change], actor="test", at_ms=1)


async def test_a_message_is_stored_byte_for_byte_and_queued(api: Platform, alice: Holder, bob: Holder) -> None:
    # given a signed transfer under a given id
    id_, message = await api.signed_transfer(alice, bob)
    # when it is sent
    status, answer = await api.put(id_, message)
    # then it is accepted, stored as it is, and its id is in the queue
    assert (status, answer) == (202, {"transaction_id": id_, "status": "accepted"})
    row = await api.store.read(transactions.get, id_)
    assert row is not None
    assert (row.raw, row.digest) == (message, message_digest(message))
    assert (row.account, row.counterparty, row.token, row.units) == (alice.account, bob.account, "TXD", 12000)
    (received,) = await api.services.queue.receive(10, 2, 30)
    assert (received.body, received.dedup_id, received.group) == (id_, id_, alice.account)


async def test_the_same_bytes_get_the_same_answer_and_other_bytes_are_refused(
    api: Platform, alice: Holder, bob: Holder
) -> None:
    # given a transfer that was accepted
    id_, message = await api.signed_transfer(alice, bob)
    await api.put(id_, message)
    # when the same bytes come again, many at once, then each gets the same answer
    answers = await asyncio.gather(*(api.put(id_, message) for _ in range(20)))
    assert answers == [(202, {"transaction_id": id_, "status": "accepted"})] * 20
    # when another message comes under the id, then it is refused
    other = seal_envelope("transfer", api.transfer(id_, alice, bob, amount="1"), alice.key)
    status, problem = await api.put(id_, other)
    assert (status, problem["code"]) == (409, "transaction_id_used")


async def test_the_same_answer_stands_after_window_message_and_key_have_expired(
    api: Platform, alice: Holder, bob: Holder
) -> None:
    # given a transfer that was accepted and then refused
    id_, message = await api.signed_transfer(alice, bob)
    await api.put(id_, message)
    await api.store.run(_reject, id_)
    # when a week later, with the key revoked, the same bytes come again
    api.clock.ahead_ms = 8 * 86_400_000
    await api.settle(alice, status="revoked")
    status, answer = await api.put(id_, message)
    # then the answer is the result, and other bytes are still told that the id is used
    assert (status, answer) == (200, {"transaction_id": id_, "status": "rejected"})
    other = seal_envelope("transfer", api.transfer(id_, alice, bob, amount="1"), alice.key)
    status, problem = await api.put(id_, other)
    assert (status, problem["code"]) == (409, "transaction_id_used")


async def test_of_many_different_messages_at_once_under_one_id_exactly_one_counts(
    api: Platform, alice: Holder, bob: Holder
) -> None:
    # given thirty messages for one id
    (id_,) = await api.ids()
    messages = [
        seal_envelope("transfer", api.transfer(id_, alice, bob, amount=str(n + 1)), alice.key) for n in range(30)
    ]
    # when they are sent at once
    answers = await asyncio.gather(*(api.put(id_, message) for message in messages))
    # then one is accepted and it is the one that is stored
    accepted = [n for n, (status, _) in enumerate(answers) if status == 202]
    assert len(accepted) == 1
    assert sorted(status for status, _ in answers) == [202] + [409] * 29
    row = await api.store.read(transactions.get, id_)
    assert row is not None
    assert row.raw == messages[accepted[0]]


async def test_a_batch_answers_for_each_in_order(api: Platform, alice: Holder, bob: Holder) -> None:
    # given a good message, one with its signature, the good one again, and another one under its id
    first, second = await api.ids(2)
    good = seal_envelope("transfer", api.transfer(first, alice, bob), alice.key)
    unsigned = seal_envelope("transfer", api.transfer(second, alice, bob), alice.key).rpartition(b".")[0]
    forged = unsigned + b"." + good.rpartition(b".")[2]
    other = seal_envelope("transfer", api.transfer(first, alice, bob, amount="7"), alice.key)
    batch = [message.decode() for message in (good, forged, good, other)] + ["no message", "gänzlich fremd"]
    # when they are sent as one batch
    status, answer = await api.post("/v1/transactions/batch", {"messages": batch})
    # then each has the answer it would have had alone
    assert status == 202
    assert [one["http_status"] for one in answer["answers"]] == [202, 401, 202, 409, 400, 400]
    assert answer["answers"][0]["transaction"] == {"transaction_id": first, "status": "accepted"}
    assert [one["problem"]["code"] for one in answer["answers"] if "problem" in one] == [
        "bad_signature",
        "transaction_id_used",
        "message_parts",
        "message_parts",
    ]


async def test_a_full_batch_is_stored_and_queued_whole(api: Platform, alice: Holder, bob: Holder) -> None:
    # given 500 messages
    ids = await api.ids(500)
    batch = [seal_envelope("transfer", api.transfer(id_, alice, bob), alice.key).decode() for id_ in ids]
    # when they are sent
    status, answer = await api.post("/v1/transactions/batch", {"messages": batch})
    # then all are accepted, and soon all are in the queue
    assert status == 202
    assert {one["http_status"] for one in answer["answers"]} == {202}
    for _ in range(100):
        received = await api.services.queue.receive(1_000, 0, 30)
        if received:
            break
        await asyncio.sleep(0.02)
    assert {one.body for one in received} == set(ids)


async def test_the_sweeper_queues_what_was_accepted_before_a_crash(tmp_path: Path) -> None:
    async with platform(tmp_path) as api:
        # given an accepted message whose process died before it was queued
        alice, bob = await api.settle(Holder("alice")), await api.settle(Holder("bob"))
        api.app.runtime.dispatch.send = lambda ids: None  # type: ignore[method-assign]
        id_, message = await api.signed_transfer(alice, bob)
        assert (await api.put(id_, message))[0] == 202
    async with platform(tmp_path) as api:
        # when the next process is five seconds on
        api.clock.ahead_ms = 5_000
        # then its sweeper sends it
        (received,) = await api.services.queue.receive(10, 5, 30)
        assert received.body == id_


async def test_a_queue_that_does_not_answer_holds_nobody_up(
    api: Platform, alice: Holder, bob: Holder, tmp_path: Path
) -> None:
    # given a queue that somebody else has locked
    other = sqlite3.connect(tmp_path / "queue.db", isolation_level=None)
    other.execute("begin immediate")
    # when a message comes, then it is accepted as always
    id_, message = await api.signed_transfer(alice, bob)
    assert (await asyncio.wait_for(api.put(id_, message), 2))[0] == 202
    row = await api.store.read(transactions.get, id_)
    assert row is not None
    assert row.queued_at_ms is None
    # when the queue is there again, then the message is in it
    other.execute("rollback")
    other.close()
    (received,) = await api.services.queue.receive(10, 10, 30)
    assert received.body == id_


async def test_a_given_id_is_requested_until_it_expires(api: Platform) -> None:
    # given an id under which nothing was sent
    (id_,) = await api.ids()
    # when it is asked for, then it is requested; after its window, expired
    status, answer = await api.get(f"/v1/transactions/{id_}")
    assert (status, answer["status"], answer["final"]) == (200, "requested", False)
    api.clock.ahead_ms = 901_000
    status, answer = await api.get(f"/v1/transactions/{id_}")
    assert (status, answer["status"], answer["final"]) == (200, "expired", True)


async def test_only_a_party_sees_amounts_parties_and_the_message(api: Platform, alice: Holder, bob: Holder) -> None:
    # given a transfer from Alice to Bob, and Carol
    carol = await api.settle(Holder("carol"))
    id_, message = await api.signed_transfer(alice, bob)
    await api.put(id_, message)
    # when anybody or Carol asks, then the answer has neutral facts
    for whoever in (None, carol):
        status, answer = await api.get(f"/v1/transactions/{id_}", whoever)
        assert (status, answer["status"], answer["type"], answer["details"]) == (200, "accepted", "transfer", None)
        assert alice.account not in str(answer)
        assert "12000" not in str(answer)
    # when Alice or Bob asks, then it has all
    for party in (alice, bob):
        _, answer = await api.get(f"/v1/transactions/{id_}", party)
        assert answer["details"]["message"] == message.decode()
        assert (answer["details"]["amount"], answer["details"]["counterparty"]) == ("12000", bob.account)


async def test_wait_holds_until_the_result_is_there(api: Platform, alice: Holder, bob: Holder) -> None:
    # given a transfer on its way, and two who wait for it
    id_, message = await api.signed_transfer(alice, bob)
    await api.put(id_, message)
    waiting = [asyncio.create_task(api.get(f"/v1/transactions/{id_}?wait=20")) for _ in range(2)]
    await asyncio.sleep(0.15)
    assert not any(task.done() for task in waiting)
    # when it is refused, then both hear it at once, with rule and statute
    await api.store.run(_reject, id_)
    for status, answer in await asyncio.wait_for(asyncio.gather(*waiting), 2):
        assert (status, answer["status"], answer["code"]) == (200, "rejected", "residency")
        assert (answer["rule"], answer["statute"], answer["effective"]) == ("TX-RES-1", "§ 1", "2026-01-01")


async def test_wait_ends_by_itself(api: Platform) -> None:
    # given an id that nobody uses
    (id_,) = await api.ids()
    # when somebody waits a little, then the answer is what is known
    status, answer = await api.get(f"/v1/transactions/{id_}?wait=0.1")
    assert (status, answer["status"]) == (200, "requested")


async def test_a_quote_names_the_fee_and_to_the_payer_alone_the_verdict(
    api: Platform, alice: Holder, bob: Holder
) -> None:
    # given what Alice means to pay
    quote = {"type": "transfer", "token": "TXD", "payer": alice.account, "payee": bob.account, "amount": "12000"}
    # when anybody asks, then there is a fee and no verdict
    status, answer = await api.post("/v1/transactions", {"quote": quote})
    assert (status, answer["quote"]["fee"], answer["quote"]["total"]) == (200, "0", "12000")
    assert answer["quote"]["verdict"] is None
    # when Alice asks with her proof, then the rules speak, citing their law
    _, answer = await api.post("/v1/transactions", {"quote": quote}, alice)
    assert answer["quote"]["verdict"] == "refused"
    assert answer["quote"]["refusal"]["rule"] == "TX-KYC-1"
    assert "31 C.F.R." in answer["quote"]["refusal"]["statute"]


async def test_a_second_key_change_waits_for_the_first(api: Platform, alice: Holder, bob: Holder) -> None:
    # given two key changes of Alice and one of Bob
    async def change(of: Holder, n: int) -> tuple[str, bytes]:
        (id_,) = await api.ids()
        new = b64url(bytes(SigningKey(bytes([n]) * 32).verify_key)).decode()
        more = {"account": of.account, "public_key": new, "action": "add", "expires_at": "2099-01-01T00:00:00Z"}
        return id_, seal_envelope("rotate_key", api.claims("rotate_key", id_, **more), of.key)

    first, second, other = await change(alice, 1), await change(alice, 2), await change(bob, 3)
    # when they are sent, then Alice's second is told to wait, and is not stored
    assert (await api.put(*first))[0] == 202
    status, answer = await api.put(*second)
    assert (status, answer["code"]) == (409, "rotation_waiting")
    assert await api.store.read(transactions.get, second[0]) is None
    assert ((await api.put(*first))[0], (await api.put(*other))[0]) == (202, 202)
    # and once the first is over, the same bytes are taken
    await api.store.run(_reject, first[0])
    assert (await api.put(*second))[0] == 202


async def test_an_overfull_backlog_is_refused_until_it_has_shrunk(tmp_path: Path) -> None:
    # given a region that lets two transactions wait
    async with platform(tmp_path, Limits(backlog_max=2)) as api:
        alice, bob = await api.settle(Holder("alice")), await api.settle(Holder("bob"))
        sent = [await api.signed_transfer(alice, bob) for _ in range(3)]
        for id_, message in sent[:2]:
            assert (await api.put(id_, message))[0] == 202
        # when a third comes, then it is told when to try again, and nothing is stored
        id_, message = sent[2]
        async with api.session.put(
            f"{api.url}/v1/transactions/{id_}", data=message, headers={"Content-Type": "application/jose"}
        ) as answer:
            assert answer.status == 429
            assert int(answer.headers["Retry-After"]) >= 1
            assert (await answer.json(content_type=None))["code"] == "backlog"
        assert await api.store.read(transactions.get, id_) is None
        # and a repetition of the first is still answered
        assert (await api.put(*sent[0]))[0] == 202
        # when one is done, then there is room again
        await api.store.run(_reject, sent[0][0])
        # (seen when the backlog is next counted: seldom while the API had nothing to do)
        async with asyncio.timeout(5):
            while (await api.put(id_, message))[0] != 202:
                await asyncio.sleep(0.1)
        row = await api.store.read(transactions.get, id_)
        assert row is not None
        assert row.status is Status.ACCEPTED


async def test_an_account_that_has_its_share_of_the_backlog_is_refused_alone(tmp_path: Path) -> None:
    # given a region that lets two transactions of one account wait
    async with platform(tmp_path, Limits(account_backlog_max=2)) as api:
        alice, bob = await api.settle(Holder("alice")), await api.settle(Holder("bob"))
        sent = [await api.signed_transfer(alice, bob) for _ in range(3)]
        for id_, message in sent[:2]:
            assert (await api.put(id_, message))[0] == 202
        # when a third of Alice comes, then she is told to wait, whether it was counted yet or not
        for _ in range(2):
            status, answer = await api.put(*sent[2])
            assert (status, answer["code"]) == (429, "account_backlog")
            await api.app.runtime.backlog.look()
        # and Bob is taken, as is a repetition of Alice's first
        assert (await api.put(*await api.signed_transfer(bob, alice)))[0] == 202
        assert (await api.put(*sent[0]))[0] == 202
        # when one is done, then there is room again
        await api.store.run(_reject, sent[0][0])
        async with asyncio.timeout(5):
            while (await api.put(*sent[2]))[0] != 202:
                await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_all_of_it_is_the_same_on_postgresql(tmp_path: Path, postgres_database: str) -> None:
    # given the API over PostgreSQL
    async with platform(tmp_path, database=postgres_database) as api:
        alice, bob = await api.settle(Holder("alice")), await api.settle(Holder("bob"))
        id_, message = await api.signed_transfer(alice, bob)
        # when a message comes, comes again, and another one comes under its id
        assert (await api.put(id_, message))[0] == 202
        assert (await api.put(id_, message))[0] == 202
        other = seal_envelope("transfer", api.transfer(id_, alice, bob, amount="1"), alice.key)
        assert (await api.put(id_, other))[0] == 409
        # then it is stored once, in the queue, and its party may read it
        (received,) = await api.services.queue.receive(10, 2, 30)
        assert received.body == id_
        _, answer = await api.get(f"/v1/transactions/{id_}", alice)
        assert answer["details"]["message"] == message.decode()
        # and every read answers
        desks = {
            "kyc_desk": Role.KYC_DESK,
            "custodian": Role.CUSTODIAN,
            "issuer": Role.ISSUER,
            "approver": Role.APPROVER,
        }
        for role, bit in desks.items():
            official = await api.settle(Holder(role, roles=bit))
            path = "/v1/desk/tasks"
            status, _ = await api.call("GET", f"{path}?role={role}", **api.proof("GET", path, official))
            assert status == 200, role
        for path in (
            "/readyz",
            "/v1/tokens/TXD",
            "/v1/users/me",
            "/v1/users/me/keys",
            "/v1/users/me/bank-accounts",
            f"/v1/accounts/{alice.account}/balances",
            f"/v1/accounts/{alice.account}/transactions",
        ):
            assert (await api.get(path, alice))[0] == 200, path
