"""A custodian limited to one token reads and decides what is that token's: nothing of another's, and all of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from api_platform import NETWORK, Holder, Platform, platform

from sdt.domain.claims import format_time
from sdt.domain.envelope import message_digest, seal_envelope
from sdt.domain.errors import Unprocessable
from sdt.domain.registry import Role
from sdt.domain.transaction import Event
from sdt.store import Store, ach, cases, outbox, reserve_moves, transactions
from sdt.store.ach import AchEntryRow
from sdt.store.cases import Filter
from sdt.store.transactions import Change
from sdt.worker.dead_letters import put_off
from store_rig import NOW_MS, accepted, address, transaction_id

DOLLARS, GOLD = transaction_id(1), transaction_id(2)
DEBIT, BAR = f"{DOLLARS}:awaiting_funds", f"{GOLD}:awaiting_funds"
TRACE = "111000020000001"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        await running.store.run(_begin)
        yield running


@pytest.fixture
async def treasury(api: Platform) -> Holder:
    return await _custodian(api, "treasury", "TXD")


@pytest.fixture
async def vault(api: Platform) -> Holder:
    return await _custodian(api, "vault", "TXG")


async def _custodian(api: Platform, name: str, token: str) -> Holder:
    scope = api.services.region.token_index[token] + 1
    return await api.settle(Holder(name, roles=Role.CUSTODIAN, scope=scope))


def _begin(store: Store) -> None:
    """A deposit of each token that waits, a book transfer for each, a dead instruction for each and one for a person,
    a case of each and one of the bank's file, and a debit in a file."""
    for n, token in ((1, "TXD"), (2, "TXG")):
        row = accepted(n, type="deposit")._replace(token=token, raw=_deposit(n, token))
        transactions.insert_accepted(store, [row])
        transactions.move(store, [Change(row.id, Event.AWAIT_FUNDS)], actor="screening", at_ms=NOW_MS)
        reserve_moves.want(store, row.id, "in", token, 100, "deposit", NOW_MS)
    outbox.put(store, "instruct", "ann", {}, NOW_MS)
    for dead in outbox.due(store, ["instruct"], NOW_MS, 3):
        put_off(store, dead, Unprocessable("x", code="routing_number"), NOW_MS)
    for n, (kind, facts, of) in enumerate(
        (
            ("receivable", {"token": "TXD"}, DOLLARS),
            ("ach_return", {}, DOLLARS),
            ("return_rate", {}, None),
            ("bar_lost", {"token": "TXG"}, None),
        )
    ):
        cases.open_case(
            store,
            kind=kind,
            key=f"k{n}",
            facts=facts,
            detected_on=date(2026, 11, 24),
            actor="worker",
            at_ms=NOW_MS + n,
            transaction_id=of,
        )
    entry = AchEntryRow(f"ach:{DOLLARS}", "payment", "b", address(1), "TXD", False, 100, "WEB", False, DOLLARS, NOW_MS)
    ach.want(store, entry._replace(status="created", trace=TRACE))


