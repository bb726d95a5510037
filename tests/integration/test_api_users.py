"""Users at the API: registration, proofs, what is one's own, bank accounts, and the desks' work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from api_platform import NETWORK, PERSON, Holder, Platform, platform

from sdt.domain.envelope import seal_envelope
from sdt.domain.ledger import Posting, currency_taken_in, deposit_blocked, prefunded
from sdt.domain.message import format_time
from sdt.domain.proof import make_proof
from sdt.domain.registry import Role
from sdt.domain.sealing import SealBroken
from sdt.domain.transaction import Event
from sdt.store import Store, accounts, banking, ledger, transactions
from sdt.store.accounts import FreezeRow, IdentityRow
from sdt.store.transactions import Change

BANK = {"routing_number": "021000021", "account_number": "000123456789", "kind": "checking", "holder": "Alice Adams"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(api: Platform) -> Holder:
    return await api.settle(Holder("alice"))


async def _register(api: Platform, holder: Holder, **more: Any) -> tuple[int, dict[str, Any], dict[str, Any]]:
    (id_,) = await api.ids()
    claims = api.registration(id_, holder)
    document = {"message": seal_envelope("register", claims, holder.key).decode(), "person": PERSON | more}
    status, answer = await api.post("/v1/users", document)
    return status, answer, document


async def test_a_registration_is_queued_and_its_person_sealed(api: Platform) -> None:
    # given somebody new
    dora = Holder("dora")
    # when she registers
    status, answer, document = await _register(api, dora)
    # then her message is on its way, and her data is in the database for holders of the key alone
    assert (status, answer["status"], answer["handle"]) == (202, "accepted", "dora")
    user = await api.store.read(accounts.user_by_account, dora.account)
    assert user is not None
    assert user.person_sealed is not None
    assert b"Adams" not in user.person_sealed
    person = await api.services.people.party(dora.account)
    assert person is not None
    assert person.name.endswith("Adams")
    assert "Adams" not in repr(person)
    (received,) = await api.services.queue.receive(10, 2, 30)
    assert received.body == answer["transaction_id"]
    # when the very same is sent again, then the answer is the same; under another message, the handle is taken
    assert await api.post("/v1/users", document) == (202, answer)
    status, problem, _ = await _register(api, Holder("dora"))
    assert (status, problem["code"]) == (409, "user_taken")
    # and her handle counts only once the registration is settled
    assert (await api.get("/v1/handles/dora"))[0] == 404
    await api.store.run(accounts.mark_registered, dora.account)
    assert await api.get("/v1/handles/dora") == (200, {"asked": "dora", "handle": "dora", "account": dora.account})


async def test_of_many_who_register_one_handle_at_once_one_gets_it(api: Platform) -> None:
    # given ten who want one handle
    answers = await asyncio.gather(*(_register(api, Holder("popular")) for _ in range(10)))
    # then one has it
    assert sorted(status for status, *_ in answers) == [202] + [409] * 9


async def test_a_proof_counts_once_for_one_request_and_one_minute(api: Platform, alice: Holder) -> None:
    path, url, now_s = "/v1/users/me", f"{api.url}/v1/users/me", api.clock.now_ms() // 1000

    async def ask(proof: str) -> tuple[int, str]:
        status, answer = await api.call("GET", path, **{"SDT-Proof": proof})
        return status, answer.get("code", "")

    # given a good proof, when it is used twice, then it counts once
    good = make_proof(alice.key, "GET", url, now_s, NETWORK)
    assert await ask(good) == (200, "")
    assert await ask(good) == (401, "proof_used")
    # given proofs that are wrong in one way, then each is refused for that
    stranger = Holder("stranger")
    rows = [
        (make_proof(alice.key, "POST", url, now_s, NETWORK), "proof_target"),
        (make_proof(alice.key, "GET", f"{api.url}/v1/users/me/keys", now_s, NETWORK), "proof_target"),
        (make_proof(alice.key, "GET", "http://elsewhere.example/v1/users/me", now_s, NETWORK), "proof_target"),
        (make_proof(alice.key, "GET", url, now_s - 61, NETWORK), "proof_stale"),
        (make_proof(alice.key, "GET", url, now_s + 60, NETWORK), "proof_stale"),
        (make_proof(alice.key, "GET", url, now_s, "sdt-production"), "proof_network"),
        (make_proof(stranger.key, "GET", url, now_s, NETWORK), "unknown_key"),
        (good[:-2] + ("AA" if good[-2:] != "AA" else "QQ"), "bad_signature"),
        (seal_envelope("transfer", {}, alice.key).decode(), "proof_malformed"),
        (seal_envelope("proof", {"htm": "GET"}, alice.key).decode(), "proof_malformed"),
    ]
    for proof, code in rows:
        assert await ask(proof) == (401, code)
    assert (await ask("nonsense"))[0] in (400, 401)


async def test_what_is_ones_own_is_nobody_elses(api: Platform, alice: Holder) -> None:
    # given Alice and Bob
    bob = await api.settle(Holder("bob"))
    user = await api.store.read(accounts.user_by_account, alice.account)
    assert user is not None
    private = [
        f"/v1/users/{user.user_id}",
        f"/v1/users/{user.user_id}/keys",
        f"/v1/users/{user.user_id}/bank-accounts",
        f"/v1/accounts/{alice.account}/balances",
        f"/v1/accounts/{alice.account}/transactions",
    ]
    for path in private:
        # when Alice reads what is hers, then she may; Bob may not, nor anybody without a proof
        assert (await api.get(path, alice))[0] == 200, path
        status, problem = await api.get(path, bob)
        assert (status, problem["code"]) == (403, "not_yours"), path
        status, problem = await api.get(path)
        assert (status, problem["code"]) == (401, "proof_required"), path


async def test_a_user_sees_what_is_established(api: Platform, alice: Holder) -> None:
    # given an attested identity, an examination's outcome, and a freeze
    now_s = api.clock.now_ms() // 1000

    def establish(store: Store) -> None:
        accounts.set_identity(store, IdentityRow(alice.account, "dollar", 2, True, now_s + 1000))
        accounts.set_kyc(store, alice.account, "app-1", "documents_required", ["document_unreadable"])
        accounts.set_freeze(store, FreezeRow(alice.account, "TXD", b"\0" * 32, 2**40 - 1))

    await api.store.run(establish)
    # when she looks, then it is there
    _, user = await api.get("/v1/users/me", alice)
    assert user["identities"] == [
        {"domain": "dollar", "tier": 2, "resident": True, "expires_at": format_time(now_s + 1000)}
    ]
    assert (user["kyc_status"], user["kyc_reasons"], user["frozen"]) == (
        "documents_required",
        ["document_unreadable"],
        ["TXD"],
    )
    _, keys = await api.get("/v1/users/me/keys", alice)
    assert [(key["kid"], key["status"]) for key in keys["keys"]] == [(alice.kid, "active")]


async def test_balances_name_every_token(api: Platform, alice: Holder) -> None:
    # given 500 dollars on Alice's account, 20 of them held
    name = f"Token:TXD:{alice.account}"

    def give(store: Store) -> None:
        ledger.post(store, [("x", Posting("Reserve:TXD", name, "TXD", 50_000))], release=[], at_ms=1)
        ledger.hold(store, [("x", name, 2_000)])

    await api.store.run(give)
    # when she looks, then available is what is settled less what is held; the supply is public
    _, answer = await api.get(f"/v1/accounts/{alice.account}/balances", alice)
    assert answer["balances"] == [
        {"token": "TXD", "settled": "50000", "held": "2000", "available": "48000"},
        {"token": "TXG", "settled": "0", "held": "0", "available": "0"},
    ]
    _, token = await api.get("/v1/tokens/TXD")
    assert (token["supply"], token["reserve"], token["asset"]) == ("50000", None, "USD/2")
    assert {rule["id"] for rule in token["rules"]} >= {"TX-WALL-1", "TX-KYC-1", "TX-CAP-USD"}


async def test_history_comes_in_pages_and_by_filter(api: Platform, alice: Holder) -> None:
    # given five transfers from Alice and two to her
    bob = await api.settle(Holder("bob"))
    sent = []
    for payer, payee in [(alice, bob)] * 5 + [(bob, alice)] * 2:
        id_, message = await api.signed_transfer(payer, payee)
        assert (await api.put(id_, message))[0] == 202
        sent.append(id_)
    # when she reads page by page, then she has each once, the newest first
    path = f"/v1/accounts/{alice.account}/transactions"
    seen, before = [], None
    while True:
        query = "?limit=3" + (f"&before={before}" if before else "")
        _, page = await api.call("GET", path + query, **api.proof("GET", path, alice))
        seen += [entry["transaction_id"] for entry in page["transactions"]]
        assert len(page["transactions"]) <= 3
        before = page["next"]
        if before is None:
            break
    assert seen == sent[::-1]
    # when she asks for what there is none of, then there is none
    for query in ("?token=TXG", "?type=redeem", "?status=settled"):
        _, page = await api.call("GET", path + query, **api.proof("GET", path, alice))
        assert page == {"transactions": [], "next": None}


async def test_a_bank_account_is_sealed_and_linked_once(api: Platform, alice: Holder) -> None:
    # when Alice links her bank account twice
    status, first = await api.post("/v1/users/me/bank-accounts", BANK, alice)
    again = await api.post("/v1/users/me/bank-accounts", BANK, alice)
    # then it is one, shown by its last digits and an opaque reference
    assert (status, again) == (201, (201, first))
    assert (first["mask"], first["ref"].partition(":")[0]) == ("…6789", "bank")
    assert "123456" not in json.dumps(first)
    _, listed = await api.get("/v1/users/me/bank-accounts", alice)
    assert listed["bank_accounts"] == [first]
    # and only the key opens what is stored
    row = await api.store.read(banking.bank_account, first["ref"].removeprefix("bank:"))
    assert row is not None
    details = await api.services.people.bank_details(alice.account, row.details_sealed)
    assert details is not None
    assert details.account_number == BANK["account_number"]
    bob = await api.settle(Holder("bob"))
    await api.post("/v1/users/me/bank-accounts", BANK, bob)
    with pytest.raises(SealBroken):
        await api.services.people.bank_details(bob.account, row.details_sealed)
    # when the routing number has a wrong check digit, then it is refused
    status, problem = await api.post("/v1/users/me/bank-accounts", BANK | {"routing_number": "021000020"}, alice)
    assert (status, problem["code"]) == (422, "routing_number")


async def test_a_desk_sees_its_work_and_nobody_elses(api: Platform, alice: Holder) -> None:
    kyc = await api.settle(Holder("kyc", roles=Role.KYC_DESK))
    issuer = await api.settle(Holder("issuer", roles=Role.ISSUER))
    approver = await api.settle(Holder("approver", roles=Role.APPROVER))
    custodian = await api.settle(Holder("custodian", roles=Role.CUSTODIAN))
    desks = {"kyc_desk": kyc, "issuer": issuer, "approver": approver, "custodian": custodian}

    async def tasks(role: str, kind: str) -> list[dict[str, Any]]:
        path = "/v1/desk/tasks"
        status, answer = await api.call("GET", f"{path}?role={role}", **api.proof("GET", path, desks[role]))
        assert status == 200
        return [task for task in answer["tasks"] if task["kind"] == kind]

    # given an application, a deposit that waits, and an issue that is held
    await api.store.run(accounts.set_kyc, alice.account, "app-7", "pending", [])
    deposit_id, issue_id = await api.ids(2)
    deposit = api.claims("deposit", deposit_id) | {
        "token": "TXD", "account": alice.account, "amount": "50000", "source": "bank:abc",
        "expires_at": format_time(api.clock.now_ms() // 1000 + 600),
    }  # fmt: skip
    issue = api.claims("issue", issue_id) | {
        "token": "TXD", "account": alice.account, "amount": "50000", "deposit": deposit_id, "evidence": "0" * 64,
    }  # fmt: skip
    assert (await api.put(deposit_id, seal_envelope("deposit", deposit, alice.key)))[0] == 202
    signed_issue = seal_envelope("issue", issue, issuer.key)
    assert (await api.put(issue_id, signed_issue))[0] == 202

    def screen(store: Store) -> None:
        transactions.move(
            store,
            [
                Change(deposit_id, Event.AWAIT_FUNDS),
                Change(issue_id, Event.HOLD, code="approval_required", linked_id=deposit_id),
            ],
            actor="test",
            at_ms=1,
        )

    # when each desk looks, then it has what waits for it
    (application,) = await tasks("kyc_desk", "application")
    assert (application["application_id"], application["account"], application["attested"]) == (
        "app-7",
        alice.account,
        [],
    )
    await api.store.run(screen)
    (waiting,) = await tasks("custodian", "deposit")
    assert (waiting["transaction_id"], waiting["amount"], waiting["reference"]) == (deposit_id, "50000", "bank:abc")
    assert waiting["issue"] == issue_id
    assert await tasks("issuer", "deposit") == [], "an issue for it is on its way"
    assert {task["token"] for task in await tasks("issuer", "reserve")} == {"TXD", "TXG"}
    (approval,) = await tasks("approver", "approval")
    assert (approval["message"], approval["linked_id"]) == (signed_issue.decode(), deposit_id)
    # and others see none of it
    path = "/v1/desk/tasks"
    for holder in (alice, kyc):
        status, problem = await api.call("GET", f"{path}?role=approver", **api.proof("GET", path, holder))
        assert (status, problem["code"]) == (403, "wrong_role")


async def test_health_tells_the_truth(api: Platform, alice: Holder) -> None:
    # given an API that can work
    assert await api.get("/healthz") == (200, {"status": "alive"})
    status, ready = await api.get("/readyz")
    assert (status, ready["ready"], ready["database"], ready["queue"], ready["settling"]) == (
        200,
        True,
        True,
        True,
        True,
    )
    # when something was accepted and waits for minutes, then it is told
    bob = await api.settle(Holder("bob"))
    await api.put(*await api.signed_transfer(alice, bob))
    api.clock.ahead_ms = 300_000
    _, ready = await api.get("/readyz")
    assert (ready["settling"], ready["state"], ready["ready"]) == (False, "degraded", True)
    assert ready["problems"][0].startswith("settling: 3")
    assert ready["oldest_waiting_age_s"] > 299
    # and the metrics count it, with nothing of a person in them
    async with api.session.get(f"{api.url}/metrics") as answer:
        text = await answer.text()
    assert 'sdt_api_messages_total{outcome="new"} 1' in text
    assert 'route="/v1/transactions/{transaction_id}",method="PUT",status="202"' in text
    assert alice.account not in text


async def test_the_region_describes_itself(api: Platform) -> None:
    _, region = await api.get("/v1/region")
    assert (region["id"], region["network"], region["tokens"]) == ("US-TX", NETWORK, ["TXD", "TXG"])
    _, rules = await api.get("/v1/rules")
    assert rules["digest"] == region["rules_digest"] == api.services.region.digest.hex()
    assert all(rule["statute"] and rule["effective"] for rule in rules["rules"])
    for path, words in (
        ("/docs", "Send a signed message"),
        ("/openapi.yaml", "openapi: 3.1.0"),
        ("/docs/errors.md", "### bad_signature"),
    ):
        async with api.session.get(api.url + path) as answer:
            assert answer.status == 200
            assert words in await answer.text()


async def test_the_money_is_explained_and_what_is_blocked_named_to_compliance_alone(
    api: Platform, alice: Holder
) -> None:
    custodian = await api.settle(Holder("custodian", roles=Role.CUSTODIAN))
    officer = await api.settle(Holder("officer", roles=Role.COMPLIANCE_OFFICER))
    made = [*prefunded("TXD", 1_000), *currency_taken_in("TXD", "d-1", 70), *deposit_blocked("TXD", "d-1", 70)]

    def post(store: Store) -> None:
        ledger.post(store, [("d-1", p) for p in made], release=[], at_ms=1)

    await api.store.run(post)

    async def report(holder: Holder) -> dict[tuple[str, str | None], str]:
        path = "/v1/office/money"
        status, answer = await api.call("GET", path, **api.proof("GET", path, holder))
        assert status == 200
        [token] = answer["tokens"]
        assert int(token["clearing"]) == sum(int(item["amount"]) for item in token["items"])
        return {(item["kind"], item["transaction_id"]): item["amount"] for item in token["items"]}

    by_officer, by_custodian = await report(officer), await report(custodian)
    assert by_officer[("prefund", None)] == by_custodian[("prefund", None)] == "1000"
    assert by_officer[("blocked", "d-1")] == by_custodian[("kept_apart", None)] == "70"
    assert not any(kind == "blocked" for kind, _ in by_custodian)
    status, problem = await api.call("GET", "/v1/office/money", **api.proof("GET", "/v1/office/money", alice))
    assert (status, problem["code"]) == (403, "wrong_role")
