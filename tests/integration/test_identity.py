"""Identity checks end to end: API, worker and a real sandbox vendor; attempts, documents, renewal, decisions."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_platform import PERSON, Holder
from identity_rig import BUSINESS, PDF, Bureau, bureau
from sandbox_servers import Sandbox, sandbox

from sdt.domain.claims import format_time
from sdt.domain.key_scope import KeyScope
from sdt.domain.personal import Business
from sdt.domain.registry import Role
from sdt.store import Store, accounts, cases, documents, examinations
from sdt.store.accounts import IdentityRow
from sdt.store.cases import Filter
from sdt.store.documents import DocumentRow
from sdt.workflows.documents import Documents

pytestmark = pytest.mark.slow
DAY_S = 86_400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vendor"), "kyc", "--decide", "0.05") as (running, _):
        yield running


@pytest.fixture
async def office(tmp_path: Path, server: Sandbox) -> AsyncIterator[Bureau]:
    async with bureau(tmp_path, server) as running:
        yield running


def _codes(reasons: list[dict[str, str]]) -> list[str]:
    return [reason["code"] for reason in reasons]


async def _cases(office: Bureau) -> list[dict[str, Any]]:
    found = await office.api.store.read(cases.cases, Filter(("kyc",)))
    return [json.loads(case.facts) | {"account": case.account} for case in found]


async def test_a_person_passes_and_sees_for_how_long(office: Bureau) -> None:
    dora = Holder("dora.tx")
    await office.send(dora)
    await office.api.settle(dora)
    assert (await office.check(dora))["status"] == "not_started"
    eve = await office.join("eve.tx")
    assert (await office.check(eve))["status"] == "pending"
    found = await office.decided(eve)
    assert (found["status"], found["next"], found["reasons"]) == ("passed", "nothing", [])
    assert found["residency"] == {"status": "passed", "reasons": []}
    assert found["expires_at"] is not None
    # nobody else sees it, and it is asked for at the vendor no more
    user = await office.api.store.read(accounts.user_by_account, eve.account)
    assert user is not None
    status, problem = await office.api.get(f"/v1/users/{user.user_id}/identity", dora)
    assert (status, problem["code"]) == (403, "not_yours")
    assert await office.api.store.read(examinations.open_applications, ["pending", "review"]) == []


async def test_two_attempts_and_then_it_is_a_case(office: Bureau) -> None:
    # given a failed check
    ann = await office.join("ann.tx", family_name="FAIL")
    first = await office.decided(ann)
    assert (first["status"], first["next"], first["attempts_left"]) == ("failed", "correct", 1)
    assert _codes(first["reasons"]) == ["name_not_found"]
    assert first["reasons"][0]["remedy"]
    assert await _cases(office) == []
    # when the data is wrong again, then an officer has it, and there is no third attempt
    path = "/v1/users/me/identity/attempts"
    status, waiting = await office.api.post(path, {"person": PERSON | {"family_name": "FAIL"}}, ann)
    assert (status, waiting["status"], waiting["next"]) == (202, "pending", "wait")
    status, problem = await office.api.post(path, {"person": PERSON}, ann)
    assert (status, problem["code"]) == (409, "identity_closed")
    second = await office.decided(ann)
    assert (second["status"], second["next"], second["attempts_left"]) == ("failed", "contact", 0)
    status, problem = await office.api.post(path, {"person": PERSON}, ann)
    assert (status, problem["code"]) == (409, "attempts_exhausted")
    (case,) = await _cases(office)
    assert (case["account"], case["outcome"], case["reasons"]) == (ann.account, "failed", ["name_not_found"])
    assert "FAIL" not in json.dumps(case)


async def test_corrected_data_passes_at_the_second_attempt(office: Bureau) -> None:
    ann = await office.join("ann.tx", ssn_last4="0000")
    assert _codes((await office.decided(ann))["reasons"]) == ["ssn_not_issued"]
    await office.api.post("/v1/users/me/identity/attempts", {"person": PERSON}, ann)
    # what the vendor said before the attempt was handed in does not count
    await office.identities.look()
    assert (await office.check(ann))["status"] == "pending"
    assert (await office.decided(ann))["status"] == "passed"
    party = await office.api.services.people.party(ann.account)
    assert party is not None
    assert party.name == "Alice Adams"
    # a person's account does not become a business's
    status, problem = await office.api.post("/v1/users/me/identity/attempts", {"business": BUSINESS}, ann)
    assert (status, problem["code"]) == (409, "another_party")
    for nothing in ({}, {"person": PERSON, "business": BUSINESS}):
        assert (await office.api.post("/v1/users/me/identity/attempts", nothing, ann))[0] == 400


@pytest.mark.parametrize(("last4", "status"), [("0004", "failed"), ("0002", "review")])
async def test_what_was_noticed_is_not_told(office: Bureau, last4: str, status: str) -> None:
    thief = await office.join("ann.tx", ssn_last4=last4)
    found = await office.decided(thief)
    assert (found["status"], _codes(found["reasons"])) == (status, ["could_not_verify"])
    _, user = await office.api.get("/v1/users/me", thief)
    assert user["kyc_reasons"] == ["could_not_verify"]
    if status == "review":
        (case,) = await _cases(office)
        assert case["reasons"] == ["possible_duplicate"]


async def test_a_document_that_was_asked_for_is_kept_sealed_and_settles_it(office: Bureau, tmp_path: Path) -> None:
    # given somebody of whom a document is asked
    ann = await office.join("ann.tx", family_name="DOCS")
    found = await office.decided(ann)
    assert (found["status"], found["next"], found["documents_of"]) == (
        "documents_required",
        "send_documents",
        ["holder"],
    )
    # when it is handed in twice, then it is one, and only its digest is shown
    status, paper = await office.hand_in(ann)
    assert (status, paper["size_bytes"], paper["media_type"]) == (201, len(PDF), "application/pdf")
    assert (await office.hand_in(ann))[1]["id"] == paper["id"]
    # it is a private file, sealed
    (file,) = (tmp_path / "documents").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert b"PDF" not in file.read_bytes()
    # and the vendor is content
    assert (await office.decided(ann))["status"] == "passed"
    _, listed = await office.api.get("/v1/users/me/identity/documents", ann)
    assert [(d["digest"], d["forwarded"]) for d in listed["documents"]] == [(paper["digest"], True)]
    status, problem = await office.hand_in(ann, PDF + b" another")
    assert (status, problem["code"]) == (409, "document_not_asked")


async def test_the_same_bytes_for_another_end_are_another_document(office: Bureau) -> None:
    # given bytes that were handed in as another kind than they are
    ann = await office.join("ann.tx", family_name="DOCS")
    await office.decided(ann)
    _, wrong = await office.hand_in(ann, kind="address")
    # then they are handed in as what they are
    status, right = await office.hand_in(ann, kind="identity")
    assert (status, right["kind"], right["id"] == wrong["id"]) == (201, "identity", False)
    assert (await office.decided(ann))["status"] == "passed"
    # and a renewal, which is another application at the vendor, has them once more
    office.api.clock.ahead_ms = 340 * DAY_S * 1000
    await office.api.post("/v1/users/me/identity/renewals", {}, ann)
    assert (await office.decided(ann))["status"] == "documents_required"
    status, again = await office.hand_in(ann)
    assert (status, again["id"] in (right["id"], wrong["id"]), again["forwarded"]) == (201, False, False)
    assert (await office.decided(ann))["status"] == "passed"


async def test_the_same_document_twice_at_the_same_time_is_one(
    office: Bureau, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await office.join("ann.tx", family_name="DOCS")
    await office.decided(ann)
    write, both = Documents.write, asyncio.Barrier(2)

    async def together(papers: Documents, account: str, content: bytes, at_ms: int) -> str:
        await both.wait()
        return await write(papers, account, content, at_ms)

    monkeypatch.setattr(Documents, "write", together)
    async with asyncio.timeout(10):
        first, second = await asyncio.gather(office.hand_in(ann), office.hand_in(ann))
    assert first == second
    assert [file.name for file in (tmp_path / "documents").iterdir()] == [first[1]["id"]]
    orders = office.api.store.rows("SELECT payload FROM outbox WHERE topic = 'identity'")
    assert sum(json.loads(payload)["act"] == "document" for (payload,) in orders) == 1


async def test_documents_are_what_they_say_and_not_too_large(office: Bureau) -> None:
    ann = await office.join("ann.tx", family_name="DOCS")
    await office.decided(ann)
    png, jpeg = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"
    for content, media, code in (
        (PDF, "image/png", "document_type"),
        (png, "application/pdf", "document_type"),
        (b"<html>", "application/pdf", "document_type"),
        (b"", "application/pdf", "document_type"),
        (b"MZ\x90", "image/jpeg", "document_type"),
        (png, "image/svg+xml", "document_type"),
        (PDF + bytes(5 * 1024 * 1024), "application/pdf", "document_size"),
    ):
        status, problem = await office.hand_in(ann, content, media=media)
        assert (problem["code"], status) == (code, 413 if code == "document_size" else 415)
    status, problem = await office.hand_in(ann, subject="owner-1")
    assert (status, problem["code"]) == (409, "document_not_asked")
    status, _ = await office.hand_in(ann, jpeg + bytes(5 * 1024 * 1024 - 4), media="image/jpeg")
    assert status == 201


async def test_residency_is_proven_by_a_document_of_its_own(office: Bureau) -> None:
    boxed = PERSON["address"] | {"street": "PO Box 9"}
    ann = await office.join("ann.tx", address=boxed)
    found = await office.decided(ann)
    assert (found["status"], found["next"]) == ("passed", "send_documents")
    assert (found["residency"]["status"], _codes(found["residency"]["reasons"])) == (
        "documents_required",
        ["residency_proof_needed"],
    )
    # the desk attests the dollar domain now
    (task,) = await office.api.store.read(_desk)
    assert (task.dollar_stands, task.cash_stands) == (False, False)
    # an identity card proves no residency
    assert (await office.hand_in(ann, kind="identity"))[0] == 409
    assert (await office.hand_in(ann, kind="address"))[0] == 201
    found = await office.decided(ann)
    assert (found["status"], found["residency"]["status"]) == ("passed", "passed")
    # and then the desk attests residency, in both domains
    row = await office.api.store.read(examinations.get, ann.account)
    assert row is not None and row.expires_at_s is not None
    attested = IdentityRow(ann.account, "dollar", 1, False, row.expires_at_s)
    await office.api.store.run(accounts.set_identity, attested)
    (task,) = await office.api.store.read(_desk)
    assert (task.dollar_stands, task.cash_stands) == (False, False)
    await office.api.store.run(accounts.set_identity, attested._replace(resident=True))
    await office.api.store.run(accounts.set_identity, attested._replace(resident=True, domain="cash"))
    assert await office.api.store.read(_desk) == []


def _desk(store: Store) -> list[examinations.DeskRow]:
    return examinations.waiting_for_desk(store, 10)


async def test_who_lives_elsewhere_has_dollars_only(office: Bureau) -> None:
    ann = await office.join("ann.tx", address=PERSON["address"] | {"state": "OK"})
    found = await office.decided(ann)
    assert (found["status"], found["next"], found["residency"]["status"]) == ("passed", "nothing", "failed")
    row = await office.api.store.read(examinations.get, ann.account)
    assert row is not None and row.expires_at_s is not None
    await office.api.store.run(accounts.set_identity, IdentityRow(ann.account, "dollar", 1, False, row.expires_at_s))
    assert await office.api.store.read(_desk) == []


async def test_a_business_is_known_with_everybody_behind_it(office: Bureau) -> None:
    shop = await office.join("shop.tx", business=True)
    found = await office.decided(shop)
    assert found["status"] == "passed"
    assert [(s["subject"], s["status"]) for s in found["subjects"]] == [
        ("business", "passed"),
        ("control", "passed"),
        ("owner-1", "passed"),
    ]
    party = await office.api.services.people.party(shop.account)
    assert isinstance(party, Business)
    assert [person.name for person in party.people] == ["Alice Adams", "Alice Ownerson"]


async def test_a_document_of_one_owner_settles_that_owner(office: Bureau) -> None:
    owner = {"person": PERSON | {"family_name": "DOCS"}, "share_ppm": "300000"}
    shop = await office.join("shop.tx", business=True, owners=[*BUSINESS["owners"], owner])
    found = await office.decided(shop)
    assert (found["status"], found["documents_of"]) == ("documents_required", ["owner-2"])
    assert (await office.hand_in(shop))[0] == 409
    assert (await office.hand_in(shop, subject="owner-2"))[0] == 201
    assert (await office.decided(shop))["status"] == "passed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "agency"}, "owners_exempt"),
        ({"kind": "nonprofit"}, "owners_exempt"),
        ({"owners": [{"person": PERSON, "share_ppm": "249999"}]}, "owner_share"),
        ({"owners": [{"person": PERSON, "share_ppm": "600000"}] * 2}, "owners_share_sum"),
        ({"control": PERSON | {"born_on": "2999-01-01"}}, "request"),
        ({"control": PERSON | {"born_on": "2099-01-01"}}, "date_of_birth"),
        ({"certified": False}, "request"),
        ({"ein_last4": "12-3456789"}, "request"),
        ({"owners": [{"person": PERSON, "share_ppm": "250000"}] * 5}, "request"),
        ({"nickname": "x"}, "request"),
    ],
)
async def test_a_business_says_who_owns_it_as_the_law_asks(office: Bureau, change: dict[str, Any], code: str) -> None:
    status, problem = await office.send(Holder("shop.tx"), business=True, **change)
    assert (status in (400, 422), problem["code"]) == (True, code)
    if code.startswith("owner"):
        assert problem["statute"].startswith("31 C.F.R. 1010.230")
    assert "Adams" not in json.dumps(problem)


async def test_a_clerk_sees_and_changes_nothing(office: Bureau) -> None:
    """Given a business's keys of three kinds, then each reads, and a manager's alone changes what is the business's."""
    shop = await office.join("shop.tx", business=True, legal_name="Docs LLC")
    await office.decided(shop)
    for role, status in (("viewer", 403), ("payer", 403), ("manager", 201)):
        clerk = Holder("shop.tx", account=shop.account)
        await office.api.settle(clerk)
        scope = KeyScope(role).pack()  # type: ignore[arg-type]
        office.api.store.execute("UPDATE keys SET scope = ? WHERE kid = ?", (scope, clerk.kid))
        assert (await office.check(clerk))["documents_of"] == ["business"]
        _, keys = await office.api.get("/v1/users/me/keys", clerk)
        assert role in [key["role"] for key in keys["keys"] if key["kid"] == clerk.kid]
        found, problem = await office.hand_in(clerk, kind="formation", subject="business")
        assert found == status, problem
        bank = {"routing_number": "021000021", "account_number": "000123", "kind": "checking", "holder": "Shop"}
        found, linked = await office.api.post("/v1/users/me/bank-accounts", bank, clerk)
        assert found == status
        proof = f"/v1/users/me/bank-accounts/{linked.get('ref', 'bank:none')}/verification"
        found, problem = await office.api.post(proof, {"method": "micro"}, clerk)
        assert (found, problem.get("code")) == ((202, None) if role == "manager" else (403, "wrong_scope"))
        amounts = {"first_cents": 1, "second_cents": 2}
        found, problem = await office.api.post(f"{proof}/confirm", amounts, clerk)
        assert (found, problem["code"]) == ((409, "no_proof") if role == "manager" else (403, "wrong_scope"))
        id_, message = await office.api.signed_transfer(clerk, Holder("else.tx"))
        found, _ = await office.api.put(id_, message)
        assert found == (403 if role == "viewer" else 202)


