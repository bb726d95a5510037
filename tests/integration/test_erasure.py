"""Erasing a person: when the law allows, by two officers, and then for good, wherever the bytes were."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from api_platform import Holder
from identity_rig import PDF, Bureau, bureau
from sandbox_servers import Sandbox, sandbox

from sdt.domain.ledger import Posting
from sdt.domain.registry import Role
from sdt.store import Store, cases, former_parties, ledger, person_keys
from sdt.store.cases import open_case

pytestmark = pytest.mark.slow
YEAR_MS = 366 * 86_400_000
MARKED: dict[str, Any] = {
    "given_name": "Markgiven",
    "family_name": "DOCS",
    "born_on": "1971-03-09",
    "address": {"street": "77 Markstreet", "city": "Markcity", "state": "TX", "postal_code": "79999"},
    "ssn_last4": "8642",
    "email": "marked@markmail.example",
}
BANK = {"routing_number": "021000021", "account_number": "000778899111", "kind": "checking", "holder": "Markholder"}
MARKS = ("Markgiven", "Markstreet", "Markcity", "markmail", "1971-03-09", "000778899111", "Markholder", "MARKPAPER")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vendor"), "kyc", "--decide", "0.05") as (running, _):
        yield running


@pytest.fixture
async def office(tmp_path: Path, server: Sandbox) -> AsyncIterator[Bureau]:
    async with bureau(tmp_path, server) as running:
        yield running


async def _known(office: Bureau) -> Holder:
    """Somebody with a person's data, a bank account and a document."""
    ann = await office.join("ann.tx", **MARKED)
    await office.decided(ann)
    status, _ = await office.api.post("/v1/users/me/bank-accounts", BANK, ann)
    assert status == 201
    status, _ = await office.hand_in(ann, PDF + b" MARKPAPER")
    assert status == 201
    assert (await office.decided(ann))["status"] == "passed"
    return ann


def _user_id(office: Bureau, holder: Holder) -> str:
    found = office.api.store.row("SELECT user_id FROM users WHERE account = ?", (holder.account,))
    return str(found[0])


def _in_files(folder: Path, text: str) -> list[str]:
    return [
        file.name
        for file in folder.rglob("*")
        if file.is_file() and (text.encode() in file.read_bytes() or text.encode().hex().encode() in file.read_bytes())
    ]


