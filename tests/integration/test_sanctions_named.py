"""Sanctions against whom an account's dollars name: who holds its bank accounts, and who hands in currency for it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
from sandbox_servers import Sandbox, sandbox

from rescreen_process import NoVendor
from sanctions_rig import Holder, Rig, business, edited, person, put, sanctions_rig
from sdt.api.bank_accounts import BANK_ACCOUNTS_MAX, _link
from sdt.domain.errors import Conflict, Unavailable
from sdt.domain.personal import BankDetails
from sdt.domain.registry import NEVER_S
from sdt.domain.transaction import Status
from sdt.ports.bank import Conductor
from sdt.ports.kyc import PostalAddress
from sdt.store import Store, accounts, ach, banking, currency, sanctions, sanctions_matches
from sdt.store.currency import CONDUCTOR_NOTE, CurrencyRow
from sdt.workflows.bank_proof import wanted_entry
from sdt.workflows.sanctions import found_of
from sdt.workflows.screened import screened_in

pytestmark = pytest.mark.slow

REVIEW = (Status.IN_REVIEW, "in_review")
REASON = "Another date of birth, and another country."
HOME = PostalAddress("9 Elm St", "Austin", "TX", "78701")


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vendor"), "vendors") as (running, _):
        yield running


@pytest.fixture
async def asking(tmp_path: Path, vendor: Sandbox) -> AsyncIterator[Rig]:
    aml = vendor.aml(timeout_s=60)
    async with sanctions_rig(tmp_path, aml) as made:
        yield made
    await aml.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with sanctions_rig(tmp_path, NoVendor()) as made:  # type: ignore[arg-type]
        yield made


def _user_id(store: Store, who: Holder) -> str:
    user = accounts.user_by_account(store, who.account)
    assert user is not None
    return user.user_id


def _linked(store: Store, rig: Rig, who: Holder, name: str, number: str = "87654321") -> str:
    return rig.link(store, who, _user_id(store, who), name, number)


def _corrected(store: Store, rig: Rig, who: Holder, name: str) -> None:
    """Take over a name that the other bank says is right."""
    linked = banking.bank_account(store, who.bank)
    assert linked is not None
    details = rig.people.details(store, who.account, linked.details_sealed)
    sealed = rig.people.seal(store, who.account, msgspec.structs.replace(details, holder=name), rig.clock.now_ms())
    banking.set_details(store, who.bank, sealed)


def _handed_in(
    store: Store, rig: Rig, who: Holder, name: str, *, by_holder: bool = False, home: PostalAddress = HOME
) -> None:
    """Count currency that somebody brings, as the worker writes it."""
    given, family = name.split()
    hand = Conductor(given, family, date(1980, 5, 17), home, "passport", "X1", "US")
    note = rig.people.seal_note(store, who.account, CONDUCTOR_NOTE, msgspec.json.encode(hand), rig.clock.now_ms())
    of = str(uuid.uuid4())
    currency.put(store, CurrencyRow(of, f"cur_{of}", who.account, "TXD", 500, by_holder, name, note, rig.clock.now_s()))


def _goes_out(store: Store, who: Holder, now_s: int) -> bool:
    """Return whether an entry to the account's bank account would go into a file now."""
    return any(row.account == who.account for row in ach.wanted(store, "TXD", 10, now_s))


async def _standing(rig: Rig, who: Holder) -> str | None:
    return await rig.store.read(sanctions.standing_of, who.account)


async def test_whoever_a_payout_would_name_is_screened_before_it_goes(asking: Rig) -> None:
    # given somebody who is clear, and whose linked bank account a listed one holds
    rig, who = asking, await asking.join(person("Alice", "Archer"), bank_holder="Viktor Falsename")
    asked = await rig.redeem(who)
    # when they redeem to it
    await rig.screen()
    # then it is in review, by the list's word and by the vendor's, and the case says who is meant
    assert await rig.status(asked) == REVIEW
    rows = await rig.store.read(sanctions_matches.matches_of_case, await rig.case_of(who))
    assert {row.source for row in rows} == {"own", "vendor"}
    for row in rows:
        found = await found_of(rig.people, row)
        assert found
        assert found[0].sentence.startswith("Who holds a linked bank account, Viktor Falsename, may be ")
    # and dollars come in as little as they go out
    deposit = await rig.deposit(who)
    await rig.screen()
    assert await rig.status(deposit) == REVIEW