async def test_an_agency_names_who_acts_for_it_and_no_owners(office: Bureau) -> None:
    county = await office.join("county.tx", business=True, kind="agency", owners=[])
    assert (await office.decided(county))["status"] == "passed"
    _, rules = await office.api.get("/v1/owner-rules")
    (agency,) = [rule for rule in rules["rules"] if rule["kind"] == "agency"]
    assert (agency["owners"], rules["share_ppm_min"]) == (False, 250_000)


async def test_an_identity_ends_is_renewed_and_stands_until_then(office: Bureau) -> None:
    # given somebody who is identified for a year, attested on chain
    ann = await office.join("ann.tx")
    await office.decided(ann)
    row = await office.api.store.read(examinations.get, ann.account)
    assert row is not None and row.expires_at_s is not None
    await office.api.store.run(accounts.set_identity, IdentityRow(ann.account, "dollar", 1, True, row.expires_at_s))
    await office.api.store.run(accounts.set_identity, IdentityRow(ann.account, "cash", 1, True, row.expires_at_s))
    # then it cannot be renewed at once, but is asked for a month before it ends
    status, problem = await office.api.post("/v1/users/me/identity/renewals", {}, ann)
    assert (status, problem["code"]) == (409, "identity_closed")
    office.api.clock.ahead_ms = 340 * DAY_S * 1000
    assert (await office.check(ann))["next"] == "renew"
    office.api.clock.ahead_ms = 366 * DAY_S * 1000
    assert [(await office.check(ann))[name] for name in ("status", "next")] == ["expired", "renew"]
    office.api.clock.ahead_ms = 340 * DAY_S * 1000
    # when it is renewed, then the old one stands while the new is looked at
    status, found = await office.api.post("/v1/users/me/identity/renewals", {}, ann)
    assert (status, found["status"], len(found["established"])) == (202, "pending", 2)
    assert await office.api.store.read(_desk) == []
    found = await office.decided(ann)
    assert found["status"] == "passed"
    renewed = await office.api.store.read(examinations.get, ann.account)
    assert renewed is not None and renewed.expires_at_s is not None
    assert (renewed.round, renewed.application == row.application) == (2, False)
    # and the desk attests the new end, if it is later
    (task,) = await office.api.store.read(_desk) or [None]
    assert (task is not None) == (renewed.expires_at_s > row.expires_at_s)


