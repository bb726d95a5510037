"""Cases: found twice is one case, listed page by page, and each under the clock of its kind."""

from __future__ import annotations

import threading
from datetime import date
from typing import Any

import pytest

from sdt.domain.case import CaseStatus, Decision, approve, assign, decide, mark_filed, reopen
from sdt.domain.case_kinds import KINDS
from sdt.store import Store, cases, open_store
from sdt.store.cases import Filter
from store_rig import NOW_MS, address, transaction_id

DAY = date(2026, 11, 24)
ALL = Filter(tuple(KINDS))


def _opened(store: Store, n: int = 0, **changes: Any) -> str:
    given: dict[str, Any] = {
        "kind": "monitoring",
        "key": f"k{n}",
        "facts": {"rule": "TX-VEL"},
        "detected_on": DAY,
        "actor": "worker:monitor",
        "at_ms": NOW_MS + n,
        "account": address(n),
    }
    return cases.open_case(store, **{**given, **changes})


def _row(store: Store, case_id: str) -> cases.CaseRow:
    found = cases.case(store, case_id)
    assert found is not None
    return found


def test_the_same_finding_is_the_same_case(store: Store) -> None:
    first = _opened(store, transaction_id=transaction_id(1))
    assert _opened(store, facts={"rule": "other"}, at_ms=NOW_MS + 9) == first
    assert _opened(store, kind="kyc") != first
    assert [event.event for event in cases.events_of(store, first)] == ["opened"]
    assert [(e.kind, e.reference) for e in cases.evidence_of(store, first)] == [("transaction", transaction_id(1))]


def test_two_that_find_it_at_one_moment_open_one_case(store_url: str) -> None:
    store = open_store(store_url)
    begin, ids, errors = threading.Barrier(8), [], []

    def find() -> None:
        own = open_store(store_url)
        try:
            begin.wait()
            ids.append(_opened(own))
        except Exception as error:
            errors.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=find) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert [event.event for event in cases.events_of(store, ids[0])] == ["opened"]
    store.close()