async def test_the_vendor_alone_stops_a_holder(asking: Rig) -> None:
    rig = asking
    who = await rig.join(business("Honest Feed Store", (person("Jon", "Owner"), 300_000)), bank_holder="Maria MAYBE")
    asked = await rig.redeem(who)
    await rig.screen()
    assert await rig.status(asked) == REVIEW
    (row,) = await rig.store.read(sanctions_matches.matches_of_case, await rig.case_of(who))
    assert row.source == "vendor"


async def test_a_link_and_a_correction_are_screened_and_hold_what_goes_out_until_then(rig: Rig) -> None:
    alice, bob = await rig.join(person("Alice", "Archer")), await rig.join(person("Bob", "Baker"))
    await rig.rescreen()
    for who in (alice, bob):
        linked = await rig.store.read(banking.bank_account, who.bank)
        assert linked is not None
        entry = wanted_entry(
            f"ach:{who.account}", linked, "TXD", purpose="payment", is_credit=True, units=500, business=False,
            reference=rig.new_id(), at_ms=rig.clock.now_ms(),
        )  # fmt: skip
        await rig.store.run(ach.want, entry)
        assert await rig.store.read(_goes_out, who, rig.clock.now_s())
    # given one who links another's account, and one whose bank says another name
    await rig.store.run(_linked, rig, alice, "Viktor Falsename")
    await rig.store.run(_corrected, rig, bob, "VIKTOR FALSENAME")
    # then nothing goes out to either, before anybody was asked about
    for who in (alice, bob):
        assert await _standing(rig, who) == "clear"
        assert not await rig.store.read(_goes_out, who, rig.clock.now_s())
        assert await rig.store.read(sanctions.unpayable, who.account)
    # when the list is asked, then they are in review
    assert await rig.rescreen() == 2
    for who in (alice, bob):
        assert await _standing(rig, who) == "review"
    # and an honest link holds up nobody for longer than that
    carol = await rig.join(person("Carol", "Carter"))
    await rig.rescreen()
    await rig.store.run(_linked, rig, carol, "Corner Bakery")
    assert await rig.store.read(sanctions.unpayable, carol.account)
    assert await rig.rescreen() == 1
    assert not await rig.store.read(sanctions.unpayable, carol.account)


async def test_a_link_while_the_account_is_looked_at_is_not_lost(rig: Rig) -> None:
    who = await rig.join(person("Alice", "Archer"))
    (finding,) = await rig.sanctions.look_again([who.account])
    await rig.store.run(_linked, rig, who, "Viktor Falsename")
    with pytest.raises(Unavailable, match="changed while they were looked at"):
        await rig.store.run(rig.sanctions.write, finding, "worker:rescreening", rig.clock.now_ms())
    assert await rig.rescreen() == 1
    assert await _standing(rig, who) == "review"


async def test_a_new_list_finds_a_holder(rig: Rig, tmp_path: Path) -> None:
    who = await rig.join(person("Alice", "Archer"), bank_holder="Corner Bakery")
    await rig.rescreen()
    assert await _standing(rig, who) == "clear"
    await put(rig, edited(tmp_path, "PRETENDER, Ruprecht Anselm", "CORNER BAKERY"), "2026-02-01")
    await rig.rescreen()
    assert await _standing(rig, who) == "review"


async def test_a_holder_whom_the_version_before_left_out_is_found_though_it_wrote_after_the_migration(rig: Rig) -> None:
    # given a listed holder, and a settlement process of the version before that screens those behind the account alone
    who = await rig.join(person("Alice", "Archer"), bank_holder="Viktor Falsename")
    found = await rig.store.read(screened_in, rig.people, who.account)
    row = await rig.searcher.in_force()
    assert found is not None
    wrote = (who.account, found.party_digest, row.digest, NEVER_S)
    await rig.store.run(
        Store.execute,
        "INSERT INTO sanctions_standing (account, standing, party_digest, list_digest, valid_until_s, screened_at_ms) "
        "VALUES (?, 'clear', ?, ?, ?, 1)",
        wrote,
    )
    await rig.store.run(Store.execute, "UPDATE users SET standing = 'clear' WHERE account = ?", (who.account,))
    # then nothing goes out to the bank account, and the first round of this version finds the holder
    assert await rig.store.read(sanctions.unpayable, who.account)
    assert await rig.rescreen() == 1
    assert await _standing(rig, who) == "review"
    assert await rig.rescreen() == 0


