"""Sanctions from the finding to the decision: who is stopped, who decides, what goes on, and what is never shown."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sandbox_servers import Sandbox, sandbox

from sanctions_rig import Holder, Rig, business, person, sanctions_rig
from sdt.domain.ach.entry_life import EntryEvent
from sdt.domain.case import CaseStatus, blocking_report_due
from sdt.domain.claims import day_of
from sdt.domain.errors import Conflict, Forbidden, NotFound, SdtError, Unavailable
from sdt.domain.ledger import Posting, redeem_postings
from sdt.domain.personal import Party
from sdt.domain.transaction import Event, Status
from sdt.store import (
    Store,
    accounts,
    banking,
    cases,
    ledger,
    reviews,
    sanctions,
    sanctions_matches,
    transactions,
    undone,
)
from sdt.store.banking import BankEntryRow
from sdt.store.transactions import Change
from sdt.worker import bank_entries
from sdt.workflows import payouts
from sdt.workflows.sanctions import found_of

pytestmark = pytest.mark.slow

REVIEW = (Status.IN_REVIEW, "in_review")
REASON = "Another date of birth, and another country."


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vendor"), "vendors") as (running, _):
        yield running


@pytest.fixture
async def rig(tmp_path: Path, vendor: Sandbox) -> AsyncIterator[Rig]:
    aml = vendor.aml(timeout_s=60)
    async with sanctions_rig(tmp_path, aml) as made:
        yield made
    await aml.close()


LISTED: dict[str, Party] = {
    "by name": person("Viktor", "Falsename"),
    "misspelt": person("Wiktor", "Falsenam"),
    "in other letters": person("Виктор", "Фальшивый"),
    "by address": person("Gilda", "Newcomer", "666 Fictitious Ave.", "Nowhere", "79999"),
    "by weak alias": person("The", "Forger"),
    "a business": business("Imaginary Metals Inc."),
    "a business's owner": business("Honest Feed Store", (person("Ruprecht", "Pretender"), 300_000)),
    "who controls it": business("Honest Feed Store", control=person("Nadia", "Madeup")),
    "by the vendor alone": person("Maria", "MAYBE"),
}


@pytest.mark.parametrize("why", LISTED)
async def test_whoever_may_be_listed_is_stopped_at_every_door(rig: Rig, why: str) -> None:
    # given somebody who may be listed, when they register, bring money in or take it out, in either domain
    who = await rig.join(LISTED[why])
    asked = [await rig.deposit(who), await rig.redeem(who), await rig.deposit(who, token="TXG")]
    await rig.screen()
    # then all of it is in review, and one case is open with a reason in sentences
    assert [await rig.status(one) for one in asked] == [REVIEW] * 3
    case_id = await rig.case_of(who)
    assert sorted(await rig.store.read(reviews.held_for, "sanctions", case_id)) == sorted(asked)
    (first, *_) = await rig.store.read(sanctions_matches.matches_of_case, case_id)
    found = await found_of(rig.people, first)
    assert found is not None
    assert found[0].sentence.endswith(".")
    assert found[0].score >= rig.region.screening_score_min


async def test_everybody_else_passes_and_is_searched_once(rig: Rig) -> None:
    alice, bob = await rig.join(person("Alice", "Archer")), await rig.join(person("Bob", "Baker"))
    asked = [await rig.deposit(alice), await rig.redeem(bob), await rig.transfer(alice, bob)]
    await rig.screen()
    assert [(await rig.row(one)).status for one in asked] == [Status.AWAITING_FUNDS, Status.SCREENED, Status.SCREENED]
    before = await rig.store.read(sanctions.standing, alice.account)
    # when she comes again with the same data under the same list, then the list is not searched again
    await rig.searcher.close()
    again = await rig.deposit(alice)
    await rig.screen()
    assert (await rig.row(again)).status is Status.AWAITING_FUNDS
    assert rig.searcher.serving is None
    assert await rig.store.read(sanctions.standing, alice.account) == before
    # when her data change, then it is
    await rig.store.run(_rename, rig, alice, person("Viktor", "Falsename"))
    again = await rig.deposit(alice)
    await rig.screen()
    assert await rig.status(again) == REVIEW


def _rename(store: Store, rig: Rig, who: Holder, party: Party) -> None:
    sealed = rig.people.seal(store, who.account, party, rig.clock.now_ms())
    accounts.set_person(store, who.account, sealed)


async def test_payments_wait_by_how_both_sides_stand(rig: Rig) -> None:
    # given somebody in review
    alice, who = await rig.join(person("Alice", "Archer")), await rig.join(person("Viktor", "Falsename"))
    await rig.deposit(who)
    await rig.screen()
    # when they pay, or are paid, then it waits; and nothing is held of the payer's
    out, back = await rig.transfer(who, alice), await rig.transfer(alice, who)
    await rig.screen()
    assert [await rig.status(one) for one in (out, back)] == [REVIEW] * 2
    (balance,) = await rig.store.read(ledger.balances, alice.account)
    assert balance.held == 0


async def test_a_payment_without_funds_tells_nothing_about_its_payee(rig: Rig) -> None:
    # given a payee who is clear, one in review, and one who is blocked
    payees = [await rig.join(person(*name)) for name in (("Bob", "Baker"), ("Wiktor", "Falsenam"), ("Nadia", "Madeup"))]
    for who in payees[1:]:
        await rig.deposit(who)
    await rig.screen()
    await rig.agreed(await rig.act("confirm_match", "ann", case=await rig.case_of(payees[2]), reason=REASON))
    # when somebody without a cent pays each of them, in one round and one by one, and so does who has just spent theirs
    nobody = await rig.join(person("Newt", "Newcomer"), units=0)
    alice = await rig.join(person("Alice", "Archer"), units=500)
    together = [await rig.transfer(nobody, payee, 1) for payee in payees]
    spent = [await rig.transfer(alice, payee) for payee in (payees[0], *payees)]
    await rig.screen()
    for payee in payees:
        together.append(await rig.transfer(nobody, payee, 1))
        await rig.screen()
    # then all are answered alike
    refused = (Status.REJECTED, "insufficient_funds")
    assert [await rig.status(one) for one in together] == [refused] * 6
    assert [await rig.status(one) for one in spent] == [(Status.SCREENED, None), *[refused] * 3]


async def test_a_false_hit_is_cleared_and_everything_goes_on(rig: Rig) -> None:
    alice, who = await rig.join(person("Alice", "Archer")), await rig.join(person("Victor", "Falsone"))
    first = await rig.deposit(who)
    await rig.screen()
    others = [await rig.redeem(who), await rig.transfer(who, alice), await rig.transfer(alice, who)]
    await rig.screen()
    case_id = await rig.case_of(who)
    # given a weak likeness, when one officer clears it with a reason
    done = await rig.act("clear_match", "ann", case=case_id, reason=REASON, ignore_days=30)
    assert done.status == "done"
    assert await rig.screening.resume_once() == 4
    # then what waited goes on, with its funds held, and the case is closed under the officer's name
    statuses = [(await rig.row(one)).status for one in (first, *others)]
    assert statuses == [Status.AWAITING_FUNDS, *[Status.SCREENED] * 3]
    case = await rig.store.read(cases.case, case_id)
    assert case is not None
    assert (case.status, case.officer, case.reason, case.second_officer) == ("closed", done.kid, REASON, None)
    # and the same people are let pass, until the time is over
    again = await rig.deposit(who)
    await rig.screen()
    assert (await rig.row(again)).status is Status.AWAITING_FUNDS
    assert await rig.rescreen() <= 1
    rig.clock.ahead_s = 30 * 86_400 + 1
    assert await rig.rescreen() >= 1
    late = await rig.deposit(who)
    await rig.screen()
    assert await rig.status(late) == REVIEW
    assert await rig.case_of(who) != case_id


async def test_what_is_ignored_is_these_people_against_this_entry(rig: Rig, tmp_path: Path) -> None:
    who = await rig.join(person("Victor", "Falsone"))
    await rig.deposit(who)
    await rig.screen()
    await rig.act("clear_match", "ann", case=await rig.case_of(who), reason=REASON, ignore_days=900)
    await rig.screening.resume_once()
    # given a clearance, when the person's data change, then it is over
    await rig.store.run(_rename, rig, who, person("Victor", "Falsona"))
    again = await rig.deposit(who)
    await rig.screen()
    assert await rig.status(again) == REVIEW
    await rig.act("clear_match", "ann", case=await rig.case_of(who), reason=REASON, ignore_days=900)
    await rig.screening.resume_once()
    # when the entry changes on a new list, then it is over too
    await new_list(rig, tmp_path, b'Viktor",', b'Viktor J",')
    await rig.rescreen()
    last = await rig.redeem(who)
    await rig.screen()
    assert await rig.status(last) == REVIEW


async def new_list(rig: Rig, tmp_path: Path, old: bytes, new: bytes, day: str = "2026-02-01") -> str:
    """Load a list that differs from the invented one, and put it in force."""
    from datetime import date

    from sanctions_rig import INVENTED
    from sdt.workflows.sanctions_lists import load

    folder = tmp_path / f"list-{day}"
    folder.mkdir()
    for file in INVENTED.iterdir():
        (folder / file.name).write_bytes(file.read_bytes().replace(old, new))
    loaded = load(
        rig.store, rig.home, folder, list_date=date.fromisoformat(day), by="operator", now_ms=rig.clock.now_ms()
    )
    await rig.agreed(await rig.act("set_sanctions_list", "ann", digest=loaded.row.digest, list_date=day, older=False))
    return loaded.row.digest


async def test_a_strong_likeness_is_cleared_by_two(rig: Rig) -> None:
    who = await rig.join(person("Viktor", "Falsename"))
    asked = await rig.deposit(who)
    await rig.screen()
    claims = {"case": await rig.case_of(who), "reason": REASON, "ignore_days": 30}
    first = await rig.act("clear_match", "ann", **claims)
    assert first.status == "waiting"
    assert await rig.screening.resume_once() == 0
    with pytest.raises(Forbidden):
        await rig.agreed(first, "ann")
    await rig.agreed(first, "ben")
    await rig.screening.resume_once()
    assert (await rig.row(asked)).status is Status.AWAITING_FUNDS
    with pytest.raises(Conflict, match="decided"):
        await rig.act("clear_match", "ann", **claims)


async def test_a_true_hit_is_blocked_by_two_and_nothing_moves_any_more(rig: Rig) -> None:
    # given an evening in Texas, a day later by UTC, and somebody whose deposit is on its way, and who is listed since
    now = datetime.fromtimestamp(rig.clock.now_s(), UTC)
    evening = (now + timedelta(days=1)).replace(hour=2, minute=30)
    rig.clock.ahead_s += int((evening - now).total_seconds())
    here = evening.date() - timedelta(days=1)
    alice, who = await rig.join(person("Alice", "Archer")), await rig.join(person("Ordinary", "Customer"))
    deposit = await rig.deposit(who)
    await rig.screen()
    issue = await rig.issue(who, deposit)
    await rig.screen()
    assert await rig.status(issue) == (Status.HELD, "approval_required")
    await rig.store.run(_rename, rig, who, person("Viktor", "Falsename"))
    await rig.rescreen()
    # then the mint that waited for its second officer is in review
    assert await rig.status(issue) == REVIEW
    payment = await rig.transfer(who, alice)
    await rig.screen()
    # when an officer confirms, then a second must agree
    case_id = await rig.case_of(who)
    act = await rig.act("confirm_match", "ann", case=case_id, reason="Date of birth, passport and photograph agree.")
    assert act.status == "waiting"
    agreed = await rig.agreed(act)
    result = json.loads(agreed.result)["result"]
    # then a report is due ten banking days after that evening, the freeze is there to be signed, the deposit is named
    due = blocking_report_due(here).isoformat()
    assert (result["report_due"], result["funds_blocked"]) == (due, [deposit])
    assert (result["freeze"]["account"], result["freeze"]["token"]) == (who.account, "")
    case = await rig.store.read(cases.case, case_id)
    assert case is not None
    assert (case.status, case.due_on, case.detected_on) == (CaseStatus.TO_REPORT, due, here.isoformat())
    assert case.second_officer not in (None, case.officer)
    assert await rig.status(deposit) == REVIEW
    # and what waited ends with a word that says nothing; no later payment passes, in or out
    assert await rig.screening.resume_once() == 1
    assert await rig.status(payment) == (Status.REJECTED, "review_refused")
    assert await rig.status(issue) == (Status.REJECTED, "deposit_used")
    later = [await rig.transfer(alice, who), await rig.transfer(who, alice), await rig.redeem(who)]
    await rig.screen()
    await rig.rescreen()
    assert [await rig.status(one) for one in later] == [REVIEW] * 3
    assert await rig.screening.resume_once() == 0
    assert await rig.store.read(sanctions.standing_of, who.account) == "blocked"


async def test_a_true_hit_blocks_a_payout_that_came_back(rig: Rig) -> None:
    # given a payout that the bank returned, which waits to be minted again, and another one that was
    who = await rig.join(person("Ordinary", "Customer"))
    owed, minted = await rig.redeem(who), await rig.redeem(who)
    await rig.screen()
    for one in (owed, minted):
        await rig.store.run(_returned, rig, one)
    await rig.store.run(_minted_again, rig, minted)
    await rig.store.run(_rename, rig, who, person("Viktor", "Falsename"))
    await rig.rescreen()
    # when two officers confirm who it is
    case_id = await rig.case_of(who)
    act = await rig.act("confirm_match", "ann", case=case_id, reason="Date of birth, passport and photograph agree.")
    result = json.loads((await rig.agreed(act)).result)["result"]
    # then what is still owed is blocked, and stands in the case
    assert (result["funds_blocked"], result["too_late"]) == ([owed], [])
    evidence = await rig.store.read(cases.evidence_of, case_id)
    assert [one.reference for one in evidence if one.kind == "transaction"] == [owed]
    assert await rig.store.read(payouts.due, "TXD", owed) == 0


def _returned(store: Store, rig: Rig, redemption: str) -> None:
    """What worker and bank make of a redemption whose payout comes back."""
    row, now_ms = transactions.get(store, redemption), rig.clock.now_ms()
    assert row is not None
    ledger.release_holds(store, [(row.ledger_account, row.held_units)])
    burnt = redeem_postings("TXD", row.id, row.value[1], row.units, 0, "0x" + "fe" * 20)
    ledger.post(store, [(row.id, posting) for posting in burnt], release=[], at_ms=now_ms)
    for step in (Event.BATCH, Event.SUBMIT, Event.SETTLE):
        transactions.move(store, [Change(row.id, step)], actor="lane", at_ms=now_ms)
    entry = BankEntryRow(f"ach:{row.id}", row.id, "credit", "TXD", row.units, f"bank-{row.id}", "created", None, now_ms)
    assert banking.put_entry(store, entry)
    for event in (EntryEvent.FILE, EntryEvent.SETTLE, EntryEvent.RETURN):
        code = "R03" if event is EntryEvent.RETURN else None
        bank_entries.apply(store, rig.region, entry, event, code=code, on=day_of(now_ms), at_ms=now_ms)


def _minted_again(store: Store, rig: Rig, redemption: str) -> None:
    row, now_ms = transactions.get(store, redemption), rig.clock.now_ms()
    assert row is not None
    minted = Posting(f"Payout:TXD:{row.id}", row.ledger_account, "TXD", row.units)
    ledger.post(store, [(row.id, minted)], release=[], at_ms=now_ms)
    undone.end(store, row.id, now_ms)


async def test_a_block_is_lifted_by_two_and_the_account_moves_again(rig: Rig) -> None:
    # given somebody who is blocked, with a payment that waits and dollars that were stopped
    alice, who = await rig.join(person("Alice", "Archer")), await rig.join(person("Viktor", "Falsename"))
    claims = {
        "account": who.account,
        "order": "SDGT-2026-1",
        "evidence": "ab" * 32,
        "reason": "OFAC removed the entry.",
    }
    with pytest.raises(Conflict):
        await rig.act("lift_block", "ann", **claims, ignore_days=30)
    deposit = await rig.deposit(who)
    await rig.screen()
    first = await rig.act("confirm_match", "ann", case=await rig.case_of(who), reason="It is him, by his passport.")
    await rig.agreed(first)
    await rig.screening.resume_once()
    payment = await rig.transfer(alice, who)
    await rig.screen()
    assert await rig.status(payment) == REVIEW
    # when two officers lift it
    with pytest.raises(Forbidden):
        await rig.act("lift_block", "approver", **claims, ignore_days=30)
    lifting = await rig.act("lift_block", "ann", **claims, ignore_days=30)
    with pytest.raises(Forbidden):
        await rig.agreed(lifting, "ann")
    told = json.loads((await rig.agreed(lifting)).result)["result"]
    assert (told["standing"], told["matches"], told["still_blocked"], told["frozen_tokens"]) == ("clear", 2, [], [])
    # then he is screened anew, the entry is ignored, and what waited goes on
    assert await rig.rescreen() >= 1
    assert await rig.screening.resume_once() == 1
    assert (await rig.row(payment)).status is Status.SCREENED
    later = await rig.transfer(who, alice, 5)
    await rig.screen()
    assert (await rig.row(later)).status is Status.SCREENED
    assert await rig.status(deposit) == (Status.REJECTED, "review_refused")
    # and once the time of the ignoring is over he is looked at again
    rig.clock.ahead_s = 31 * 86_400
    await rig.rescreen()
    assert await rig.store.read(sanctions.standing_of, who.account) == "review"


async def test_a_block_that_was_confirmed_anew_is_not_lifted_by_an_act_from_before(rig: Rig, tmp_path: Path) -> None:
    # given somebody who is blocked, whose block an officer wants lifted: the entry left the list
    who = await rig.join(person("Viktor", "Falsename"))
    await rig.deposit(who)
    await rig.screen()
    await rig.agreed(await rig.act("confirm_match", "ann", case=await rig.case_of(who), reason="By his passport."))
    claims = {"account": who.account, "order": "SDGT-2026-1", "evidence": "ab" * 32, "ignore_days": 30}
    lifting = await rig.act("lift_block", "ann", **claims, reason="OFAC removed the entry.")
    # when two others confirm that he is somebody else on it as well
    waiting = await rig.store.run(_open_anew, who.account)
    await rig.agreed(await rig.act("confirm_match", "ann", case=waiting, reason="By his birthday and his mother."))
    # then the first paper does not lift the second block
    with pytest.raises(Conflict) as refused:
        await rig.agreed(lifting)
    assert refused.value.code == "review_changed"
    assert await rig.store.read(sanctions.standing_of, who.account) == "blocked"
    # and one that was signed since does
    again = await rig.act("lift_block", "ann", **claims, reason="OFAC removed both.")
    assert json.loads((await rig.agreed(again)).result)["result"]["standing"] == "clear"


def _open_anew(store: Store, account: str) -> str:
    """Have one of the matches found again under a case of its own; return the case."""
    row = sanctions_matches.matches_of(store, account)[0]
    found = {"kind": "sanctions", "key": f"{account}:again", "account": account, "facts": {}, "actor": "screening"}
    case_id = cases.open_case(store, **found, detected_on=day_of(1), at_ms=1)  # type: ignore[arg-type]
    again = {"id": str(uuid.uuid4()), "entry_digest": "cd" * 32, "case_id": case_id, "status": "open", "act_id": None}
    sanctions_matches.add_match(store, row._replace(**again))
    return case_id


async def test_what_waits_longer_than_its_sender_said_expires(rig: Rig) -> None:
    who = await rig.join(person("Viktor", "Falsename"))
    asked = [await rig.redeem(who), await rig.deposit(who)]
    await rig.screen()
    rig.clock.ahead_s = 3601
    await rig.expire()
    assert [(await rig.row(one)).status for one in asked] == [Status.EXPIRED] * 2
    # and a verdict that comes too late raises nobody from the dead
    first = await rig.act("clear_match", "ann", case=await rig.case_of(who), reason=REASON, ignore_days=1)
    await rig.agreed(first)
    assert await rig.screening.resume_once() == 0


async def test_only_the_role_decides_and_only_what_is_there(rig: Rig) -> None:
    who = await rig.join(person("Viktor", "Falsename"))
    await rig.deposit(who)
    await rig.screen()
    claims: dict[str, Any] = {"case": await rig.case_of(who), "reason": REASON}
    for officer in ("issuer", "approver"):
        with pytest.raises(Forbidden):
            await rig.act("clear_match", officer, **claims, ignore_days=1)
        with pytest.raises(Forbidden):
            await rig.act("confirm_match", officer, **claims)
    with pytest.raises(NotFound):
        await rig.act("clear_match", "ann", **claims | {"case": "3f0c1d9e-5b1f-4d6a-9f3c-0a1b2c3d4e5f"}, ignore_days=1)
    for wrong in ({"reason": ""}, {"ignore_days": 0}, {"ignore_days": 5000}):
        with pytest.raises(SdtError):
            await rig.act("clear_match", "ann", **claims | {"ignore_days": 1} | wrong)


async def test_nobody_passes_without_a_list_or_without_a_vendor(tmp_path: Path, vendor: Sandbox) -> None:
    # given a platform that has no list
    aml = vendor.aml(timeout_s=60)
    async with sanctions_rig(tmp_path, aml, lists=None) as rig:
        alice = await rig.join(person("Alice", "Archer"))
        asked = await rig.deposit(alice)
        await rig.screen()
        # then she waits, and is not let pass
        assert (await rig.row(asked)).status is Status.ACCEPTED
        with pytest.raises(Unavailable):
            await rig.searcher.in_force()
    await aml.close()


async def test_a_list_whose_files_were_changed_screens_nobody(rig: Rig) -> None:
    row = await rig.searcher.in_force()
    file = rig.home / "sanctions" / row.digest / "sdn.csv"
    file.write_bytes(file.read_bytes().replace(b"FALSENAME", b"TRUENAME"))
    asked = await rig.deposit(await rig.join(person("Alice", "Archer")))
    await rig.screen()
    assert (await rig.row(asked)).status is Status.ACCEPTED


async def test_a_search_process_that_is_killed_is_started_anew(rig: Rig) -> None:
    alice, bob = await rig.join(person("Alice", "Archer")), await rig.join(person("Viktor", "Falsename"))
    await rig.deposit(alice)
    await rig.screen()
    assert rig.searcher._process is not None
    rig.searcher._process.kill()
    asked = await rig.deposit(bob)
    await rig.screen()
    if (await rig.row(asked)).status is Status.ACCEPTED:
        # The question that found it dead is asked again later, as for a vendor who is away.
        rig.clock.ahead_s = 200
        await rig.screening.sweep_once()
    assert await rig.status(asked) == REVIEW
