"""Sanctions while an identity is renewed under another name: who was identified is screened, and who is said to be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rescreen_process import NoVendor
from sanctions_rig import Holder, Rig, business, edited, person, put, sanctions_rig
from sdt.domain.personal import Party
from sdt.store import Store, accounts, examinations, outbox, sanctions, sanctions_matches
from sdt.workflows import identity
from sdt.workflows.sanctions import found_of
from sdt.workflows.screened import screened_in

pytestmark = pytest.mark.slow
REASON = "Another date of birth, and another country."


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with sanctions_rig(tmp_path, NoVendor()) as made:  # type: ignore[arg-type]
        yield made


def _passed(store: Store, rig: Rig, who: Holder) -> None:
    """The vendor has passed whom the record names, for a year that is nearly over."""
    row = examinations.get(store, who.account)
    if row is None or row.application is None:
        identity.begin(store, who.account, f"app-{who.bank}-{row.round if row else 0}", rig.clock.now_ms())
        row = examinations.get(store, who.account)
    assert row is not None
    now_s = rig.clock.now_s()
    after = row._replace(status="passed", tier=1, decided_at_s=now_s - 300 * 86_400, expires_at_s=now_s + 86_400)
    identity._move(store, row, after)
    store.execute("UPDATE outbox SET done_at_ms = 1")


def _renewed(store: Store, rig: Rig, who: Holder, party: Party) -> None:
    """What the API does with a renewal that says something else."""
    now_ms = rig.clock.now_ms()
    identity.renew(store, who.account, now_ms)
    accounts.set_person(store, who.account, rig.people.seal(store, who.account, party, now_ms))
    assert outbox.open_keys(store, identity.TOPIC, who.account)


async def _standing(rig: Rig, who: Holder) -> str | None:
    return await rig.store.read(sanctions.standing_of, who.account)


async def _names(rig: Rig, who: Holder) -> list[str]:
    found = await rig.store.read(screened_in, rig.people, who.account)
    assert found is not None
    return [one.name for one in found.subjects]


async def test_a_new_list_finds_who_was_identified_whatever_a_renewal_says(rig: Rig, tmp_path: Path) -> None:
    # given somebody identified who renews under a name that is nobody's
    who = await rig.join(person("Alice", "Archer"))
    await rig.store.run(_passed, rig, who)
    await rig.rescreen()
    await rig.store.run(_renewed, rig, who, person("Invented", "Nobody"))
    assert await _names(rig, who) == ["Alice Archer", "Invented Nobody"]
    assert await rig.rescreen() == 1
    assert await _standing(rig, who) == "clear"
    # when a list comes on which the one identified is, then the account is stopped
    await put(rig, edited(tmp_path, "PRETENDER, Ruprecht Anselm", "ARCHER, Alice"), "2026-02-01")
    await rig.rescreen()
    assert await _standing(rig, who) == "review"


async def test_who_a_renewal_says_is_screened_before_anybody_has_established_it(rig: Rig) -> None:
    who = await rig.join(business("Honest Feed Store", (person("Jon", "Owner"), 300_000)))
    await rig.store.run(_passed, rig, who)
    await rig.rescreen()
    assert await _standing(rig, who) == "clear"
    await rig.store.run(_renewed, rig, who, business("Honest Feed Store", (person("Viktor", "Falsename"), 300_000)))
    assert await _names(rig, who) == ["Honest Feed Store", "Carla Controller", "Jon Owner", "Viktor Falsename"]
    assert await rig.rescreen() == 1
    assert await _standing(rig, who) == "review"
    (row,) = await rig.store.read(sanctions_matches.matches_of_case, await rig.case_of(who))
    found = await found_of(rig.people, row)
    assert found
    assert found[0].sentence.startswith("An owner, Viktor Falsename, may be ")


async def test_what_was_cleared_stays_so_in_a_renewal_and_who_passes_is_screened_as_that(rig: Rig) -> None:
    # given a false likeness of somebody identified, cleared
    who = await rig.join(person("Victor", "Falsone"))
    await rig.store.run(_passed, rig, who)
    await rig.rescreen()
    await rig.act("clear_match", "ann", case=await rig.case_of(who), reason=REASON, ignore_days=365)
    # when it is renewed with the same data, nobody is asked about anew
    await rig.store.run(_renewed, rig, who, person("Victor", "Falsone"))
    assert await _names(rig, who) == ["Victor Falsone"]
    await rig.rescreen()
    assert await _standing(rig, who) == "clear"
    await rig.store.run(_passed, rig, who)
    # nor by a renewal under another name; when that passes, then that name alone is asked about, at once
    await rig.store.run(_renewed, rig, who, person("Victoria", "Married"))
    assert await rig.rescreen() == 1
    assert await _standing(rig, who) == "clear"
    await rig.store.run(_passed, rig, who)
    assert (await _names(rig, who))[:1] == ["Victoria Married"]
    assert await rig.rescreen() == 1
