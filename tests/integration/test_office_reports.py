"""Reports and travel records: to the compliance role alone, fit for FinCEN's layout, the same bytes each time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from api_platform import Holder, Platform, platform
from command_rig import Commands
from test_monitoring import DORA, EVE, HOME, SHOP
from test_office_cases import act, evening, proposed, seen

from monitoring_rig import NOON_S, PRICES, REGION, Payment, count_currency, judge_all, pay, read_all
from sdt.adapters.wrapping import VaultKey
from sdt.domain.monitoring.persons import digest_key, person_id
from sdt.domain.personal import Party
from sdt.domain.registry import Role
from sdt.store import Store, accounts, cases, currency, examinations, people_behind, person_keys
from sdt.store.accounts import UserRow
from sdt.store.cases import Filter
from sdt.store.currency import CONDUCTOR_NOTE
from sdt.worker.clock import Clock
from sdt.worker.monitor import Monitor
from sdt.workflows import identity
from sdt.workflows.people import People
from store_rig import NOW_MS, address, transaction_id

MASTER = b"p" * 32
OFFICER = Role.COMPLIANCE_OFFICER
COURIER = {
    "given_name": "Carl",
    "family_name": "Courier",
    "born_on": "1980-05-17",
    "address": {"street": HOME.street, "city": HOME.city, "state": HOME.state, "postal_code": HOME.postal_code},
    "document": "passport",
    "document_number": "123456789",
    "document_issuer": "US",
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


@pytest.fixture
async def ann(api: Platform) -> Holder:
    return await api.settle(Holder("ann", roles=OFFICER))


@pytest.fixture
async def ben(api: Platform) -> Holder:
    return await api.settle(Holder("ben", roles=OFFICER))


def user(store: Store, n: int, party: Party) -> None:
    people = People(store, VaultKey(lambda: (MASTER,)))
    key = digest_key(MASTER)
    with store.transaction():
        accounts.create_user(store, UserRow(f"user-{n}", address(n), f"user{n}.tx", "US-TX", NOW_MS, registered=True))
        accounts.set_person(store, address(n), people.seal(store, address(n), party, NOW_MS))
        for person in party.people if not hasattr(party, "given_name") else (party,):
            known = person_id(key, person.given_name, person.family_name, person.born_on)
            people_behind.link(store, address(n), [known])


def hand_in(store: Store, n: int, holder: int, cents: int, at_s: int) -> None:
    """Currency for a holder by a courier's hand."""
    carl = person_id(digest_key(MASTER), "Carl", "Courier", "1980-05-17")
    deposit = count_currency(store, n, holder, cents, at_s, conductor=carl)
    people = People(store, VaultKey(lambda: (MASTER,)))
    with store.transaction():
        note = people.seal_note(store, address(holder), CONDUCTOR_NOTE, msgspec.json.encode(COURIER), NOW_MS)
        store.execute("UPDATE currency_deposits SET conductor_sealed = ? WHERE transaction_id = ?", (note, deposit))


async def report(api: Platform, case_id: str, holder: Holder | None) -> tuple[int, bytes]:
    path = f"/v1/office/cases/{case_id}/report"
    async with api.session.get(api.url + path, headers=api.proof("GET", path, holder)) as answer:
        return answer.status, await answer.read()


def values(document: bytes, name: str) -> list[str]:
    return re.findall(f"<fc2:{name}>([^<]*)<", document.decode())


def the_case(store: Store, kind: str) -> str:
    (case,) = cases.cases(store, Filter((kind,)))
    return case.id


async def test_a_day_of_currency_becomes_form_112(api: Platform, ann: Holder) -> None:
    def set_up(store: Store) -> None:
        user(store, 1, DORA)
        user(store, 2, SHOP)
        count_currency(store, 1, 1, 4_000_00, NOON_S)
        hand_in(store, 2, 2, 6_000_01, NOON_S + 60)
        hand_in(store, 3, 2, 1_000_00, NOON_S - 86_400)
        read_all(store, [10], NOON_S)

    await api.store.run(set_up)
    case_id = the_case(api.store, "currency")
    filing = evening(api)
    status, made = await report(api, case_id, ann)
    assert status == 200
    assert values(made, "FilingDateText") == [f"{filing:%Y%m%d}"], "the date in Texas"
    assert (await report(api, case_id, ann))[1] == made
    assert values(made, "TotalCashInReceiveAmountText") == ["10001"], "the day's own, rounded up"
    assert values(made, "ActivityPartyTypeCode")[5:] == ["50", "23", "17"]
    assert values(made, "RawEntityIndividualLastName") == ["Plantedname", "Planted Holdings LLC", "Courier"]
    assert values(made, "IndividualEntityCashInAmountText") == ["10001", "4000", "6001", "6001"]
    assert values(made, "PartyIdentificationNumberText")[-1] == "123456789"
    digest = {"case": case_id, "form": "ctr", "digest": "ab" * 32}
    assert (await act(api, "record_report", ann, **digest))[0] == 200
    assert "report_made" in [event["event"] for event in (await seen(api, case_id, ann))["events"]]
    # given that the holder was erased meanwhile, then the report is made all the same, and says what is unknown
    await api.store.run(person_keys.erase, "user-1", NOW_MS)
    status, made = await report(api, case_id, ann)
    assert status == 200
    assert values(made, "EntityLastNameUnknownIndicator") == ["Y"]


