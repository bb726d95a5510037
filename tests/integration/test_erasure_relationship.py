"""What is not over, and what ended last: reports that were filed, dollars that are blocked or owed, a block itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sdt.domain.errors import Conflict
from sdt.domain.ledger import Posting, payout_blocked, payout_suspended, suspense_unclaimed
from sdt.domain.retention import kept
from sdt.store import Store, accounts, blocked, cases, ledger, people_behind, sanctions
from sdt.store.accounts import UserRow
from sdt.store.blocked import BlockedRow
from sdt.store.intake import insert_accepted
from sdt.workflows.erasure import relationship_of
from store_rig import NOW_MS, TOKEN, accepted, address, transaction_id

ANN, BOB = address(1), address(2)
DAY = datetime.fromtimestamp(NOW_MS / 1000, UTC).date()
FILED = date(2030, 12, 20)
YEAR_MS = 365 * 86_400_000


@pytest.fixture
def ann(store: Store) -> UserRow:
    """Somebody who was registered, and identified at most."""
    user = UserRow("user-1", ANN, "ann.tx", "US-TX", NOW_MS, registered=True)
    accounts.create_user(store, user)
    return user


def _open(store: Store, user: UserRow) -> bool:
    """Whether something keeps the relationship open. What is said of it tells no suspicion."""
    try:
        relationship_of(store, user, reports=True)
    except Conflict as error:
        said = error
    else:
        return False
    assert said.code == "relationship_open"
    assert not any(word in said.detail.lower() for word in ("block", "sanction", "suspic"))
    return True


def _returned(store: Store) -> str:
    """A redemption whose payout came back: what is owed for it stands in Payout."""
    insert_accepted(store, [accepted(1, type="redeem")])
    store.execute("UPDATE transactions SET status = 'returned'")
    id = transaction_id(1)
    _post(store, Posting(f"Reserve:{TOKEN}", f"Payout:{TOKEN}:{id}", TOKEN, 100))
    return id


def _post(store: Store, *postings: Posting) -> None:
    ledger.post(store, [(transaction_id(1), posting) for posting in postings], release=[], at_ms=NOW_MS)


def _filed(store: Store, account: str | None, on: date = FILED, **facts: object) -> str:
    case_id = cases.open_case(
        store,
        kind="monitoring",
        key=f"{account}{facts}",
        facts=facts,
        detected_on=on,
        actor="x",
        at_ms=1,
        account=account,
    )
    store.execute(
        "UPDATE cases SET status = 'reported', decision = 'report', filed_on = ? WHERE id = ?",
        (on.isoformat(), case_id),
    )
    return case_id


def test_what_supports_a_report_is_kept_five_years_from_its_filing(store: Store, ann: UserRow) -> None:
    plain = kept(relationship_of(store, ann, reports=True))
    assert plain.since == DAY
    _filed(store, ANN, date(2029, 1, 2))
    _filed(store, ANN)
    assert kept(relationship_of(store, ann, reports=True)).erasable_from == date(2035, 12, 20)
    # outside the compliance role nothing shows it
    assert kept(relationship_of(store, ann, reports=False)) == plain
    # one that was looked at again and closed was filed all the same
    store.execute("UPDATE cases SET status = 'closed'")
    assert kept(relationship_of(store, ann, reports=True)).erasable_from == date(2035, 12, 20)


@pytest.mark.parametrize("of", ["facts", "person"])
def test_a_case_is_about_every_account_of_its_person(store: Store, ann: UserRow, of: str) -> None:
    people_behind.link(store, ANN, ["p:one"])
    facts = {"accounts": [BOB, ANN]} if of == "facts" else {"accounts": [BOB], "person": "p:one"}
    case_id = _filed(store, BOB, **facts)
    _filed(store, BOB, date(2031, 1, 1), accounts=[BOB], person="p:two")
    assert relationship_of(store, ann, reports=True).filed_on == FILED
    assert not cases.unsettled(store, ANN)
    store.execute("UPDATE cases SET status = 'open' WHERE id = ?", (case_id,))
    assert cases.unsettled(store, ANN)


def test_dollars_that_are_owed_or_kept_apart_keep_the_relationship_open(store: Store, ann: UserRow) -> None:
    id = _returned(store)
    assert _open(store, ann), "a payout that came back"
    for postings in (payout_suspended(TOKEN, id, 100), suspense_unclaimed(TOKEN, id, 100)):
        _post(store, *postings)
        assert _open(store, ann)
    _post(store, Posting(f"Unclaimed:{TOKEN}:{id}", f"Clearing:{TOKEN}", TOKEN, 100))
    assert not _open(store, ann)
    # a debt of theirs does so too
    insert_accepted(store, [accepted(2, type="deposit")])
    store.execute("UPDATE transactions SET status = 'returned'")
    _post(store, Posting(f"Receivable:{TOKEN}:{transaction_id(2)}", f"Clearing:{TOKEN}", TOKEN, 7))
    assert _open(store, ann)


def test_a_block_keeps_it_open_and_ten_years_count_from_its_end(store: Store, ann: UserRow) -> None:
    id = _returned(store)
    _post(store, *payout_blocked(TOKEN, id, 100))
    blocked.block(store, BlockedRow(id, ANN, TOKEN, 100, "payout", "case", NOW_MS, None))
    assert _open(store, ann)
    # even where its dollars went the way of the licence
    _post(store, Posting(f"Blocked:{TOKEN}:{id}", f"Clearing:{TOKEN}", TOKEN, 100))
    assert _open(store, ann)
    blocked.unblock(store, id, NOW_MS + 3 * YEAR_MS)
    day, duty, since = kept(relationship_of(store, ann, reports=False))
    assert (duty.name, since) == ("ofac", DAY + timedelta(days=3 * 365))
    assert day.year == since.year + 10


def test_nobody_is_erased_who_is_blocked(store: Store, ann: UserRow) -> None:
    assert not _open(store, ann)
    sanctions.set_standing(store, ANN, "blocked", 0)
    assert _open(store, ann)
    sanctions.set_standing(store, ANN, "clear", 0)
    assert not _open(store, ann)
