"""Lists, standings, matches and reviews on both databases."""

from __future__ import annotations

import uuid

import pytest

from sdt.domain.case import CaseStatus, Decision, settle
from sdt.domain.claims import day_of
from sdt.domain.office import ACT_LIFE_S, ActStatus
from sdt.domain.transaction import Event, Status
from sdt.store import Store, accounts, banking, cases, office, reviews, sanctions, sanctions_matches, transactions
from sdt.store.accounts import UserRow
from sdt.store.banking import BankEntryRow
from sdt.store.office import ActRow
from sdt.store.sanctions import ListRow, StandingRow
from sdt.store.sanctions_matches import MatchRow
from sdt.store.transactions import Change, insert_accepted
from store_rig import NOW_MS, TOKEN, accepted, address, transaction_id

OLD, NEW = "a" * 64, "b" * 64
BEGINNING = (-1, "")


def edition(digest: str, day: str) -> ListRow:
    return ListRow(digest, day, 7, 12, 7, 0, 0, NOW_MS, "operator")


def user(store: Store, n: int) -> str:
    accounts.create_user(store, UserRow(f"u{n}", address(n), f"user{n}", "US-TX", NOW_MS + n, person_sealed=b"sealed"))
    return address(n)


def match(n: int, account: str, entry: str = "e", **more: object) -> MatchRow:
    row = MatchRow(
        str(uuid.UUID(int=n)), account, "p" * 64, "own", entry * 64, "1", OLD, 90, "open", None, b"x", NOW_MS
    )
    return row._replace(**more)  # type: ignore[arg-type]


def open_case(store: Store, account: str) -> str:
    return cases.open_case(
        store, kind="sanctions", key=account, facts={}, detected_on=day_of(NOW_MS), actor="t", at_ms=NOW_MS,
        account=account,
    )  # fmt: skip


def test_one_list_is_in_force_at_a_time(store: Store) -> None:
    assert sanctions.in_force(store) is None
    assert sanctions.add_list(store, edition(OLD, "2026-01-05"))
    assert not sanctions.add_list(store, edition(OLD, "2026-01-05"))
    assert sanctions.in_force(store) is None
    sanctions.put_in_force(store, OLD, "operator", NOW_MS)
    sanctions.add_list(store, edition(NEW, "2026-02-01"))
    sanctions.rescreened(store, OLD, NOW_MS + 1)
    sanctions.put_in_force(store, NEW, "act", NOW_MS + 2)
    row = sanctions.in_force(store)
    assert row is not None
    assert (row.digest, row.put_by, row.rescreened_at_ms) == (NEW, "act", None)
    # an older one that is put back must be screened against anew
    sanctions.put_in_force(store, OLD, "act2", NOW_MS + 3)
    row = sanctions.in_force(store)
    assert row is not None
    assert (row.digest, row.superseded_at_ms, row.rescreened_at_ms) == (OLD, None, None)
    with pytest.raises(AssertionError):
        sanctions.put_in_force(store, "c" * 64, "act", NOW_MS)


def test_who_is_not_screened_is_asked_for_the_oldest_first(store: Store) -> None:
    people = [user(store, n) for n in range(1, 6)]
    now_s = NOW_MS // 1000
    assert [a for _, a in sanctions.unscreened(store, OLD, now_s, BEGINNING, 10)] == people
    assert len(sanctions.unscreened(store, OLD, now_s, BEGINNING, 2)) == 2
    for account in people[:3]:
        sanctions.put_standing(store, StandingRow(account, "clear", "p" * 64, OLD, now_s + 100, NOW_MS))
    first, *_ = sanctions.unscreened(store, OLD, now_s, BEGINNING, 10)
    assert first == (NOW_MS + 4, people[3])
    assert [a for _, a in sanctions.unscreened(store, OLD, now_s, first, 10)] == people[4:]
    assert sanctions.progress(store, OLD) == (5, 3, 0, 0)
    # another list, a time that is over, and changed data make them due again
    assert len(sanctions.unscreened(store, NEW, now_s, BEGINNING, 10)) == 5
    assert len(sanctions.unscreened(store, OLD, now_s + 100, BEGINNING, 10)) == 5
    accounts.set_person(store, people[0], b"other")
    assert [a for _, a in sanctions.unscreened(store, OLD, now_s, BEGINNING, 10)] == [people[0], *people[3:]]
    assert sanctions.standing_of(store, people[0], lock=True) == "clear"