async def test_what_two_officers_decided_becomes_form_111(api: Platform, ann: Holder, ben: Holder) -> None:
    def set_up(store: Store) -> None:
        user(store, 1, DORA)
        user(store, 2, EVE)
        pay(store, [Payment(1, 1, 2, 5_000_00, NOON_S), Payment(2, 2, 1, 4_900_00, NOON_S + 60)])
        read_all(store, [10], NOON_S)

    await api.store.run(set_up)
    case_id = next(case.id for case in cases.cases(api.store, Filter(("monitoring",))) if case.account == address(1))
    assert (await report(api, case_id, ann))[0] == 409
    digest = await proposed(api, case_id, ann)
    assert (await report(api, case_id, ann))[0] == 409, "proposed is not decided"
    await act(api, "agree", ben, digest=digest)
    status, made = await report(api, case_id, ben)
    assert status == 200
    assert values(made, "RawEntityIndividualLastName") == ["Plantedname"]
    assert values(made, "TotalSuspiciousAmountText") == ["9900"]
    assert "Three days" in values(made, "ActivityNarrativeText")[0]
    assert (values(made, "InitialReportIndicator"), values(made, "SuspiciousActivityFromDateText")) == (
        ["Y"],
        ["20261124"],
    )


async def test_reports_and_records_name_who_was_identified_and_not_who_a_renewal_says(
    api: Platform, ann: Holder
) -> None:
    def set_up(store: Store) -> None:
        user(store, 1, DORA)
        user(store, 2, SHOP)
        identity.begin(store, address(1), "app-1", NOW_MS)
        row = examinations.get(store, address(1))
        assert row is not None
        now_s = NOW_MS // 1000
        examinations.put(store, row._replace(status="passed", decided_at_s=now_s - 86_400, expires_at_s=now_s + 60))
        identity.renew(store, address(1), NOW_MS)
        people = People(store, VaultKey(lambda: (MASTER,)))
        accounts.set_person(store, address(1), people.seal(store, address(1), EVE, NOW_MS))
        count_currency(store, 1, 1, 20_000_00, NOON_S)
        pay(store, [Payment(2, 1, 2, 3_000_00, NOON_S)])
        read_all(store, [10], NOON_S)

    await api.store.run(set_up)
    people = People(api.store, VaultKey(lambda: (MASTER,)))
    await Monitor(api.store, REGION, people, lambda: digest_key(MASTER), PRICES, Clock()).seal_travel()
    status, made = await report(api, the_case(api.store, "currency"), ann)
    assert status == 200
    assert values(made, "RawEntityIndividualLastName") == ["Plantedname"]
    _, found = await api.get(f"/v1/office/travel-records/{transaction_id(2)}", ann)
    assert found["originator"]["name"] == "Dora Plantedname"


async def test_currency_over_thirty_accounts_of_one_person_is_reported_whole(api: Platform, ann: Holder) -> None:
    def set_up(store: Store) -> None:
        for n in range(1, 31):
            user(store, n, DORA)
            count_currency(store, n, n, 1_000_00, NOON_S + n)
        read_all(store, [7], NOON_S)

    await api.store.run(set_up)
    status, made = await report(api, the_case(api.store, "currency"), ann)
    assert status == 200
    assert values(made, "TotalCashInReceiveAmountText") == ["30000"]
    assert values(made, "AccountNumberText") == [address(n).removeprefix("0x") for n in range(1, 31)]


async def test_a_weekend_is_reported_with_its_monday(api: Platform, ann: Holder) -> None:
    def set_up(store: Store) -> None:
        user(store, 1, DORA)
        for n in (1, 2, 3):  # Saturday to Monday
            count_currency(store, n, 1, 4_000_00, NOON_S + (n + 3) * 86_400)
        count_currency(store, 4, 1, 4_000_00, NOON_S + 3 * 86_400)
        read_all(store, [10], NOON_S)

    await api.store.run(set_up)
    status, made = await report(api, the_case(api.store, "currency"), ann)
    assert status == 200
    assert values(made, "TotalCashInReceiveAmountText") == ["12000"]
    assert values(made, "TransactionDateText") == ["20261130"]


