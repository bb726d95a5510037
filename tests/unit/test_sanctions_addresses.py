"""Addresses as they are compared, weak aliases, businesses and their owners: who is meant, and why."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt import sandbox
from sdt.domain.personal import Business, Owner, Person, PersonAddress
from sdt.domain.sanctions.addresses import ADDRESS_THRESHOLD, address_likeness, place_of
from sdt.domain.sanctions.index import Index
from sdt.domain.sanctions.lists import Edition, read_csv, read_xml
from sdt.domain.sanctions.search import search
from sdt.domain.sanctions.subjects import Found, ownership_note, subjects_of

US = "United States"
INVENTED = Path(sandbox.__file__).parent / "sanctions_list"


@pytest.fixture(scope="module")
def edition() -> Edition:
    return read_csv(*((INVENTED / f"{name}.csv").read_bytes() for name in ("sdn", "alt", "add")), date(2026, 1, 5))


def score(a: tuple[str, str, str], b: tuple[str, str, str]) -> int:
    one, other = place_of(*a), place_of(*b)
    return address_likeness(one, other).score if one and other else 0


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("925 Washington Street", "Dorchester, MA", US), ("925 Washington St.", "Dorchester Massachusetts", "USA")),
        (("12 North Oak Boulevard", "Austin, TX 78701", US), ("12 N. Oak Blvd", "AUSTIN TX 78701-1234", "US")),
        (("525 Indigo Parkway, Suite 509", "Richardson, TX", US), ("525 Indigo Pkwy #7", "Richardson TX", US)),
        (("P.O. Box 1406", "Bridgeview, IL 60455", US), ("Post Office Box 1406", "Bridgeview, Illinois 60455", US)),
        (("(Formerly located at) 20 Branford Place", "Newark, NJ", US), ("20 Branford Pl, 3rd Floor", "Newark NJ", US)),
        (("1313 Imaginary Boulevard", "Austin, TX 73301", US), ("1313 Imaginery Blvd Apt 4", "Austin, TX 73301", US)),
        (("7 Rue de la Paix", "Paris", "France"), ("7, rue de la Paix", "PARIS", "france")),
        (("8 Улица Ленина", "Москва", "Russia"), ("8 Ulitsa Lenina", "Moskva", "Russia")),
        (("55 Elm St", "Salem", US), ("55 Elm Street", "Salem, OR", US)),
    ],
)  # fmt: skip
def test_one_address_in_two_spellings(a: tuple[str, str, str], b: tuple[str, str, str]) -> None:
    assert score(a, b) >= ADDRESS_THRESHOLD
    assert score(a, b) == score(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("925 Washington Street", "Dorchester, MA", US), ("926 Washington Street", "Dorchester, MA", US)),
        (("925 Washington Street", "Dorchester, MA", US), ("925 Adams Street", "Dorchester, MA", US)),
        (("12 Oak St", "Austin, TX 78701", US), ("12 Oak St", "Austin, TX 78759", US)),
        (("12 Oak St", "Austin, TX", US), ("12 Oak St", "Houston, TX", US)),
        (("12 Oak St", "Springfield, IL", US), ("12 Oak St", "Springfield, MO", US)),
        (("12 Oak St", "Paris, TX", US), ("12 Oak St", "Paris", "France")),
        (("", "Miami, FL", US), ("", "Miami, FL", US)),
    ],
)
def test_two_addresses(a: tuple[str, str, str], b: tuple[str, str, str]) -> None:
    assert score(a, b) < ADDRESS_THRESHOLD


@given(st.text(max_size=60), st.text(max_size=40), st.text(max_size=20))
def test_an_address_is_its_own(street: str, city: str, country: str) -> None:
    place = place_of(street, city, country)
    assert place is None or address_likeness(place, place).score == 100


def test_a_likeness_of_addresses_says_why() -> None:
    one, other = place_of("12 Oak Street", "Austin, TX 78701", US), place_of("12 Oke St", "Austin, TX 78701", US)
    assert one is not None
    assert other is not None
    assert address_likeness(one, other).reasons == (
        "the number is the same (12)",
        "the street 'oak st' is like 'oke st' (83)",
        "the post code is the same (78701)",
    )
    assert "Oak" not in repr(one)


def test_the_list_is_asked_by_address(edition: Edition) -> None:
    index = Index(edition)
    (hit,) = index.search_address("666 Fictitious Ave", "Nowhere, TX 79999", US)
    assert (hit.listed.uid, hit.by) == (900001, "address")
    assert index.search_address("667 Fictitious Ave", "Nowhere, TX 79999", US) == ()
    assert index.search_address("Nowhere", "Nowhere", "Nowhere") == ()


def test_a_weak_alias_is_found_word_for_word_and_worth_no_more_than_a_look(edition: Edition) -> None:
    index = Index(edition)
    (hit,) = index.search("Forger, The")
    assert (hit.listed.uid, hit.score, hit.reasons) == (900001, 80, ("a weak alias, word for word",))
    assert index.search("The Forgers") == ()
    assert index.search("The Forger", 81) == ()
    assert edition.entries[900003].weak == ("NADJA",)


def test_weak_aliases_of_the_xml_form_are_those_of_its_category() -> None:
    data = b"""<sdnList><publshInformation><Publish_Date>01/05/2026</Publish_Date></publshInformation>
    <sdnEntry><uid>1</uid><lastName>X</lastName><akaList><aka><category>weak</category><lastName>PACHO</lastName></aka>
    <aka><category>strong</category><lastName>Y</lastName></aka></akaList></sdnEntry></sdnList>"""
    (entry,) = read_xml(data).entries.values()
    assert (entry.aliases, entry.weak) == (("Y",), ("PACHO",))


def _person(given_name: str, family_name: str, street: str = "1 Main St") -> Person:
    return Person(
        given_name=given_name,
        family_name=family_name,
        born_on="1990-01-01",
        address=PersonAddress(street=street, city="Austin", state="TX", postal_code="78701"),
        ssn_last4="0001",
        email="a@b.example",
    )


def _business(*shares: tuple[Person, int]) -> Business:
    return Business(
        legal_name="Honest Feed Store LLC",
        kind="llc",
        ein_last4="0001",
        formed_in="TX",
        address=PersonAddress(street="2 Main St", city="Austin", state="TX", postal_code="78701"),
        control=_person("Carla", "Controller"),
        owners=tuple(Owner(person=who, share_ppm=share) for who, share in shares),
    )


def _found(edition: Edition, business: Business) -> tuple[Found, ...]:
    return search(Index(edition), subjects_of(business), 80)


def test_everybody_behind_a_business_is_asked_about(edition: Edition) -> None:
    found = _found(edition, _business((_person("Viktor", "Falsename"), 300_000), (_person("Mary", "Johnson"), 700_000)))
    assert [(one.role, one.uid) for one in found] == [("owner", "900001")]
    assert found[0].sentence.startswith("An owner, Viktor Falsename, may be FALSENAME, Viktor by name (100): ")
    assert "Falsename" not in repr(found[0])
    assert [one.role for one in subjects_of(_business())] == ["business", "control"]


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ((300_000, 200_000), "hold 50 % together: if they are, the business is blocked"),
        ((300_000, 199_999), "hold 50 % together, less than half"),
        ((250_000,), "hold 25 % together, less than half"),
        ((333_333, 333_333), "hold 66.67 % together: if they are"),
    ],
)
def test_shares_of_those_who_may_be_meant_are_added_up(edition: Edition, shares: tuple[int, ...], words: str) -> None:
    listed = (_person("Viktor", "Falsename"), _person("Ruprecht", "Pretender"))
    note = ownership_note(_found(edition, _business(*zip(listed, shares, strict=False))))
    assert note is not None
    assert words in note


def test_no_owner_no_note(edition: Edition) -> None:
    assert ownership_note(_found(edition, _business((_person("Mary", "Johnson"), 1_000_000)))) is None
