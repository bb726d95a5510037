"""Monitoring against real books on both databases: to the cent, by the person, once, and from where it was killed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from monitoring_rig import (
    DAY_S,
    FAR_S,
    NOON_S,
    PRICES,
    REGION,
    Payment,
    count_currency,
    judge_all,
    noticed,
    pay,
    post,
    read_all,
)
from sdt.adapters.wrapping import VaultKey
from sdt.domain.errors import NotFound
from sdt.domain.ledger import Posting, currency_unmatched, suspense_matched, transfer_postings
from sdt.domain.monitoring.persons import PREFIX, digest_key, person_id, persons_in
from sdt.domain.personal import Business, Owner, Party, Person, PersonAddress
from sdt.domain.sealing import SealBroken
from sdt.store import (
    Store,
    accounts,
    cases,
    currency,
    ledger,
    movements,
    people_behind,
    person_keys,
    registry,
    transactions,
    travel,
)
from sdt.store.accounts import UserRow
from sdt.store.cases import CaseRow, Filter
from sdt.store.currency import CurrencyRow
from sdt.store.registry import FreezeRow
from sdt.store.travel import TravelRow
from sdt.worker.clock import Clock
from sdt.worker.monitor import Monitor
from sdt.workflows.monitoring import look_at_page, write_page
from sdt.workflows.people import People
from store_rig import NOW_MS, TOKEN, accepted, address, transaction_id

MASTER = b"m" * 32
KEY = digest_key(MASTER)
HOME = PersonAddress(street="1 Planted Lane", city="Austin", state="TX", postal_code="78701")
DORA = Person(
    given_name="Dora", family_name="Plantedname", born_on="1990-01-02", address=HOME, ssn_last4="7391",
    email="planted@example.com",
)  # fmt: skip
EVE = Person(
    given_name="Eve", family_name="Other", born_on="1985-01-02", address=HOME, ssn_last4="1111", email="e@example.com"
)
SHOP = Business(
    legal_name="Planted Holdings LLC", kind="llc", ein_last4="4711", formed_in="TX", address=HOME, control=DORA,
    owners=(Owner(person=EVE, share_ppm=600_000),),
)  # fmt: skip


class Fixed(Clock):
    """A clock that a test sets."""

    def __init__(self, at_s: int) -> None:
        self.at_s = at_s

    def now_ms(self) -> int:
        return self.at_s * 1000

    def now_s(self) -> int:
        return self.at_s


def user(store: Store, n: int, party: Party) -> None:
    people = People(store, VaultKey(lambda: (MASTER,)))
    with store.transaction():
        row = UserRow(f"user-{n}", address(n), f"user{n}.tx", "US-TX", NOW_MS, registered=True)
        accounts.create_user(store, row)
        accounts.set_person(store, address(n), people.seal(store, address(n), party, NOW_MS))
        people_behind.link(store, address(n), persons_in(party, KEY))


def opened(store: Store, kind: str) -> list[CaseRow]:
    return cases.cases(store, Filter((kind,)), limit=500)


def monitor(store: Store, at_s: int = FAR_S) -> Monitor:
    return Monitor(
        store, REGION, People(store, VaultKey(lambda: (MASTER,))), lambda: digest_key(MASTER), PRICES, Fixed(at_s)
    )


@pytest.mark.parametrize(("cents", "reports"), [(10_000_00, 0), (10_000_01, 1)])
def test_a_report_is_due_a_cent_above_ten_thousand(store: Store, cents: int, reports: int) -> None:
    count_currency(store, 1, 1, 4_000_00, NOON_S)
    count_currency(store, 2, 1, cents - 4_000_00, NOON_S + 3_600)
    read_all(store, [1], NOON_S)
    found = opened(store, "currency")
    assert len(found) == reports
    if reports:
        (case,) = found
        facts = json.loads(case.facts)
        assert (case.account, case.detected_on, case.due_on) == (address(1), "2026-11-24", "2026-12-09")
        assert (facts["rule"], facts["cents"], facts["person"]) == ("FED-CTR", cents, address(1))
        assert [one.reference for one in cases.evidence_of(store, case.id)] == [transaction_id(1), transaction_id(2)]


def test_what_comes_after_five_is_counted_with_the_next_day(store: Store) -> None:
    count_currency(store, 1, 1, 6_000_00, NOON_S)
    count_currency(store, 2, 1, 6_000_00, NOON_S + 5 * 3_600)
    read_all(store, [10], NOON_S)
    assert opened(store, "currency") == []
    count_currency(store, 3, 1, 4_000_01, NOON_S + DAY_S)
    read_all(store, [10], NOON_S)
    assert [case.detected_on for case in opened(store, "currency")] == ["2026-11-25"]


@pytest.mark.parametrize("order", [[1, 2, 3, 4], [4, 3, 2, 1], [2, 4, 1, 3]])
def test_a_weekend_is_one_report_with_monday_in_whatever_order_it_is_read(store: Store, order: list[int]) -> None:
    user(store, 1, DORA)
    user(store, 2, SHOP)
    friday_evening = NOON_S + 3 * DAY_S + 6 * 3_600
    at_s = {1: friday_evening, 2: NOON_S + 4 * DAY_S, 3: NOON_S + 5 * DAY_S, 4: NOON_S + 6 * DAY_S}
    for n in order:
        count_currency(store, n, 1 + n % 2, 4_000_00, at_s[n])
        read_all(store, [1], at_s[n])
    (case,) = opened(store, "currency")
    assert (case.detected_on, case.due_on) == ("2026-11-30", "2026-12-15")
    assert [(cents, count) for _, cents, count in noticed(store)] == [(16_000_00, 4)]


@pytest.mark.parametrize(("on_monday", "shown"), [(0, ("FED-STRUCTURING",)), (9_000_00, ("FED-CTR",))])
def test_a_weekend_is_looked_at_as_a_whole_when_monday_is_over(
    store: Store, on_monday: int, shown: tuple[str, ...]
) -> None:
    saturday = NOON_S + 4 * DAY_S
    for n, day in enumerate((-1, 0, 4), 1):  # Monday, Tuesday, Saturday
        count_currency(store, n, 1, 4_000_00, NOON_S + day * DAY_S)
    read_all(store, [10], saturday)
    judge_all(store, saturday + 2 * DAY_S)
    assert opened(store, "monitoring") == []
    # much on Monday makes it a banking day above the report, and no day below it
    if on_monday:
        count_currency(store, 4, 1, on_monday, saturday + 2 * DAY_S)
        read_all(store, [10], saturday + 2 * DAY_S)
    judge_all(store, saturday + 3 * DAY_S)
    assert tuple(key.split(":")[0] for key, _, _ in noticed(store)) == shown


def test_the_day_is_when_it_was_counted_and_not_when_it_was_booked(store: Store) -> None:
    count_currency(store, 1, 1, 6_000_00, NOON_S)
    count_currency(store, 2, 1, 6_000_00, NOON_S + 60, booked_s=NOON_S + 3 * DAY_S)
    read_all(store, [10], NOON_S)
    assert len(opened(store, "currency")) == 1


def test_a_mint_of_counted_currency_moves_nothing_again(store: Store) -> None:
    deposit = count_currency(store, 1, 1, 6_000_00, NOON_S)
    store.execute(
        "INSERT INTO postings (transaction_id, debit, credit, token, units, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (deposit, f"Pending:{TOKEN}:{deposit}", f"Token:{TOKEN}:{address(1)}", TOKEN, 6_000_00, NOON_S * 1000),
    )
    read_all(store, [10], NOON_S)
    assert store.rows("SELECT channel, cents FROM movement_days") == [("currency", 6_000_00)]


def test_a_day_that_grows_is_one_report_of_all_of_it(store: Store) -> None:
    count_currency(store, 1, 1, 10_000_01, NOON_S)
    read_all(store, [1], NOON_S)
    count_currency(store, 2, 1, 5_000_00, NOON_S + 60)
    read_all(store, [1], NOON_S)
    assert len(opened(store, "currency")) == 1
    assert [(cents, count) for _, cents, count in noticed(store)] == [(15_000_01, 2)]


def test_days_just_below_are_structuring_once_the_day_is_over(store: Store) -> None:
    monday = NOON_S - DAY_S
    for n in (-4, -3, 0):  # Thursday, Friday, Monday
        count_currency(store, n + 5, 1, 9_000_00, monday + n * DAY_S)
    read_all(store, [10], monday)
    judge_all(store, monday)
    assert opened(store, "monitoring") == []
    judge_all(store, monday + DAY_S)
    (case,) = opened(store, "monitoring")
    assert json.loads(case.facts)["rule"] == "FED-STRUCTURING"
    # given a fourth such day while the case is open, then it belongs to that case
    count_currency(store, 6, 1, 9_000_00, monday + DAY_S)
    read_all(store, [10], monday + DAY_S)
    judge_all(store, monday + 2 * DAY_S)
    assert len(opened(store, "monitoring")) == 1
    assert "found_again" in [event.event for event in cases.events_of(store, case.id)]


def test_a_persons_accounts_count_together_and_one_alone_is_not_told_twice(store: Store) -> None:
    user(store, 1, DORA)
    user(store, 2, SHOP)
    count_currency(store, 1, 1, 6_000_00, NOON_S)
    count_currency(store, 2, 2, 5_000_00, NOON_S + 60)
    read_all(store, [1], NOON_S)
    (case,) = opened(store, "currency")
    facts = json.loads(case.facts)
    assert facts["person"] == person_id(KEY, "dora", "PLANTEDNAME", "1990-01-02")
    assert sorted(facts["accounts"]) == [address(1), address(2)]
    # given an account that is above the report by itself, then it is one case and not one for each of its people
    user(store, 3, SHOP)
    count_currency(store, 3, 3, 12_000_00, NOON_S + 5 * DAY_S)
    read_all(store, [1], NOON_S)
    assert len(opened(store, "currency")) == 2


def test_whoever_hands_it_in_counts_too(store: Store) -> None:
    courier = person_id(KEY, "Carl", "Courier", "1980-01-01")
    for n in (1, 2, 3):
        count_currency(store, n, n, 4_000_00, NOON_S + n, conductor=courier)
    read_all(store, [2], NOON_S)
    (case,) = opened(store, "currency")
    assert json.loads(case.facts)["person"] == courier
    # given somebody who hands in for a business of their own, then it is counted once
    user(store, 7, SHOP)
    dora = person_id(KEY, "Dora", "Plantedname", "1990-01-02")
    count_currency(store, 7, 7, 6_000_00, NOON_S, conductor=dora)
    read_all(store, [2], NOON_S)
    assert len(opened(store, "currency")) == 1


def kept(store: Store, number: str, account: str, cents: int, *, of: str, by_holder: bool = False) -> None:
    """Write currency that no deposit asked for: `of` is the transaction that its line named, or its own number."""
    row = CurrencyRow(number, number, account, TOKEN, cents, by_holder, f"{PREFIX}hand", b"", NOON_S)
    with store.transaction():
        assert currency.put(store, row)
        post(store, of, currency_unmatched(TOKEN, number, cents), NOON_S)


def people_reported(store: Store) -> set[str]:
    return {str(json.loads(case.facts)["person"]) for case in opened(store, "currency")}


def test_currency_that_no_deposit_asked_for_counts_for_whoever_handed_it_in(store: Store) -> None:
    user(store, 1, DORA)
    kept(store, "cur_1", "", 10_000_01, of="cur_1")
    read_all(store, [1], FAR_S)
    assert people_reported(store) == {f"{PREFIX}hand"}
    # when officers find its deposit, then it counts for the holder as well, and its mint moves nothing again
    with store.transaction():
        transactions.insert_accepted(store, [accepted(9, 1, 1, 10_000_01, type="deposit")])
        currency.give(store, "cur_1", transaction_id(9), address(1))
        post(store, transaction_id(9), suspense_matched(TOKEN, "cur_1", transaction_id(9), 10_000_01), NOON_S)
    read_all(store, [1], FAR_S)
    assert people_reported(store) == {f"{PREFIX}hand", address(1)}


def test_currency_whose_slip_names_a_deposit_counts_for_its_holder_at_once(store: Store) -> None:
    user(store, 1, DORA)
    transactions.insert_accepted(store, [accepted(9, 1, 1, 5, type="deposit")])
    kept(store, "cur_1", address(1), 10_000_01, of=transaction_id(9), by_holder=True)
    read_all(store, [1], FAR_S)
    assert people_reported(store) == {address(1)}
    # and giving it to another deposit of theirs counts nothing twice
    with store.transaction():
        transactions.insert_accepted(store, [accepted(10, 1, 1, 10_000_01, type="deposit")])
        currency.give(store, "cur_1", transaction_id(10), address(1))
        post(store, "act", suspense_matched(TOKEN, "cur_1", transaction_id(10), 10_000_01), NOON_S)
    read_all(store, [1], FAR_S)
    (case,) = opened(store, "currency")
    assert json.loads(case.facts)["cents"] == 10_000_01


def test_gold_is_held_against_dollars_by_the_price_of_its_day(store: Store) -> None:
    # $4,000 an ounce: 24 g are $3,086.47, rounded up
    with store.transaction():
        store.many(
            "INSERT INTO postings (transaction_id, debit, credit, token, units, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
            [
                ("t1", f"Token:TXG:{address(1)}", f"Token:TXG:{address(2)}", "TXG", 24 * 10**9, NOON_S * 1000),
                ("t2", f"Token:TXG:{address(1)}", f"Token:TXG:{address(2)}", "TXG", 23 * 10**9, NOON_S * 1000),
            ],
        )
        for id_ in ("t1", "t2"):
            _typed(store, id_, "transfer")
    read_all(store, [10], NOON_S)
    row = travel.get(store, "t1")
    assert row is not None
    assert row.cents == -(-24 * 10**9 * 400_000 // 31_103_476_800)
    assert travel.get(store, "t2") is None


def _typed(store: Store, id_: str, type_: str) -> None:
    store.execute(
        "INSERT INTO transactions (id, type, status, administrative, kid, units, fee_units, held_units, digest, raw, "
        "issued_at_s, expires_at_s, accepted_at_ms, updated_at_ms) VALUES (?, ?, 'completed', ?, 'k', 1, 0, 0, ?, ?, "
        "1, 1, 1, 1)",
        (id_, type_, False, id_.encode(), b"x"),
    )


def test_orders_of_the_state_and_fees_move_nobody(store: Store) -> None:
    with store.transaction():
        taken = transfer_postings(TOKEN, address(1), address(2), 50_000_00, 0, "")
        store.many(
            "INSERT INTO postings (transaction_id, debit, credit, token, units, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
            [("t1", p.debit, p.credit, p.token, p.units, NOON_S * 1000) for p in taken],
        )
        _typed(store, "t1", "seize")
        ledger.post(store, [("f", Posting(f"Reserve:{TOKEN}", f"Clearing:{TOKEN}", TOKEN, 5))], release=[], at_ms=1)
    read_all(store, [10], NOON_S)
    assert store.rows("SELECT * FROM movement_days") == []


def test_a_frozen_counterparty_and_one_under_review_are_watched(store: Store) -> None:
    registry.set_freeze(store, FreezeRow(address(8), TOKEN, b"o" * 32, FAR_S))
    cases.open_case(
        store, kind="sanctions", key="s", facts={}, detected_on=date(2026, 11, 24), actor="x", at_ms=1,
        account=address(9),
    )  # fmt: skip
    pay(store, [Payment(1, 8, 1, 5_00, NOON_S), Payment(2, 9, 1, 5_00, NOON_S), Payment(3, 7, 1, 5_00, NOON_S)])
    read_all(store, [10], NOON_S)
    assert {key.split(":")[2] for key, _, _ in noticed(store)} == {transaction_id(1), transaction_id(2)}


async def test_travel_data_is_sealed_with_each_partys_key_and_goes_with_an_erased_one(store: Store) -> None:
    user(store, 1, DORA)
    user(store, 2, EVE)
    pay(store, [Payment(1, 1, 2, 3_000_00, NOON_S), Payment(2, 1, 2, 2_999_99, NOON_S)])
    worker = monitor(store)
    for _ in range(3):
        await worker.round()
    row = await store.read(travel.get, transaction_id(1))
    assert row is not None
    assert (row.payer, row.payee, row.units, row.at_s) == (address(1), address(2), 3_000_00, NOON_S)
    assert row.keep_until == "2031-11-24"
    assert await store.read(travel.get, transaction_id(2)) is None
    assert row.payer_sealed
    assert b"Plantedname" not in row.payer_sealed
    people = People(store, VaultKey(lambda: (MASTER,)))
    opened_note = await people.open_note(address(1), "travel", bytes(row.payer_sealed))
    assert opened_note is not None
    assert json.loads(opened_note)["name"] == "Dora Plantedname"
    with pytest.raises(SealBroken):
        await people.open_note(address(2), "travel", bytes(row.payer_sealed))
    await store.run(person_keys.erase, "user-1", NOW_MS)
    assert await people.open_note(address(1), "travel", bytes(row.payer_sealed)) is None


async def test_travel_records_are_kept_five_years(store: Store) -> None:
    pay(store, [Payment(1, 1, 2, 3_000_00, NOON_S)])
    read_all(store, [10], NOON_S)
    assert travel.forget(store, "2031-11-24") == 0
    assert travel.forget(store, "2031-11-25") == 1


async def test_all_records_whose_time_is_over_go_in_one_round(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdt.worker.monitor.BETWEEN_PAGES_S", 0)
    old = TravelRow("", address(1), address(2), TOKEN, 1, 3_000_00, 1, None, None, "2020-01-01", True)
    with store.transaction():
        travel.draft(store, [old._replace(transaction_id=f"old-{n}") for n in range(1_001)])
        travel.draft(store, [old._replace(transaction_id="new", keep_until="2999-01-01")])
    assert await monitor(store).forget_travel() == 1_001
    assert travel.get(store, "new") is not None


async def test_a_worker_that_reads_on_beside_another_writes_nothing_twice(store: Store) -> None:
    pay(store, [Payment(n, 1, 2, 2_000_00, NOON_S + n) for n in range(1, 31)])
    to = movements.horizon(store)
    one = look_at_page(store, REGION, PRICES, to, 10, NOON_S)
    other = look_at_page(store, REGION, PRICES, to, 20, NOON_S)
    assert one
    assert other
    assert write_page(store, REGION, one, date(2026, 11, 24), NOON_S * 1000)
    assert not write_page(store, REGION, other, date(2026, 11, 24), NOON_S * 1000)
    read_all(store, [7], NOON_S)
    assert store.rows("SELECT sum(count) FROM movement_days WHERE direction = 'out'") == [(30,)]


async def test_what_a_crash_cut_is_read_again_as_a_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pay(store, [Payment(n, 1, 2, 2_000_00, NOON_S + n) for n in range(1, 31)])

    def killed(*arguments: Any, **named: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr("sdt.workflows.monitoring.travel.draft", killed)
        with pytest.raises(RuntimeError):
            read_all(store, [7], NOON_S)
    assert movements.cursor(store, "postings") == (0, None)
    assert store.rows("SELECT * FROM movement_days") == []
    read_all(store, [7], NOON_S)
    assert store.rows("SELECT sum(count) FROM movement_days WHERE direction = 'out'") == [(30,)]


async def test_a_posting_whose_number_appears_late_is_not_passed_over(store: Store) -> None:
    """PostgreSQL draws numbers before the commit: a lower one may appear after a higher one was there."""
    if not store.postgres:
        pytest.skip("SQLite has one writer at a time")
    worker = monitor(store, NOON_S)
    from sdt.store import open_store

    slow = open_store(_url(store))
    try:
        with slow.transaction():
            pay(slow, [Payment(1, 1, 2, 2_000_00, NOON_S)])
            pay(store, [Payment(2, 1, 2, 2_000_00, NOON_S)])
            for _ in range(3):
                assert not await worker.read_page()
            assert await store.read(movements.cursor, "postings") == (0, None)
        for _ in range(3):
            await worker.read_page()
    finally:
        slow.close()
    assert store.rows("SELECT sum(count) FROM movement_days WHERE direction = 'out'") == [(2,)]


def _url(store: Store) -> str:
    found = store.database.connect_params | {"name": store.database.database}
    name = found["name"]
    return name if str(name).startswith("postgresql") else str(name)


async def test_health_tells_numbers_and_nobody(store: Store) -> None:
    count_currency(store, 1, 1, 20_000_00, NOON_S)
    worker = monitor(store, NOON_S + 60 * DAY_S)
    for _ in range(3):
        await worker.round()
    told = await worker.health()
    assert (told["cases_open"], told["cases_overdue"]) == ({"currency": 1}, {"currency": 1})
    assert told["prices_missing"] == ["XAU"], "the price is from January"
    assert address(1) not in str(told)
    silent = Monitor(
        store,
        replace(REGION, monitors=()),
        People(store, VaultKey(lambda: (MASTER,))),
        lambda: digest_key(MASTER),
        PRICES,
        Fixed(NOON_S),
    )
    assert "currency_report" in (await silent.health())["patterns_not_in_force"]


def test_an_erased_person_is_linked_by_nobody_who_lacks_the_key() -> None:
    assert person_id(KEY, "Ann", "Lee", "1990-01-01") != person_id(digest_key(b"n" * 32), "Ann", "Lee", "1990-01-01")
    assert person_id(KEY, "  ANN ", "O'Leé", "1990-01-01") == person_id(KEY, "Ann", "OLee\u0301", "1990-01-01")
    assert NotFound