async def test_days_in_several_windows_are_reported_once(api: Platform, ann: Holder, ben: Holder) -> None:
    def set_up(store: Store) -> None:
        for n in range(1, 26):
            user(store, n, DORA)
        for n in range(5):  # Monday 2026-11-16 to Friday, in accounts of one person
            count_currency(store, n + 1, n + 21, 9_000_00, NOON_S + (n - 8) * 86_400)
        read_all(store, [10], NOON_S)
        judge_all(store, NOON_S)

    await api.store.run(set_up)
    found = api.store.rows("SELECT cents FROM findings ORDER BY day")
    assert [cents for (cents,) in found] == [27_000_00, 36_000_00, 45_000_00]
    case_id = the_case(api.store, "monitoring")
    await act(api, "agree", ben, digest=await proposed(api, case_id, ann))
    status, made = await report(api, case_id, ann)
    assert status == 200
    assert values(made, "TotalSuspiciousAmountText") == ["45000"]
    assert values(made, "SuspiciousActivityFromDateText") == ["20261116"]
    assert values(made, "SuspiciousActivityToDateText") == ["20261120"]
    # and every account of the person is in it, however many there are
    assert len(values(made, "AccountNumberText")) == 25


async def test_a_payment_that_comes_back_in_parts_is_reported_once(api: Platform, ann: Holder, ben: Holder) -> None:
    def set_up(store: Store) -> None:
        user(store, 1, DORA)
        user(store, 2, EVE)
        pay(store, [Payment(1, 1, 2, 5_000_00, NOON_S - 86_400), Payment(2, 2, 1, 4_900_00, NOON_S)])
        pay(store, [Payment(3, 2, 1, 4_800_00, NOON_S + 60), Payment(4, 1, 2, 70_000_00, NOON_S - 5 * 86_400)])
        read_all(store, [10], NOON_S)

    await api.store.run(set_up)
    case_id = next(case.id for case in cases.cases(api.store, Filter(("monitoring",))) if case.account == address(1))
    await act(api, "agree", ben, digest=await proposed(api, case_id, ann))
    status, made = await report(api, case_id, ann)
    assert status == 200
    assert values(made, "TotalSuspiciousAmountText") == ["14700"]
    assert values(made, "SuspiciousActivityFromDateText") == ["20261123"]


async def test_nobody_but_compliance_gets_a_report_or_a_record(api: Platform, ann: Holder) -> None:
    def set_up(store: Store) -> None:
        user(store, 1, DORA)
        count_currency(store, 1, 1, 20_000_00, NOON_S)
        read_all(store, [10], NOON_S)

    await api.store.run(set_up)
    case_id = the_case(api.store, "currency")
    record = f"/v1/office/travel-records/{transaction_id(1)}"
    for role in Role:
        if role is OFFICER:
            continue
        other = await api.settle(Holder(f"holder{role.name}".lower()[:20], roles=role))
        assert (await report(api, case_id, other))[0] == 403
        assert (await api.get(record, other))[0] == 403
    assert (await report(api, case_id, None))[0] == 401
    assert (await report(api, "3f0c1d9e-5b1f-4d6a-9f3c-0a1b2c3d4e5f", ann))[0] == 404


async def test_a_travel_record_names_both_sides(api: Platform, ann: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    def set_up(store: Store) -> None:
        user(store, 1, DORA)
        user(store, 2, SHOP)
        pay(store, [Payment(1, 1, 2, 3_000_00, NOON_S)])

    await api.store.run(set_up)
    worker = Monitor(
        api.store, REGION, People(api.store, VaultKey(lambda: (MASTER,))), lambda: digest_key(MASTER), PRICES, Clock()
    )
    for _ in range(2):
        await worker.round()
    status, found = await api.get(f"/v1/office/travel-records/{transaction_id(1)}", ann)
    assert status == 200, found
    assert (found["originator"]["name"], found["beneficiary"]["name"]) == ("Dora Plantedname", "Planted Holdings LLC")
    assert (found["amount"], found["originator"]["street"]) == ("300000", "1 Planted Lane")
    assert (await api.get(f"/v1/office/travel-records/{transaction_id(2)}", ann))[1]["code"] == "no_travel_record"
    # and the officer reads it by command
    sdt = Commands(api, {"compliance": ann}, monkeypatch)
    assert await sdt.json("case", "travel", transaction_id(1)) == found
    shown = await sdt("case", "travel", transaction_id(1))
    for part in ("worth $3,000.00", "Dora Plantedname, 1 Planted Lane", "Planted Holdings LLC", found["keep_until"]):
        assert part in " ".join(shown.stdout.split())
    assert currency.of(api.store, []) == {}