async def test_what_the_vendor_leaves_open_two_officers_decide(office: Bureau) -> None:
    # given a case in review
    ann = await office.join("ann.tx", family_name="REVIEW")
    found = await office.decided(ann)
    assert (found["status"], found["next"]) == ("review", "wait")
    row = await office.api.store.read(examinations.get, ann.account)
    assert row is not None
    kyc = await office.officer("kyc", Role.KYC_DESK)
    second = await office.officer("second", Role.APPROVER)
    stranger = await office.officer("stranger", Role.ISSUER)
    now_s = office.api.clock.now_ms() // 1000
    claims: dict[str, Any] = {
        "account": ann.account, "application": row.application, "decision": "pass", "tier": 2, "resident": True,
        "evidence": "ab" * 32, "reason": "Seen in person with passport.", "expires_at": format_time(now_s + DAY_S),
        "seen": await _seen(office, kyc, ann),
    }  # fmt: skip
    # then nonsense is refused before it waits
    for change, code in (
        ({"tier": 0}, "decision"),
        ({"expires_at": format_time(now_s - 1)}, "decision"),
        ({"decision": "fail"}, "decision"),
        ({"application": "another"}, "unknown_application"),
    ):
        _, problem, _ = await office.act("decide_identity", kyc, **claims | change)
        assert problem["code"] == code
    for officer in (second, stranger):
        _, problem, _ = await office.act("decide_identity", officer, **claims)
        assert problem["code"] == "wrong_role"
    # when what is known changes after the first has signed, then the second agrees to nothing, and it is looked at anew
    _, waiting, _ = await office.act("decide_identity", kyc, **claims)
    await office.api.store.run(_add_paper, ann.account)
    _, problem, _ = await office.act("agree", second, digest=waiting["digest"])
    assert problem["code"] == "review_changed"
    _, problem, _ = await office.act("decide_identity", kyc, **claims)
    assert problem["code"] == "review_changed"
    claims["seen"] = await _seen(office, kyc, ann)
    # when two agree, then it counts, and the vendor's later word does not undo it
    await office.agreed("decide_identity", kyc, second, **claims)
    assert (await office.check(ann))["status"] == "passed"
    (case,) = await office.api.store.read(cases.cases, Filter(("kyc",)))
    assert [e.kind for e in await office.api.store.read(cases.evidence_of, case.id)] == ["act"]
    for _ in range(11):
        await office.identities.look()
    assert (await office.check(ann))["status"] == "passed"
    (task,) = await office.api.store.read(_desk)
    assert task.decision_act is not None
    # and it is decided once
    _, problem, _ = await office.act("decide_identity", kyc, **claims)
    assert problem["code"] == "identity_closed"
    # when it turns out wrong, then two officers take it back, and the desk has work until the chain says so
    await office.api.store.run(accounts.set_identity, IdentityRow(ann.account, "dollar", 2, True, now_s + DAY_S))
    back = {"decision": "fail", "tier": 0, "resident": False, "seen": await _seen(office, kyc, ann)}
    await office.agreed("decide_identity", kyc, second, **claims | back)
    found = await office.check(ann)
    assert (found["status"], found["next"]) == ("failed", "contact")
    assert len(await office.api.store.read(_desk)) == 1
    await office.api.store.run(accounts.set_identity, IdentityRow(ann.account, "dollar", 0, False, now_s + DAY_S))
    assert await office.api.store.read(_desk) == []


