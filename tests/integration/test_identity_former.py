"""Who was identified stays known: what somebody says in a renewal names nobody until the vendor or officers pass it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from api_platform import PERSON
from identity_rig import Bureau, bureau
from sandbox_servers import Sandbox, sandbox
from test_identity_attempts import begun, found_of
from test_people import DORA, MASTER

from sdt.adapters.wrapping import VaultKey
from sdt.domain.personal import Person
from sdt.domain.registry import Role
from sdt.ports.kyc import KycOutcome
from sdt.store import Store, accounts, examinations, former_parties, outbox
from sdt.workflows import identity
from sdt.workflows.people import People
from store_rig import NOW_MS

DAY_MS = 86_400_000
EVE = Person(
    given_name="Eve", family_name="Other", born_on="1985-01-02", address=DORA.address, ssn_last4="1111",
    email="e@example.com",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vendor"), "kyc", "--decide", "0.05") as (running, _):
        yield running


@pytest.fixture
async def office(tmp_path: Path, server: Sandbox) -> AsyncIterator[Bureau]:
    async with bureau(tmp_path, server) as running:
        yield running


def kept(store: Store) -> list[tuple[int, bool]]:
    rows = store.rows("SELECT round, passed FROM former_parties ORDER BY n")
    return [(round, bool(passed)) for round, passed in rows]


@pytest.mark.slow
async def test_a_renewal_under_another_name_names_nobody_until_it_passes(office: Bureau) -> None:
    people = office.api.services.people

    async def names(account: str) -> tuple[str, str]:
        identified, says = await people.identified(account), await people.party(account)
        assert identified is not None and says is not None
        return identified.name, says.name

    # given somebody whose identity was established, and comes to its end
    ann = await office.join("ann.tx")
    await office.decided(ann)
    assert await names(ann.account) == ("Alice Adams", "Alice Adams")
    office.api.clock.ahead_ms = 340 * DAY_MS
    # when it is renewed with other data, then nobody else was identified, nor when the vendor does not know them
    other = {"person": PERSON | {"given_name": "Invented", "family_name": "FAIL"}}
    assert (await office.api.post("/v1/users/me/identity/renewals", other, ann))[0] == 202
    assert await names(ann.account) == ("Alice Adams", "Invented FAIL")
    assert (await office.decided(ann))["status"] == "failed"
    assert await names(ann.account) == ("Alice Adams", "Invented FAIL")
    # and who decides about it is shown both
    kyc, path = await office.officer("kyc", Role.KYC_DESK), f"/v1/office/identities/{ann.account}/party"
    _, seen = await office.api.get(path, kyc)
    assert (seen["party"]["family_name"], seen["identified"]["family_name"]) == ("FAIL", "Adams")
    # when corrected data passes, then that is who was identified, and what was said before is kept
    married = {"person": PERSON | {"family_name": "Married"}}
    assert (await office.api.post("/v1/users/me/identity/attempts", married, ann))[0] == 202
    assert await names(ann.account) == ("Alice Adams", "Alice Married")
    assert (await office.decided(ann))["status"] == "passed"
    assert await names(ann.account) == ("Alice Married", "Alice Married")
    assert (await office.api.get(path, kyc))[1]["identified"] is None
    assert await office.api.store.read(kept) == [(1, True), (2, False)]


async def test_who_passed_is_known_however_the_check_came_to_stand_otherwise(store: Store) -> None:
    people = People(store, VaultKey(lambda: (MASTER,)))
    ends_s = NOW_MS // 1000 + 86_400
    account = begun(store, 1, "app-1")
    with store.transaction():
        accounts.set_person(store, account, people.seal(store, account, DORA, NOW_MS))
    # given nobody who ever passed, then it is who they say to be
    assert await people.identified(account) == DORA
    row = examinations.get(store, account)
    assert row is not None
    examinations.put(store, row._replace(status="passed", decided_at_s=ends_s - 90 * 86_400, expires_at_s=ends_s))
    # when it is renewed with the same data, fails, and is tried again with other data
    identity.renew(store, account, NOW_MS)
    store.execute("UPDATE outbox SET done_at_ms = 1")
    identity.begin(store, account, "app-2", NOW_MS)
    failed = found_of(account, KycOutcome.FAILED, attempts_left=1, application="app-2")
    identity.record(store, failed, "test", NOW_MS)
    assert await people.identified(account) == DORA
    with store.transaction():
        identity.try_again(store, account, NOW_MS)
        accounts.set_person(store, account, people.seal(store, account, EVE, NOW_MS))
    assert (await people.identified(account), await people.party(account)) == (DORA, EVE)
    # and when that passes and is taken back, then who had passed last is known still
    (key,) = outbox.open_keys(store, identity.TOPIC, f"{account}:2:")
    passed = found_of(account, KycOutcome.PASSED, attempts_left=0, application="app-2")
    identity.record(store, passed, "test", NOW_MS, answers=key)
    store.execute("UPDATE outbox SET done_at_ms = 1")
    assert await people.identified(account) == EVE
    identity.record(store, failed, "test", NOW_MS)
    assert await people.identified(account) == EVE
    assert kept(store) == [(1, True), (2, False), (2, True)]
    # when the person is erased, then nothing of it is left
    former_parties.forget(store, account)
    accounts.set_person(store, account, None)
    assert await people.identified(account) is None
    assert store.rows("SELECT n FROM former_parties WHERE sealed IS NOT NULL") == []