def test_a_case_opened_in_a_transaction_that_fails_is_not_there(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            _opened(store)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert cases.cases(store, ALL) == []


def test_a_list_is_read_page_by_page_and_narrowed(store: Store) -> None:
    ids = [_opened(store, n, at_ms=NOW_MS + n // 3, kind="kyc" if n % 4 == 0 else "monitoring") for n in range(11)]
    cases.save(
        store, ids[1], assign(_row(store, ids[1]).state, "ann"), event="assigned", actor="ann", detail=None, at_ms=1
    )
    found: list[str] = []
    before = None
    while page := cases.cases(store, ALL, before=before, limit=4):
        found += [row.id for row in page]
        before = (page[-1].opened_at_ms, page[-1].id)
    assert sorted(found) == sorted(ids)
    assert len(found) == len(set(found))
    opened = [_row(store, id_).opened_at_ms for id_ in found]
    assert opened == sorted(opened, reverse=True)
    assert len(cases.cases(store, Filter(("kyc",)))) == 3
    assert cases.cases(store, Filter(("vendor",))) == []
    assert [row.id for row in cases.cases(store, ALL._replace(officer="ann"))] == [ids[1]]
    assert [row.id for row in cases.cases(store, ALL._replace(status=CaseStatus.ASSIGNED))] == [ids[1]]
    assert [row.id for row in cases.cases(store, ALL._replace(account=address(7)))] == [ids[7]]


@pytest.mark.parametrize(
    ("kind", "known", "due"),
    [
        ("monitoring", True, "2026-12-24"),
        ("monitoring", False, "2026-12-24"),
        ("currency", True, "2026-12-09"),
        ("sanctions", True, "2026-12-09"),
        ("kyc", True, None),
        ("ach_return", True, None),
    ],
)
def test_each_kind_has_its_own_clock(store: Store, kind: str, known: bool, due: str | None) -> None:
    assert _row(store, _opened(store, kind=kind, suspect_known=known)).due_on == due


def test_what_is_late_is_late_until_it_is_settled(store: Store) -> None:
    case_id = _opened(store)
    late, in_time = date(2026, 12, 25), date(2026, 12, 24)
    assert [row.id for row in cases.cases(store, ALL._replace(overdue_on=late))] == [case_id]
    assert cases.cases(store, ALL._replace(overdue_on=in_time)) == []
    assert cases.load(store, late) == [cases.Load("monitoring", 1, 1, 0)]
    assert cases.load(store, in_time) == [cases.Load("monitoring", 1, 0, 0)]
    state = approve(decide(assign(_row(store, case_id).state, "ann"), "ann", Decision.REPORT, "x"), "ben")
    cases.save(store, case_id, state, event="agreed", actor="ben", detail=None, at_ms=NOW_MS)
    assert cases.load(store, late) == [cases.Load("monitoring", 1, 1, 0)], "decided is not filed"
    state = mark_filed(state, date(2026, 12, 24), "31000123456789")
    cases.save(store, case_id, state, event="filed", actor="ann", detail=None, at_ms=NOW_MS)
    row = _row(store, case_id)
    assert (row.filed_on, row.confirmation, row.due_on) == ("2026-12-24", "31000123456789", "2027-04-23")
    assert cases.load(store, late) == [cases.Load("monitoring", 0, 0, 0)]
    assert cases.load(store, date(2027, 4, 24)) == [cases.Load("monitoring", 0, 0, 1)]
    again = reopen(row.state, date(2027, 2, 1))
    cases.save(store, case_id, again, event="reopened", actor="ann", detail=None, at_ms=NOW_MS)
    assert _row(store, case_id).due_on == "2027-04-23", "activity that goes on keeps the clock of its report"


def test_a_decision_to_report_starts_a_clock_where_none_ran(store: Store) -> None:
    case_id = _opened(store, kind="ach_return")
    state = decide(assign(_row(store, case_id).state, "ann"), "ann", Decision.REPORT, "Five returns in a week.")
    cases.save(store, case_id, state, event="decided", actor="ann", detail=None, at_ms=NOW_MS)
    assert _row(store, case_id).due_on == "2026-12-24"


def test_what_is_saved_is_what_is_read(store: Store) -> None:
    case_id = _opened(store)
    state = decide(assign(_row(store, case_id).state, "ann"), "ann", Decision.NOTHING, "A wedding.")
    cases.save(store, case_id, state, event="decided", actor="ann", detail="why", at_ms=NOW_MS + 5)
    row = _row(store, case_id)
    assert (row.state, row.updated_at_ms) == (state, NOW_MS + 5)
    assert cases.events_of(store, case_id)[-1] == ("decided", "ann", "why", NOW_MS + 5)
    closed = approve(state, "ben")
    cases.save(store, case_id, closed, event="agreed", actor="ben", detail=None, at_ms=NOW_MS + 6)
    assert _row(store, case_id).due_on is None


def test_evidence_is_linked_once(store: Store) -> None:
    case_id = _opened(store)
    assert cases.add_evidence(store, case_id, "transaction", transaction_id(7), actor="ann", at_ms=NOW_MS)
    assert not cases.add_evidence(store, case_id, "transaction", transaction_id(7), actor="ben", at_ms=NOW_MS)
    assert cases.add_evidence(store, case_id, "document", "ab" * 32, actor="ann", at_ms=NOW_MS)
    assert [(e.kind, e.added_by) for e in cases.evidence_of(store, case_id)] == [
        ("transaction", "ann"),
        ("document", "ann"),
    ]


def test_a_printed_case_says_nothing_of_the_person(store: Store) -> None:
    row = _row(store, _opened(store, 3))
    assert address(3) not in repr(row)
    assert "TX-VEL" not in repr(row)