async def test_personal_data_is_nowhere_in_the_clear(
    office: Bureau, tmp_path: Path, server: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Given marked data sent every way there is, then no file, log or answer holds a mark, nor the vendor's files."""
    caplog.set_level(logging.DEBUG)
    ann = await _known(office)
    answers = [
        await office.check(ann),
        await office.api.get("/v1/users/me", ann),
        await office.api.get("/v1/users/me/bank-accounts", ann),
        await office.api.get("/v1/users/me/identity/documents", ann),
        # what is refused repeats nothing
        await office.api.post("/v1/users/me/identity/attempts", {"person": MARKED}, ann),
        await office.api.post("/v1/users/me/identity/attempts", {"person": MARKED | {"ssn_last4": "Markssn"}}, ann),
        await office.api.post("/v1/users/me/identity/attempts", {"person": MARKED | {"Markfield": 1}}, ann),
        await office.send(Holder("ann.tx"), **MARKED),
        await office.send(Holder("bob.tx"), **MARKED | {"born_on": "1971-02-31"}),
        await office.api.post("/v1/users/me/bank-accounts", BANK | {"routing_number": "021000020"}, ann),
        await office.hand_in(ann, b"MARKPAPER"),
    ]
    for mark in (*MARKS, "Markssn"):
        assert _in_files(tmp_path, mark) == [], mark
        assert _in_files(server.home, mark) == [], mark
        assert mark not in caplog.text
        assert mark not in repr(answers)
    # and the test would see one: what is not personal is found
    assert _in_files(tmp_path, ann.account)


async def test_a_person_is_erased_when_the_years_are_over_and_for_good(office: Bureau, tmp_path: Path) -> None:
    api = office.api
    ann = await _known(office)
    one, two = await office.officer("one", Role.COMPLIANCE_OFFICER), await office.officer("two", Role.APPROVER)
    erase = {"account": ann.account, "reason": "Asked for it; the retention has ended."}
    row = await api.store.read(person_keys.of_account, ann.account)
    assert row is not None and row.wrapped is not None
    await api.store.run(_kept, ann.account)
    (file,) = (tmp_path / "documents").iterdir()
    # given that six years bind (a bank account was linked, nothing moved), then nobody is erased before
    status, problem, _ = await office.act("erase_person", one, **erase)
    assert (status, problem["code"], problem["rule"]) == (409, "retention", "retention-nacha")
    assert problem["statute"].startswith("Nacha")
    api.clock.ahead_ms = 7 * YEAR_MS
    # given an order, an open case or tokens, then not either
    _, hold, _ = await office.act(
        "legal_hold", one, account=ann.account, order="D-1-GN-26-1", authority="Travis County"
    )
    assert (hold["status"], hold["result"]["hold"]) == ("done", hold["act_id"])
    _, problem, _ = await office.act("erase_person", one, **erase)
    assert problem["code"] == "legal_hold"
    lift = {"account": ann.account, "hold": hold["act_id"], "reason": "The suit is over."}
    _, problem, _ = await office.act("lift_legal_hold", one, **lift | {"hold": "3f0c1d9e-5b1f-4d6a-9f3c-0a1b2c3d4e5f"})
    assert problem["code"] == "unknown_hold"
    await office.agreed("lift_legal_hold", one, two, **lift)
    _, problem, _ = await office.act("lift_legal_hold", one, **lift)
    assert problem["code"] == "unknown_hold"
    name = f"Token:TXD:{ann.account}"
    await api.store.run(_post, "Reserve:TXD", name)
    _, problem, _ = await office.act("erase_person", one, **erase)
    assert problem["code"] == "relationship_open"
    await api.store.run(_post, name, "Reserve:TXD")
    # when two officers erase, then nothing that was sealed opens again, anywhere
    _, problem, _ = await office.act("erase_person", two, **erase)
    assert problem["code"] == "wrong_role"
    answer = await office.agreed("erase_person", one, two, **erase)
    assert await office.erasures.work() == 1
    assert await office.erasures.work() == 0
    assert not file.exists()
    assert await api.services.people.party(ann.account) is None
    for piece in (row.wrapped, row.wrapped[-24:], bytes(row.person_sealed or b"")[-24:]):
        assert not any(piece in each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    # and reads say so, while what is no personal data stands
    found = await office.check(ann)
    assert (found["status"], found["next"], found["reasons"]) == ("erased", "nothing", [])
    _, user = await api.get("/v1/users/me", ann)
    assert (user["erased"], user["handle"], user["party"]) == (True, "ann.tx", None)
    _, linked = await api.get("/v1/users/me/bank-accounts", ann)
    assert [account["mask"] for account in linked["bank_accounts"]] == ["erased"]
    status, problem = await api.post("/v1/users/me/bank-accounts", BANK, ann)
    assert (status, problem["code"]) == (404, "erased")
    status, problem = await api.post("/v1/users/me/identity/renewals", {}, ann)
    assert (status, problem["code"]) == (404, "erased")
    assert answer["type"] == "agree"
    _, problem, _ = await office.act("erase_person", one, **erase)
    assert problem["code"] == "erased_already"


def _kept(store: Store, account: str) -> None:
    """Somebody whose identity was renewed: whom it was of is kept."""
    former_parties.keep(store, account, 1, passed=True, at_ms=1)


def _post(store: Store, debit: str, credit: str) -> None:
    ledger.post(store, [("x", Posting(debit, credit, "TXD", 500))], release=[], at_ms=1)


async def test_whoever_moved_value_is_kept_ten_years_and_longer_while_a_case_is_open(office: Bureau) -> None:
    api = office.api
    ann, bob = await office.join("ann.tx"), await office.join("bob.tx")
    await office.decided(ann)
    one = await office.officer("one", Role.COMPLIANCE_OFFICER)
    id_, message = await api.signed_transfer(ann, bob)
    assert (await api.put(id_, message))[0] == 202
    erase = {"account": ann.account, "reason": "Asked for it."}
    api.clock.ahead_ms = 11 * YEAR_MS
    _, problem, _ = await office.act("erase_person", one, **erase)
    assert problem["code"] == "relationship_open", "the transfer is under way"
    await api.store.run(_end, id_)
    api.clock.ahead_ms = 7 * YEAR_MS
    _, problem, _ = await office.act("erase_person", one, **erase)
    assert (problem["code"], problem["rule"], problem["statute"]) == (
        "retention",
        "retention-ofac",
        "31 C.F.R. 501.601",
    )
    api.clock.ahead_ms = 11 * YEAR_MS
    await api.store.run(_open_case, ann.account)
    _, problem, _ = await office.act("erase_person", one, **erase)
    assert problem["code"] == "relationship_open"
    api.store.execute("UPDATE cases SET status = 'closed'")
    status, answer, _ = await office.act("erase_person", one, **erase)
    assert (status, answer["status"]) == (200, "waiting")
    assert await api.services.people.party(ann.account) is not None, "one officer erases nobody"


def _end(store: Store, id: str) -> None:
    store.execute("UPDATE transactions SET status = 'completed' WHERE id = ?", (id,))


def _open_case(store: Store, account: str) -> None:
    facts: dict[str, Any] = {"facts": {}, "detected_on": date(2026, 1, 1), "actor": "test", "at_ms": 1}
    open_case(store, kind="monitoring", key="x", account=account, **facts)
    assert cases.unsettled(store, account)
    assert not cases.unsettled(store, "0x" + "0" * 40)


async def test_handles_that_look_alike_or_official_are_refused(office: Bureau) -> None:
    api = office.api
    bob = Holder("bob.tx")
    assert (await office.send(bob))[0] == 202
    await api.settle(bob)
    await api.store.run(_registered, bob.account)
    for handle in ("b0b.tx", "bob-tx", "bob_tx"):
        status, problem = await office.send(Holder(handle))
        assert (status, problem["code"]) == (409, "user_taken")
    # what is asked is normalised, and what only looks alike is nobody
    assert await api.get("/v1/handles/BOB.tx") == (200, {"asked": "BOB.tx", "handle": "bob.tx", "account": bob.account})
    status, problem = await api.get("/v1/handles/b%CE%BFb.tx")
    assert (status, problem["code"], problem["handle"]) == (404, "unknown_handle", "bοb.tx")
    status, problem = await api.get("/v1/handles/bob%20tx")
    assert (status, problem["code"]) == (422, "handle")
    # a name of office takes two officers' leave, for one account
    office_holder, other = Holder("treasury.tx"), Holder("treasury.tx")
    status, problem = await office.send(office_holder)
    assert (status, problem["code"]) == (403, "handle_reserved")
    one, two = await office.officer("one", Role.ADMINISTRATOR), await office.officer("two", Role.ADMINISTRATOR)
    grant = {"handle": "treasury.tx", "account": office_holder.account, "reason": "The Treasury's own account."}
    await office.agreed("grant_handle", one, two, **grant)
    assert (await office.send(other))[0] == 403
    assert (await office.send(office_holder))[0] == 202
    _, problem, _ = await office.act("grant_handle", one, **grant)
    assert problem["code"] == "user_taken"


def _registered(store: Store, account: str) -> None:
    store.execute("UPDATE users SET registered = ? WHERE account = ?", (True, account))