def test_who_was_screened_by_a_version_that_asks_about_fewer_is_due_whenever_that_writes(store: Store) -> None:
    one, now_s = user(store, 1), NOW_MS // 1000
    sanctions.add_list(store, edition(OLD, "2026-01-05"))
    sanctions.put_in_force(store, OLD, "operator", NOW_MS)

    def written_before(digest: str) -> None:
        store.execute(
            "INSERT INTO sanctions_standing (account, standing, party_digest, list_digest, valid_until_s, "
            "screened_at_ms) VALUES (?, 'clear', ?, ?, ?, 1) ON CONFLICT (account) DO UPDATE SET "
            "party_digest = excluded.party_digest, valid_until_s = excluded.valid_until_s",
            (one, digest, OLD, now_s + 100),
        )

    def due() -> list[bool]:
        return [
            bool(sanctions.unscreened(store, OLD, now_s, BEGINNING, 10)),
            bool(sanctions.due_among(store, [one], now_s)),
            sanctions.unpayable(store, one),
        ]

    # given somebody whom the version before has screened, after the database was migrated
    written_before("p" * 64)
    assert due() == [True] * 3
    # when this one has, then they are not due, and what that would write of nobody else changes nothing
    sanctions.put_standing(store, StandingRow(one, "clear", "q" * 64, OLD, now_s + 100, NOW_MS))
    assert due() == [False] * 3
    written_before("q" * 64)
    assert due() == [False] * 3
    # and when the version before, still at work, leaves out somebody, then they are due again
    written_before("p" * 64)
    assert due() == [True] * 3


def test_a_standing_shows_where_payments_look(store: Store) -> None:
    one, other = user(store, 1), user(store, 2)
    for account in (one, other):
        accounts.mark_registered(store, account)
    assert accounts.facts(store, [one])[one].standing is None
    sanctions.put_standing(store, StandingRow(one, "review", "p" * 64, OLD, 1, NOW_MS))
    sanctions.put_standing(store, StandingRow(one, "review", "p" * 64, NEW, 2, NOW_MS))
    assert {a: f.standing for a, f in accounts.facts(store, [one, other]).items()} == {one: "review", other: None}
    sanctions.set_standing(store, one, "blocked", 5)
    assert accounts.facts(store, [one])[one].standing == "blocked"
    assert sanctions.standing(store, one) == (one, "blocked", "p" * 64, NEW, 5, NOW_MS)
    assert sanctions.progress(store, NEW)[2:] == (0, 1)