async def test_the_own_name_is_no_second_subject_however_a_bank_writes_it(rig: Rig) -> None:
    who = await rig.join(person("José", "Ñandú"), bank_holder="MR. JOSE NANDU")
    await rig.store.run(_handed_in, rig, who, "Jose Nandu", by_holder=True)
    found = await rig.store.read(screened_in, rig.people, who.account)
    assert found is not None
    assert [one.role for one in found.subjects] == ["person"]
    # so that whoever was screened before is still the same
    assert found.digest == found.party_digest


async def test_what_is_cleared_of_one_is_cleared_of_nobody_else_and_outlives_another_link(rig: Rig) -> None:
    # given a false likeness of a holder, cleared
    who = await rig.join(person("Alice", "Archer"), bank_holder="Victor Falsone")
    await rig.rescreen()
    first = await rig.case_of(who)
    await rig.act("clear_match", "ann", case=first, reason=REASON, ignore_days=365)
    # when another account is linked, of somebody who is like nobody, and currency is brought
    await rig.store.run(_linked, rig, who, "Corner Bakery")
    await rig.store.run(_handed_in, rig, who, "Carl Courier")
    assert await rig.rescreen() == 1
    # then nobody is asked again
    assert await _standing(rig, who) == "clear"
    # when the same entry may be the one who brings currency, then that is looked at by itself
    await rig.store.run(_handed_in, rig, who, "Victor Falsone")
    assert await rig.rescreen() == 1
    assert await _standing(rig, who) == "review"
    assert await rig.case_of(who) != first
    (row,) = await rig.store.read(sanctions_matches.matches_of_case, await rig.case_of(who))
    found = await found_of(rig.people, row)
    assert found
    assert found[0].sentence.startswith("Who handed in currency, Victor Falsone, may be ")


async def test_whoever_hands_in_currency_is_screened_before_it_is_minted(asking: Rig) -> None:
    rig, who = asking, await asking.join(business("Honest Feed Store"))
    deposit = await rig.deposit(who)
    await rig.screen()
    assert (await rig.row(deposit)).status is Status.AWAITING_FUNDS
    await rig.store.run(_handed_in, rig, who, "Viktor Falsename")
    issue = await rig.issue(who, deposit)
    await rig.screen()
    assert await rig.status(issue) == REVIEW


async def test_an_address_that_is_none_of_the_states_leaves_the_name(rig: Rig) -> None:
    who = await rig.join(person("Alice", "Archer"))
    abroad = PostalAddress("1 Rue Longue", "Lyon", "", "69001 CEDEX")
    await rig.store.run(_handed_in, rig, who, "Viktor Falsename", home=abroad)
    assert await rig.rescreen() == 1
    assert await _standing(rig, who) == "review"


async def test_what_was_sealed_for_another_account_keeps_nobody_from_being_screened(rig: Rig) -> None:
    alice, bob = await rig.join(person("Alice", "Archer")), await rig.join(person("Bob", "Baker"))
    await rig.store.run(_handed_in, rig, alice, "Carl Courier")
    (row,) = await rig.store.read(currency.hands, alice.account, 10)
    # given currency that two officers gave to another than its slip named
    await rig.store.run(currency.give, row.deposit_id, str(uuid.uuid4()), bob.account)
    assert await rig.rescreen() == 2
    assert {await _standing(rig, who) for who in (alice, bob)} == {"clear"}


async def test_so_many_bank_accounts_and_no_more_are_linked(rig: Rig) -> None:
    who = await rig.join(person("Alice", "Archer"))

    def link(store: Store, number: int) -> None:
        user = accounts.user_by_account(store, who.account)
        assert user is not None
        details = BankDetails(
            routing_number="021000021", account_number=f"{number:08d}", kind="checking", holder="Alice Archer"
        )
        _link(store, rig.people, user, details, rig.clock.now_ms())

    for number in range(1, BANK_ACCOUNTS_MAX):
        await rig.store.run(link, number)
    with pytest.raises(Conflict) as refused:
        await rig.store.run(link, BANK_ACCOUNTS_MAX)
    assert refused.value.code == "too_many_bank_accounts"
    # and one that is linked already is answered as ever
    await rig.store.run(link, 1)
    assert len(await rig.store.read(lambda s: banking.accounts_of(s, _user_id(s, who)))) == BANK_ACCOUNTS_MAX