def _deposit(n: int, token: str) -> bytes:
    """The exact bytes, of which a desk is shown what it says."""
    key = Holder("alice").key
    at = format_time(NOW_MS // 1000)
    claims = {
        "type": "deposit", "version": 1, "network": NETWORK, "transaction_id": transaction_id(n), "region": "US-TX",
        "issued_at": at, "token": token, "account": address(1), "amount": "100", "source": "bank:one", "expires_at": at,
    }  # fmt: skip
    return seal_envelope("deposit", claims, key)


async def act(api: Platform, kind: str, officer: Holder, /, **claims: Any) -> tuple[int, dict[str, Any], bytes]:
    act_id = str(uuid.uuid4())
    base = {"type": kind, "version": 1, "network": NETWORK, "act_id": act_id, "region": "US-TX"}
    issued = {"issued_at": format_time(api.clock.now_ms() // 1000)}
    raw = seal_envelope(kind, base | issued | claims, officer.key)
    status, answer = await api.call("PUT", f"/v1/office/acts/{act_id}", raw, **{"Content-Type": "application/jose"})
    return status, answer, raw


def case_of(api: Platform, kind: str) -> str:
    (id,) = api.store.row("SELECT id FROM cases WHERE kind = ?", (kind,))
    return str(id)


async def test_the_desk_shows_what_waits_of_its_own_token(api: Platform, treasury: Holder, vault: Holder) -> None:
    for officer, token, deposit in ((treasury, "TXD", DOLLARS), (vault, "TXG", GOLD)):
        path = "/v1/desk/tasks"
        status, found = await api.call("GET", f"{path}?role=custodian", **api.proof("GET", path, officer))
        assert status == 200, found
        assert {task["token"] for task in found["tasks"]} == {token}
        assert {task["kind"] for task in found["tasks"]} == {"deposit", "reserve_move", "reserve"}
        assert {task.get("transaction_id", deposit) for task in found["tasks"]} == {deposit}


async def test_the_bank_is_the_dollars_custodians_alone(api: Platform, treasury: Holder, vault: Holder) -> None:
    for name in ("files", "inbound", "entries", "rates"):
        status, problem = await api.get(f"/v1/office/ach/{name}", vault)
        assert (status, problem["code"]) == (403, "wrong_scope")
        assert (await api.get(f"/v1/office/ach/{name}", treasury))[0] == 200
    assert (await api.get("/v1/office/money", vault))[1]["tokens"] == []
    assert [one["token"] for one in (await api.get("/v1/office/money", treasury))[1]["tokens"]] == ["TXD"]


async def test_a_return_goes_back_by_a_custodian_of_its_token(api: Platform, treasury: Holder, vault: Holder) -> None:
    claims = {"trace": TRACE, "code": "R68", "reason": "It came late."}
    assert (await act(api, "dishonor_return", vault, **claims))[1]["code"] == "wrong_scope"
    # to its own custodian this one only did not come back
    assert (await act(api, "dishonor_return", treasury, **claims))[1]["code"] == "ach_not_dishonorable"


async def test_a_dead_instruction_lives_again_by_a_custodian_of_its_token(
    api: Platform, treasury: Holder, vault: Holder
) -> None:
    listed = {
        officer.handle: (await api.get("/v1/office/instructions", officer))[1]["instructions"]
        for officer in (treasury, vault)
    }
    assert {name: [one["key"] for one in of] for name, of in listed.items()} == {"treasury": [DEBIT], "vault": [BAR]}
    numbers = dict(api.store.rows("SELECT key, id FROM outbox WHERE dead_at_ms IS NOT NULL"))

    for key in (DEBIT, "ann"):
        claims = {"instruction": numbers[key], "reason": "It is open now."}
        assert (await act(api, "retry_instruction", vault, **claims))[1]["code"] == "wrong_scope"
    assert await api.store.read(outbox.dead_count) == 3
    for officer, key in ((treasury, DEBIT), (vault, BAR)):
        claims = {"instruction": numbers[key], "reason": "It is open now."}
        assert (await act(api, "retry_instruction", officer, **claims))[0] == 200
    assert [row.key for row in await api.store.read(outbox.dead)] == ["ann"]


async def test_a_case_is_its_tokens_custodians(api: Platform, treasury: Holder, vault: Holder) -> None:
    seen = {
        officer.handle: {one["kind"] for one in (await api.get("/v1/office/cases", officer))[1]["cases"]}
        for officer in (treasury, vault)
    }
    assert seen == {"treasury": {"receivable", "ach_return", "return_rate"}, "vault": {"bar_lost"}}
    for kind in ("receivable", "ach_return", "return_rate"):
        case = case_of(api, kind)
        assert (await api.get(f"/v1/office/cases/{case}", vault))[1]["code"] == "unknown_case"
        assert (await api.get(f"/v1/office/cases/{case}", treasury))[0] == 200
        for name, claims in (
            ("assign_bank_case", {"officer": vault.kid}),
            ("note_bank_case", {"text": "Seen."}),
            ("add_bank_evidence", {"kind": "transaction", "reference": DOLLARS}),
            ("decide_bank_case", {"decision": "nothing", "reason": "It is paid."}),
        ):
            assert (await act(api, name, vault, case=case, **claims))[1]["code"] == "unknown_case"
        # nor is it given to somebody who may not work it
        status, problem, _ = await act(api, "assign_bank_case", treasury, case=case, officer=vault.kid)
        assert (status, problem["code"]) == (422, "unknown_officer")
    assert (await act(api, "note_bank_case", vault, case=case_of(api, "bar_lost"), text="Looked."))[0] == 200


async def test_the_word_of_another_tokens_custodian_closes_no_case(
    api: Platform, treasury: Holder, vault: Holder
) -> None:
    case = case_of(api, "receivable")
    assert (await act(api, "assign_bank_case", treasury, case=case, officer=treasury.kid))[0] == 200
    status, _, raw = await act(api, "decide_bank_case", treasury, case=case, decision="nothing", reason="It is paid.")
    assert status == 200
    agree = {"digest": message_digest(raw).hex()}
    assert (await act(api, "agree", vault, **agree))[1]["code"] == "unknown_case"
    second = await _custodian(api, "treasury-2", "TXD")
    assert (await act(api, "agree", second, **agree))[0] == 200


def test_each_database_finds_the_token_of_a_case_and_of_an_instruction(store: Store) -> None:
    _begin(store)
    kinds = ("receivable", "ach_return", "return_rate", "bar_lost")
    for tokens, wanted in ((("TXG",), kinds[3:]), (("TXD", ""), kinds[2::-1]), ((), ())):
        assert [row.kind for row in cases.cases(store, Filter(kinds, tokens=tokens))] == list(wanted)
    dead = {row.key: row.id for row in outbox.dead(store)}
    assert [outbox.token_of(store, dead[key]) for key in (DEBIT, BAR, "ann")] == ["TXD", "TXG", ""]
    assert [[row.key for row in outbox.dead(store, token=one)] for one in ("TXD", "TXG")] == [[DEBIT], [BAR]]
    assert [[row.id for row in transactions.mintable(store, 5, one)] for one in ("TXD", "TXG", "")] == [
        [DOLLARS],
        [GOLD],
        [],
    ]
