"""Whom the vendor passed is who the account's record names: corrected data and what is on its way do not cross."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_platform import PERSON, Holder
from identity_rig import PDF, Bureau, bureau
from sandbox_servers import Sandbox, sandbox

from sdt.domain.errors import Conflict
from sdt.ports.evidence import Evidence
from sdt.ports.kyc import DocumentKind, KycApplication, KycDocument, KycOutcome
from sdt.store import Store, accounts, cases, examinations, outbox
from sdt.store.accounts import UserRow
from sdt.store.cases import Filter
from sdt.store.examinations import ExaminationRow
from sdt.workflows import identity
from store_rig import NOW_MS, address

ATTEMPTS = "/v1/users/me/identity/attempts"
OTHER = {"person": PERSON | {"given_name": "Invented", "family_name": "Beta"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vendor"), "kyc", "--decide", "0.05") as (running, _):
        yield running


@pytest.fixture
async def office(tmp_path: Path, server: Sandbox) -> AsyncIterator[Bureau]:
    async with bureau(tmp_path, server) as running:
        yield running


async def _name(office: Bureau, holder: Holder) -> str:
    party = await office.api.services.people.party(holder.account)
    assert party is not None
    return party.name


async def _row(office: Bureau, holder: Holder) -> ExaminationRow:
    row = await office.api.store.read(examinations.get, holder.account)
    assert row is not None
    return row


async def _for_desk(office: Bureau) -> list[str]:
    return [row.account for row in await office.api.store.read(examinations.waiting_for_desk, 10)]


@pytest.mark.slow
async def test_no_other_data_is_taken_while_a_document_is_on_its_way(office: Bureau) -> None:
    # given a document handed in, which the worker has not forwarded yet
    ann = await office.join("ann.tx", family_name="DOCS")
    assert (await office.decided(ann))["status"] == "documents_required"
    assert (await office.hand_in(ann))[0] == 201
    # when somebody else's data is handed in, then it is not taken
    status, problem = await office.api.post(ATTEMPTS, OTHER, ann)
    assert (status, problem["code"]) == (409, "identity_closed")
    # and the record is of whom the vendor passes
    assert (await office.decided(ann))["status"] == "passed"
    assert await _name(office, ann) == "Alice DOCS"
    assert await office.api.store.read(outbox.dead_count) == 0


@pytest.mark.slow
async def test_what_the_vendor_passed_before_it_refused_other_data_is_the_officers(office: Bureau) -> None:
    # given a vendor that passes somebody while other data is handed in here
    ann = await office.join("ann.tx", family_name="DOCS")
    await office.decided(ann)
    application = (await _row(office, ann)).application
    assert application is not None
    passport = KycDocument(DocumentKind.IDENTITY, "holder", "application/pdf", PDF)
    await office.vendor.submit(application, passport, "at-the-vendor")
    assert (await office.api.post(ATTEMPTS, OTHER, ann))[0] == 202
    # while that is on its way, nothing that the vendor says counts, and no desk attests it
    assert await _for_desk(office) == []
    await office.identities.look()
    assert (await office.check(ann))["status"] == "pending"
    # when the vendor refuses it, then it passed somebody who is not the one on record: an officer decides
    await office.identities.work()
    async with asyncio.timeout(10):
        while (await office.vendor.application(application)).outcome is not KycOutcome.PASSED:
            await asyncio.sleep(0.03)
    for _ in range(11):
        await office.identities.look()
    assert [row.last_error for row in await office.api.store.read(outbox.dead)] == ["not_open"]
    assert ((await office.check(ann))["status"], (await _row(office, ann)).tier) == ("review", 0)
    (case,) = await office.api.store.read(cases.cases, Filter(("kyc",)))
    assert (case.account, json.loads(case.facts)["reasons"]) == (ann.account, ["not_open"])
    assert await _for_desk(office) == []
    # neither does a document's answer count, nor another attempt
    found = await office.vendor.application(application)
    await office.api.store.run(identity.record, found, "test", office.api.clock.now_ms())
    assert (await office.check(ann))["status"] == "review"
    assert (await office.api.post(ATTEMPTS, OTHER, ann))[1]["code"] == "identity_closed"
    # what two officers decide does, and goes to the desk
    await office.api.store.run(_decided, ann.account)
    assert await _for_desk(office) == [ann.account]


def _decided(store: Store, account: str) -> None:
    row = examinations.get(store, account)
    assert row is not None
    examinations.put(store, row._replace(status="passed", tier=1, decision_act="act-1", expires_at_s=2**33))


def found_of(account: str, outcome: KycOutcome, attempts_left: int, application: str = "app-1") -> KycApplication:
    return KycApplication(application, account, outcome, (), 0, "TX", None, attempts_left, None, None, Evidence(b"{}"))


def begun(store: Store, n: int, application: str, **changes: Any) -> str:
    """Somebody whose application is at the vendor; each was handed in a second after the one before."""
    handle = f"{'abcdefgh'[n % 8]}{'kmpqrstu'[n // 8]}.tx"
    at_ms = NOW_MS + 1000 * n
    accounts.create_user(store, UserRow(f"user-{n}", address(n), handle, "US-TX", at_ms, registered=True))
    identity.begin(store, address(n), application, at_ms)
    row = examinations.get(store, address(n))
    assert row is not None
    examinations.put(store, row._replace(**changes))
    return address(n)


def test_a_vendor_that_counts_otherwise_gives_no_third_attempt(store: Store) -> None:
    """Given a vendor for which an attempt is always left, when two were made, then there is no third."""
    account = begun(store, 1, "app-1")
    failed = found_of(account, KycOutcome.FAILED, attempts_left=1)
    identity.record(store, failed, "test", NOW_MS)
    identity.try_again(store, account, NOW_MS)
    (key,) = outbox.open_keys(store, identity.TOPIC, f"{account}:")
    identity.record(store, failed, "test", NOW_MS)
    assert examinations.get(store, account).status == "pending"  # type: ignore[union-attr]
    identity.record(store, failed, "test", NOW_MS, answers=key)
    store.execute("UPDATE outbox SET done_at_ms = 1")
    with pytest.raises(Conflict) as refused:
        identity.try_again(store, account, NOW_MS)
    assert refused.value.code == "attempts_exhausted"
    assert [case.account for case in cases.cases(store, Filter(("kyc",)))] == [account]


def test_whoever_passed_comes_to_the_desk_before_all_who_only_wait(store: Store) -> None:
    """Given more abandoned checks than the desk is shown, then who passed is shown, and the others take turns."""
    waiting = [begun(store, n, f"app-{n}") for n in range(1, 5)]
    passed = begun(store, 5, "app-5", status="passed", tier=1, expires_at_s=2**33)
    assert [row.account for row in examinations.waiting_for_desk(store, 2)] == [passed, waiting[0]]
    identity.asked_in_vain(store, "app-1", NOW_MS + 60_000)
    assert [row.account for row in examinations.waiting_for_desk(store, 2)] == [passed, waiting[1]]


def test_applications_that_the_vendor_does_not_know_are_asked_about_in_turn(store: Store) -> None:
    """Given applications of a vendor before, more than one look asks about, then the newer one has its turn."""
    for n in range(1, 4):
        begun(store, n, f"app-{n}")
    accounts.set_kyc(store, address(2), "app-2", "passed", [])
    store.execute("DELETE FROM examinations WHERE account = ?", (address(2),))  # from before examinations were kept
    asked = []
    for round in range(3):
        (application,) = examinations.open_applications(store, ["pending"], 1)
        asked.append(application)
        identity.asked_in_vain(store, application, NOW_MS + 60_000 + round)
    assert asked == ["app-2", "app-1", "app-3"]
    row = examinations.get(store, address(2))
    assert row is not None
    assert (row.status, row.tier, row.updated_at_ms) == ("passed", 0, NOW_MS + 60_000)
    assert examinations.open_applications(store, ["pending"], 1) == ["app-2"]
