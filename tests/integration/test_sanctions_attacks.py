"""Sanctions against whoever looks for a way past: what changes between two looks, between look and decision."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sandbox_servers import Sandbox, sandbox

from sanctions_rig import Holder, Rig, business, edited, person, put, sanctions_rig
from sdt.domain.errors import Conflict, Unprocessable
from sdt.domain.personal import Party
from sdt.domain.transaction import Status
from sdt.store import Store, accounts, cases, sanctions, sanctions_matches

pytestmark = pytest.mark.slow

REVIEW = (Status.IN_REVIEW, "in_review")
REASON = "Another date of birth, and another country."


class Between:
    """The vendor, and what happens while it is being asked."""

    def __init__(self, aml: Any) -> None:
        self._aml = aml
        self.happens: Callable[[], Awaitable[None]] | None = None

    async def screen(self, *arguments: Any, **named: Any) -> Any:
        happens, self.happens = self.happens, None
        if happens is not None:
            await happens()
        return await self._aml.screen(*arguments, **named)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vendor"), "vendors") as (running, _):
        yield running


@pytest.fixture
async def between(vendor: Sandbox) -> AsyncIterator[Between]:
    aml = vendor.aml(timeout_s=60)
    yield Between(aml)
    await aml.close()


@pytest.fixture
async def rig(tmp_path: Path, between: Between) -> AsyncIterator[Rig]:
    async with sanctions_rig(tmp_path, between) as made:  # type: ignore[arg-type]
        yield made


def _rename(store: Store, rig: Rig, who: Holder, party: Party) -> None:
    accounts.set_person(store, who.account, rig.people.seal(store, who.account, party, rig.clock.now_ms()))


async def test_what_an_officer_has_not_seen_is_not_cleared(rig: Rig, tmp_path: Path) -> None:
    # given a likeness that one officer wants to clear, and that takes two
    who = await rig.join(person("Victor", "Falsename"))
    asked = await rig.deposit(who)
    await rig.screen()
    case_id = await rig.case_of(who)
    first = await rig.act("clear_match", "ann", case=case_id, reason=REASON, ignore_days=365)
    assert first.status == "waiting"
    # when a new list names them, word for word, before the second officer comes
    rig.clock.ahead_s = 60
    await put(rig, edited(tmp_path, "PRETENDER, Ruprecht Anselm", "FALSENAME, Victor"), "2026-02-01")
    await rig.rescreen()
    assert await rig.case_of(who) == case_id
    # then the second officer's word for the first look clears nothing
    with pytest.raises(Conflict) as refused:
        await rig.agreed(first)
    assert refused.value.code == "review_changed"
    assert await rig.screening.resume_once() == 0
    assert await rig.status(asked) == REVIEW
    assert await rig.store.read(sanctions.standing_of, who.account) == "review"
    # and an officer who looks again may clear what is there now, with a second one
    again = await rig.act("clear_match", "ann", case=case_id, reason=REASON, ignore_days=365)
    assert (await rig.agreed(again)).status == "done"
    assert await rig.screening.resume_once() == 1


async def test_whoever_takes_another_name_while_they_are_looked_at_is_looked_at_again(
    rig: Rig, between: Between
) -> None:
    who, bob = await rig.join(person("Alice", "Archer")), await rig.join(person("Bob", "Baker"))
    await rig.rescreen()

    async def takes_another_name() -> None:
        await rig.store.run(_rename, rig, who, person("Viktor", "Falsename"))

    # given somebody who changes their name after the list was asked and before the answer is written
    await rig.store.run(sanctions.outdate, who.account)
    between.happens = takes_another_name
    await rig.deposit(who)
    await rig.screen()
    # then they are due, and found
    assert await rig.rescreen() == 1
    assert await rig.store.read(sanctions.standing_of, who.account) == "review"
    payment = await rig.transfer(bob, who)
    await rig.screen()
    assert await rig.status(payment) == REVIEW


async def test_what_was_cleared_goes_on_under_the_list_of_now(rig: Rig, tmp_path: Path) -> None:
    # given a false hit, cleared; and a list in force since, on which the search does not answer
    who = await rig.join(person("Victor", "Falsone"))
    asked = await rig.deposit(who)
    await rig.screen()
    await rig.act("clear_match", "ann", case=await rig.case_of(who), reason=REASON, ignore_days=30)
    await put(rig, edited(tmp_path, "PRETENDER, Ruprecht Anselm", "FALSONE, Victor"), "2026-02-01")
    # then it waits until its people are held against that list
    assert await rig.screening.resume_once() == 0
    assert await rig.status(asked) == REVIEW
    # and stays when they are on it
    await rig.rescreen()
    await rig.screening.resume_once()
    assert await rig.status(asked) == REVIEW
    assert await rig.store.read(sanctions.standing_of, who.account) == "review"


async def test_an_ignore_that_ends_while_another_match_is_looked_at_is_over(rig: Rig, tmp_path: Path) -> None:
    # given a false hit ignored for a year, and a new list on which the same people are found a second time
    who = await rig.join(person("Victor", "Falsone"))
    await rig.deposit(who)
    await rig.screen()
    await rig.act("clear_match", "ann", case=await rig.case_of(who), reason=REASON, ignore_days=365)
    (ignored,) = await rig.store.read(sanctions_matches.matches_of, who.account)
    rig.clock.ahead_s = 60
    await put(rig, edited(tmp_path, "PRETENDER, Ruprecht Anselm", "FALSONE, Victor"), "2026-02-01")
    await rig.rescreen()
    assert await rig.store.read(sanctions.standing_of, who.account) == "review"
    # when an officer ends the ignore, and the second match is cleared after it
    await rig.act("end_ignore", "ann", match=ignored.id, reason="Moved abroad.")
    again = await rig.act("clear_match", "ann", case=await rig.case_of(who), reason=REASON, ignore_days=365)
    assert (await rig.agreed(again)).status == "done"
    # then the first is looked at again
    await rig.rescreen()
    assert await rig.store.read(sanctions.standing_of, who.account) == "review"
    reopened = await rig.store.read(sanctions_matches.match, ignored.id)
    assert reopened is not None
    assert reopened.status == "open"


async def test_a_list_of_a_day_to_come_is_refused(rig: Rig, tmp_path: Path) -> None:
    with pytest.raises(Unprocessable) as refused:
        await put(rig, edited(tmp_path, "PRETENDER", "SOMEBODY"), "2199-01-01")
    assert refused.value.code == "list_date"


async def test_a_review_is_not_opened_anew_where_nobody_could_decide_it(rig: Rig) -> None:
    who = await rig.join(person("Victor", "Falsone"))
    await rig.deposit(who)
    await rig.screen()
    case_id = await rig.case_of(who)
    await rig.act("clear_match", "ann", case=case_id, reason=REASON, ignore_days=30)
    with pytest.raises(Unprocessable) as refused:
        await rig.act("reopen_case", "ann", case=case_id, detected_on="2026-11-26", reason=REASON)
    assert refused.value.code == "sanctions_case"
    assert not await rig.store.read(cases.unsettled, who.account)


async def test_a_blocked_deposit_does_not_end_by_its_time(rig: Rig) -> None:
    # given dollars on their way in, of somebody who is then confirmed to be listed
    who = await rig.join(person("Alice", "Archer"))
    asked = await rig.deposit(who)
    await rig.screen()
    assert (await rig.row(asked)).status is Status.AWAITING_FUNDS
    await rig.store.run(_rename, rig, who, person("Viktor", "Falsename"))
    await rig.rescreen()
    first = await rig.act("confirm_match", "ann", case=await rig.case_of(who), reason=REASON)
    assert (await rig.agreed(first)).found["result"]["funds_blocked"] == [asked]
    # when the time passes that they gave it
    rig.clock.ahead_s = 30 * 86_400
    await rig.expire()
    # then it is still in review: blocked dollars are nobody's to give back by a clock
    assert await rig.status(asked) == REVIEW


async def test_two_owners_found_by_the_vendor_are_two_matches(rig: Rig) -> None:
    who = await rig.join(
        business("Honest Feed Store", (person("Maria", "MAYBE"), 300_000), (person("Jon", "MAYBE"), 300_000))
    )
    await rig.deposit(who)
    await rig.screen()
    found = await rig.store.read(sanctions_matches.matches_of_case, await rig.case_of(who))
    assert [row.source for row in found] == ["vendor", "vendor"]


async def test_nobody_without_a_name_in_words_passes(rig: Rig) -> None:
    who = await rig.join(person("!!!", "٭٭٭"))
    asked = await rig.deposit(who)
    await rig.screen()
    assert (await rig.row(asked)).status is not Status.AWAITING_FUNDS


async def test_a_match_found_while_another_is_cleared_is_not_lost(
    tmp_path: Path, between: Between, postgres_database: str
) -> None:
    """On PostgreSQL two may write about one account at once."""
    async with sanctions_rig(tmp_path, between, postgres_database) as rig:  # type: ignore[arg-type]
        who = await rig.join(person("Victor", "Falsone"))
        await rig.deposit(who)
        await rig.screen()
        case_id = await rig.case_of(who)
        (one,) = await rig.store.read(sanctions_matches.matches_of_case, case_id)
        later_ms, other_id = rig.clock.now_ms() + 2_000, "0" * 8 + one.id[8:]
        # given a finding that is written and not committed
        written, commit = Event(), Event()

        def find_another() -> None:
            store = rig.store
            with store.transaction():
                sanctions.standing_of(store, who.account, lock=True)
                sanctions_matches.add_match(
                    store, one._replace(id=other_id, entry_digest="f" * 64, score=88, found_at_ms=later_ms)
                )
                written.set()
                commit.wait(5)
            store.database.close()

        other = Thread(target=find_another)
        other.start()
        written.wait(5)
        Thread(target=lambda: (commit.wait(0.5), commit.set())).start()
        # when an officer clears the case at this moment, then that waits for it and clears nothing unseen
        with pytest.raises(Conflict) as refused:
            await rig.act("clear_match", "ann", case=case_id, reason=REASON, ignore_days=30)
        other.join()
        assert refused.value.code == "review_changed"
