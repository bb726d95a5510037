"""Personal records under a key for each person, on both databases; and those from before there were such keys."""

from __future__ import annotations

import runpy
from pathlib import Path

import msgspec
import pytest

from sdt.adapters.wrapping import VaultKey
from sdt.domain import sealing
from sdt.domain.errors import Conflict, NotFound
from sdt.domain.personal import BankDetails, Business, Owner, Party, Person, PersonAddress
from sdt.domain.sealing import SealBroken
from sdt.store import Store, accounts, banking, migration, open_store, person_keys
from sdt.store.accounts import UserRow
from sdt.store.banking import BankAccountRow
from sdt.workflows.people import People
from store_rig import NOW_MS, address

MASTER = b"m" * 32
HOME = PersonAddress(street="1 Planted Lane", city="Austin", state="TX", postal_code="78701")
DORA = Person(
    given_name="Dora", family_name="Plantedname", born_on="1990-01-02", address=HOME, ssn_last4="7391",
    email="planted@example.com",
)  # fmt: skip
SHOP = Business(
    legal_name="Planted Holdings LLC", kind="llc", ein_last4="4711", formed_in="TX", address=HOME, control=DORA,
    owners=(Owner(person=DORA, share_ppm=600_000),),
)  # fmt: skip
BANK = BankDetails(routing_number="021000021", account_number="000777333999", kind="checking", holder="D. Plantedname")
MARKERS = (b"Planted", b"planted@", b"000777333999", b"7391")


@pytest.fixture
def people(store: Store) -> People:
    return People(store, VaultKey(lambda: (MASTER,)))


def user(store: Store, n: int, party: Party | None = None, people: People | None = None) -> str:
    """Add the n-th user and return the account."""
    row = UserRow(f"user-{n}", address(n), f"user{n}.tx", "US-TX", NOW_MS + n, registered=True)
    with store.transaction():
        accounts.create_user(store, row)
        if party and people:
            accounts.set_person(store, row.account, people.seal(store, row.account, party, NOW_MS))
    return row.account


def link(store: Store, account: str, sealed: bytes) -> None:
    row = BankAccountRow("ref-1", "user-1", account, sealed, "…3999", "linked", NOW_MS)
    banking.link_account(store, row)


async def test_who_stands_behind_an_account_opens_with_the_persons_own_key(store: Store, people: People) -> None:
    dora, shop, nobody = user(store, 1, DORA, people), user(store, 2, SHOP, people), user(store, 3)
    assert await people.party(dora) == DORA
    assert await people.party(shop) == SHOP
    assert await people.party(nobody) is None
    assert await people.party(address(9)) is None
    # one person's record does not open as another's, whatever is moved in the database
    one, two = (person_keys.of_account(store, account) for account in (dora, shop))
    assert one and two and one.person_sealed and one.wrapped != two.wrapped
    accounts.set_person(store, shop, one.person_sealed)
    with pytest.raises(SealBroken):
        await people.party(shop)
    # and a wrapped key does not open for another person
    store.execute("UPDATE person_keys SET wrapped = ? WHERE user_id = 'user-2'", (one.wrapped,))
    with pytest.raises(SealBroken):
        await people.party(shop)
    assert "Planted" not in repr(people) + repr(DORA) + repr(SHOP) + repr(SHOP.owners[0])


async def test_everybody_is_read_by_the_page(store: Store, people: People) -> None:
    everybody = [user(store, n, DORA if n % 2 else SHOP, people) for n in range(1, 6)]
    user(store, 6)
    seen: list[str] = []
    after: str | None = None
    while True:
        page, after = await people.parties(after, 2)
        if after is None:
            break
        assert len(page) <= 2
        seen += [account for account, _ in page]
        assert all(party in (DORA, SHOP) for _, party in page)
    assert seen == everybody


async def test_records_from_before_people_had_keys_are_read_and_sealed_anew(store: Store, people: People) -> None:
    # given a person and a bank account sealed with the master key, as the first version did
    account = user(store, 1)
    old = msgspec.json.encode({f: getattr(DORA, f) for f in DORA.__struct_fields__})
    before = sealing.seal(old, account, MASTER, b"n" * 24)
    accounts.set_person(store, account, before)
    link(store, account, sealing.seal(msgspec.json.encode(BANK), account, MASTER, b"o" * 24))
    # then they are read as they are
    linked = banking.bank_account(store, "ref-1")
    assert linked is not None
    assert await people.party(account) == DORA
    assert await people.bank_details(account, linked.details_sealed) == BANK
    # when the worker starts, then everybody has a key of their own, once, and the master key opens no record
    assert await people.adopt(NOW_MS) == 1
    assert await people.adopt(NOW_MS) == 0
    row = person_keys.of_account(store, account)
    linked = banking.bank_account(store, "ref-1")
    assert row and row.person_sealed and linked
    assert row.person_sealed != before
    assert await people.party(account) == DORA
    assert await people.bank_details(account, linked.details_sealed) == BANK
    for sealed in (row.person_sealed, linked.details_sealed):
        with pytest.raises(SealBroken):
            sealing.unseal(sealed, account, MASTER)