async def _seen(office: Bureau, kyc: Holder, who: Holder) -> str:
    _, found = await office.api.get(f"/v1/office/identities/{who.account}", kyc)
    return str(found["seen"])


def _add_paper(store: Store, account: str) -> None:
    row = DocumentRow("paper", account, "identity", "holder", "application/pdf", 9, "ef" * 32, 1, True, 1)
    documents.add(store, row)


async def test_officers_see_what_waits_and_every_look_is_on_record(office: Bureau) -> None:
    # given somebody in review, who handed in a document before
    ann = await office.join("ann.tx", family_name="DOCS")
    await office.decided(ann)
    status, paper = await office.hand_in(ann, PDF + b" SANDBOX-FORGED")
    assert status == 201
    assert (await office.decided(ann))["status"] == "review"
    bob = await office.join("bob.tx")
    await office.decided(bob)
    kyc, issuer = await office.officer("kyc", Role.KYC_DESK), await office.officer("issuer", Role.ISSUER)
    # then the desk finds the case that waits, with the vendor's own reasons
    _, waiting = await office.api.get("/v1/office/identities", kyc)
    assert [(i["account"], i["reasons"]) for i in waiting["identities"]] == [(ann.account, ["document_suspect"])]
    base = f"/v1/office/identities/{ann.account}"
    _, found = await office.api.get(base, kyc)
    assert (found["looks"], [d["digest"] for d in found["documents"]]) == ([], [paper["digest"]])
    # within the years nobody is erased; nothing moved and no bank account was linked: five
    assert found["retention"]["statute"].startswith("31 C.F.R. 1020.220")
    assert "Adams" not in json.dumps(found)
    # when it looks at the person and the document, then that is on record
    _, party = await office.api.get(f"{base}/party", kyc)
    assert (party["kind"], party["party"]["given_name"]) == ("person", "Alice")
    path = f"{base}/documents/{paper['id']}"
    proof = office.api.proof("GET", path, kyc)
    async with office.api.session.get(office.api.url + path, headers=proof) as answer:
        assert await answer.read() == PDF + b" SANDBOX-FORGED"
        assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("application/pdf", "no-store")
    _, found = await office.api.get(base, kyc)
    assert [(look["officer"], look["what"]) for look in found["looks"]] == [
        (kyc.kid, f"document {paper['id']}"[:48]),
        (kyc.kid, "party"),
    ]
    # and nobody else sees any of it
    for who in (issuer, ann, bob):
        for address in (base, f"{base}/party", path, "/v1/office/identities"):
            status, problem = await office.api.get(address, who)
            assert (status, problem["code"]) == (403, "wrong_role")
    other = f"/v1/office/identities/{bob.account}/documents/{paper['id']}"
    assert (await office.api.get(other, kyc))[1]["code"] == "unknown_document"
    assert (await office.api.get(f"/v1/office/identities/0x{'0' * 40}", kyc))[0] == 404