def test_matches_lead_to_their_case_and_the_queue_is_worked_in_order(store: Store) -> None:
    people = [user(store, n) for n in range(1, 4)]
    ids = []
    for n, account in enumerate(people):
        case_id = open_case(store, account)
        ids.append(case_id)
        sanctions_matches.add_match(store, match(n * 2 + 1, account, "e", case_id=case_id, score=80 + n))
        sanctions_matches.add_match(store, match(n * 2 + 2, account, "f", case_id=case_id, score=85 + n))
    with pytest.raises(Exception, match=r"(?i)unique"), store.transaction():
        sanctions_matches.add_match(store, match(99, people[0], "e"))
    waiting = sanctions_matches.queue(store, False, BEGINNING, 10)
    assert sorted(row.case_id for row in waiting) == sorted(ids)
    assert {row.account: (row.score, row.matches) for row in waiting}[people[2]] == (87, 2)
    first = waiting[0]
    rest = sanctions_matches.queue(store, False, (first.opened_at_ms, first.case_id), 10)
    assert [row.case_id for row in rest] == [row.case_id for row in waiting[1:]]
    assert sanctions_matches.deciding_case(store, people[0]) == ids[0]
    # when one is cleared, then it is on the ignore-list, and its review is decided
    for row in sanctions_matches.matches_of_case(store, ids[0]):
        sanctions_matches.decide_match(store, row.id, "cleared", str(uuid.UUID(int=7)), NOW_MS + 5, NOW_MS // 1000 + 60)
    state = cases.case(store, ids[0], lock=True)
    assert state is not None
    closed = settle(state.state, "k", Decision.NOTHING, "another", None)
    cases.save(store, ids[0], closed, event="cleared", actor="t", detail=None, at_ms=NOW_MS)
    assert closed.status is CaseStatus.CLOSED
    assert [row.case_id for row in sanctions_matches.queue(store, True, BEGINNING, 10)] == [ids[0]]
    assert len(sanctions_matches.queue(store, False, BEGINNING, 10)) == 2
    page = sanctions_matches.ignored(store, limit=1)
    (last,) = sanctions_matches.ignored(store, before=(page[0].decided_at_ms or 0, page[0].id), limit=5)
    assert {page[0].id, last.id} == {str(uuid.UUID(int=1)), str(uuid.UUID(int=2))}
    assert sanctions_matches.deciding_case(store, people[0]) is None
    assert sanctions_matches.review(store, ids[1]) is not None
    assert sanctions_matches.review(store, str(uuid.UUID(int=9))) is None
    # and opened anew, it is ignored no longer
    sanctions_matches.reopen_match(store, last.id, NEW, ids[0], NOW_MS + 9)
    again = sanctions_matches.match(store, last.id)
    assert again is not None
    assert (again.status, again.list_digest, again.ignored_until_s) == ("open", NEW, None)


def test_a_transaction_goes_on_once_every_reason_has_its_verdict(store: Store) -> None:
    transactions.insert_accepted(store, [accepted(n) for n in (1, 2, 3)])
    ids = [transaction_id(n) for n in (1, 2, 3)]
    transactions.move(store, [Change(id, Event.REVIEW, code="in_review") for id in ids], actor="t", at_ms=NOW_MS)
    for n, id in enumerate(ids):
        reviews.hold(store, id, "sanctions", "case-a", NOW_MS + n)
        reviews.hold(store, id, "sanctions", "case-a", NOW_MS + 99)
    reviews.hold(store, ids[0], "monitoring", "case-b", NOW_MS)
    reviews.hold(store, ids[1], "sanctions", "case-c", NOW_MS - 1)
    assert reviews.decided(store, 10) == []
    assert reviews.held_for(store, "sanctions", "case-a") == ids
    assert reviews.release(store, "sanctions", "case-a", "go") == 3
    assert reviews.release(store, "sanctions", "case-a", "stop") == 0
    assert reviews.decided(store, 10) == [(ids[2], "go")]
    reviews.release(store, "monitoring", "case-b", "stop")
    reviews.release(store, "sanctions", "case-c", "go")
    assert reviews.decided(store, 10) == [(ids[1], "go"), (ids[0], "stop"), (ids[2], "go")]
    reviews.forget(store, ids[:2])
    reviews.forget(store, [])
    transactions.move(store, [Change(ids[2], Event.EXPIRE)], actor="t", at_ms=NOW_MS)
    assert reviews.decided(store, 10) == []


def test_mints_and_payouts_of_an_account_are_found(store: Store) -> None:
    account = user(store, 2)
    transactions.insert_accepted(
        store, [accepted(1, type="issue", payer=9, payee=2), accepted(2, type="redeem", payer=2)]
    )
    assert sanctions.held_issues(store, account) == []
    transactions.move(store, [Change(transaction_id(1), Event.HOLD)], actor="t", at_ms=NOW_MS)
    with store.transaction():
        assert sanctions.held_issues(store, account) == [transaction_id(1)]
    assert not sanctions.payout_waits(store, transaction_id(2))
    sanctions.put_standing(store, StandingRow(account, "review", "p" * 64, OLD, 1, NOW_MS))
    assert sanctions.payout_waits(store, transaction_id(2))
    assert not sanctions.payout_waits(store, transaction_id(1))


def test_what_never_comes_and_what_waits_for_others_stands_before_nobody(store: Store) -> None:
    # given a drop-off that nobody brings, before a debit that the bank knows
    insert_accepted(store, [accepted(1, type="deposit"), accepted(2, type="deposit")])
    transactions.move(store, [Change(transaction_id(n), Event.AWAIT_FUNDS) for n in (1, 2)], actor="t", at_ms=NOW_MS)
    entry = BankEntryRow("e2", transaction_id(2), "debit", TOKEN, 100, "bank-2", "settled", None, NOW_MS)
    banking.put_entry(store, entry)
    # then a desk that takes one at a time takes that
    assert [row.id for row in transactions.mintable(store, 1)] == [transaction_id(2)]
    assert len(transactions.mintable(store, 9)) == 2
    # given metal that is being picked, before a message that an officer is to approve
    insert_accepted(store, [accepted(3, type="redeem"), accepted(4, type="issue")])
    held = [Change(transaction_id(3), Event.HOLD, code="being_picked"), Change(transaction_id(4), Event.HOLD, code="x")]
    transactions.move(store, held, actor="t", at_ms=NOW_MS)
    assert [row.id for row in transactions.held_as(store, "x", 1)] == [transaction_id(4)]


def test_what_is_past_its_time_is_found_behind_what_is_not(store: Store) -> None:
    rows = [accepted(1)._replace(expires_at_s=2**40), accepted(2)]
    insert_accepted(store, rows)
    transactions.move(store, [Change(row.id, Event.HOLD) for row in rows], actor="t", at_ms=NOW_MS)
    ends_s = rows[1].expires_at_s
    assert transactions.past_their_time(store, Status.HELD, ends_s - 1, 1) == []
    assert transactions.past_their_time(store, Status.HELD, ends_s, 1) == [rows[1].id]


def _act(n: int) -> ActRow:
    status, digest = "waiting" if n % 2 else "done", bytes([n]) * 32
    act_id, at_ms = str(uuid.UUID(int=n)), NOW_MS + n
    return ActRow(0, act_id, "clear_match", status, "k" * 43, "s", digest, b"raw", 1, at_ms, at_ms, None, None, "{}")


def test_acts_are_found_paged_and_lapse(store: Store) -> None:
    rows = [_act(n) for n in range(1, 6)]
    with store.transaction():
        office.begin(store)
        for row in rows:
            office.insert(store, row)
    assert [row.id for row in office.page(store, ["clear_match"])] == [row.id for row in reversed(rows)]
    waiting = office.page(store, ["clear_match", "x"], status=ActStatus.WAITING, subject="s", limit=2)
    assert [row.id for row in waiting] == [rows[4].id, rows[2].id]
    assert [row.id for row in office.page(store, ["clear_match"], before=waiting[1].seq)] == [rows[1].id, rows[0].id]
    assert office.page(store, []) == []
    found = office.by_digest(store, bytes([2]) * 32)
    assert found is not None
    assert found.id == rows[1].id
    assert office.expire(store, NOW_MS + ACT_LIFE_S * 1000 + 3) == 2
    assert office.expire(store, NOW_MS + ACT_LIFE_S * 1000 + 3) == 0
    with pytest.raises(AssertionError):
        office.finish(store, rows[0].id, ActStatus.AGREED, kid=None, act=None, result={}, at_ms=NOW_MS)