async def test_a_record_that_does_not_open_keeps_nobody_else_from_a_key(store: Store, people: People) -> None:
    for n in (1, 2):
        account = user(store, n)
        accounts.set_person(store, account, sealing.seal(msgspec.json.encode(DORA), account, MASTER, b"n" * 24))
    first, second = sorted(address(n) for n in (1, 2))
    broken = b"\0" * 80
    accounts.set_person(store, first, broken)
    assert await people.adopt(NOW_MS) == 1
    row, other = person_keys.of_account(store, first), person_keys.of_account(store, second)
    assert row and other
    assert (row.wrapped, row.person_sealed) == (None, broken)
    assert other.wrapped is not None


async def test_without_the_key_nothing_opens_and_nothing_new_is_sealed(store: Store, people: People) -> None:
    account = user(store, 1, DORA, people)
    with store.transaction():
        link(store, account, people.seal(store, account, BANK, NOW_MS))
    linked = banking.bank_account(store, "ref-1")
    assert linked is not None
    # when the key is gone
    assert person_keys.erase(store, "user-1", NOW_MS)
    assert not person_keys.erase(store, "user-1", NOW_MS)
    # then the sealed bytes still stand, and say nothing to anybody
    assert await people.party(account) is None
    assert await people.parties(None, 10) == ([], None)
    assert await people.bank_details(account, linked.details_sealed) is None
    with store.transaction(), pytest.raises(NotFound) as refused:
        people.seal(store, account, DORA, NOW_MS)
    assert refused.value.code == "erased"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sdt.db"


def test_a_deleted_key_is_overwritten_in_the_file(file: Path) -> None:
    """Given a key in a database file, when it is deleted, then neither the file nor its log holds it any more."""
    store = open_store(f"sqlite:///{file}", migrate=True)
    people = People(store, VaultKey(lambda: (MASTER,)))
    for n in range(1, 30):
        user(store, n, DORA, people)
    row = person_keys.of_account(store, address(7))
    assert row and row.wrapped
    wrapped = row.wrapped
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert wrapped in file.read_bytes()
    with store.transaction():
        person_keys.erase(store, row.user_id, NOW_MS)
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    left = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert wrapped not in left
    assert wrapped[-16:] not in left
    assert not any(marker in left for marker in MARKERS)
    store.close()


def test_handles_of_before_get_what_they_look_like_and_the_older_one_keeps_it(store_url: str) -> None:
    """Given users of before, two of whom look alike, when the migration runs, then all stand and nobody joins them."""
    store = open_store(store_url)
    path = Path(migration.__file__).with_name("migrations") / "0015_identities.py"
    step = runpy.run_path(str(path))
    with store.transaction():
        step["down"](None, store.database)
        for n, handle in enumerate(("bob.tx", "b0b.tx", "ann.tx"), 1):
            store.execute(
                "INSERT INTO users (user_id, account, handle, residency, created_at_ms, registered, kyc_reasons) "
                "VALUES (?, ?, ?, 'US-TX', ?, ?, '[]')",
                (f"user-{n}", address(n), handle, NOW_MS + n, True),
            )
        step["up"](None, store.database)
    found = dict(store.rows("SELECT handle, skeleton FROM users"))
    assert found == {"bob.tx": "bob.tx", "b0b.tx": None, "ann.tx": "ann.tx"}
    with pytest.raises(Conflict) as refused:
        accounts.create_user(store, UserRow("user-9", address(9), "bob_tx", "US-TX", NOW_MS))
    assert refused.value.code == "handle_alike"
    with store.transaction():
        store.execute("DELETE FROM users")
    store.close()


def test_handles_of_before_that_look_alike_by_pairs_are_one_from_now_on(store_url: str) -> None:
    """Given skeletons as they were, when the migration runs, then none can join them, and of two one counts."""
    store = open_store(store_url)
    path = Path(migration.__file__).with_name("migrations") / "0051_skeletons_of_pairs.py"
    before = (("dvw.tx", "dvw.tx"), ("dwv.tx", "dwv.tx"), ("vwx.tx", "vwx.tx"), ("ann.tx", "ann.tx"))
    with store.transaction():
        for n, (handle, looks) in enumerate(before, 1):
            store.execute(
                "INSERT INTO users (user_id, account, handle, residency, created_at_ms, registered, kyc_reasons, "
                "skeleton) VALUES (?, ?, ?, 'US-TX', ?, ?, '[]', ?)",
                (f"user-{n}", address(n), handle, NOW_MS + n, True, looks),
            )
        runpy.run_path(str(path))["up"](None, store.database)
    found = dict(store.rows("SELECT handle, skeleton FROM users"))
    assert found == {"dvw.tx": "dvw.tx", "dwv.tx": "dwv.tx", "vwx.tx": "wvx.tx", "ann.tx": "ann.tx"}
    for handle in ("dvvv.tx", "vvvx.tx"):
        with pytest.raises(Conflict) as refused:
            accounts.create_user(store, UserRow("user-9", address(9), handle, "US-TX", NOW_MS))
        assert refused.value.code == "handle_alike"
    with store.transaction():
        store.execute("DELETE FROM users")
    store.close()
