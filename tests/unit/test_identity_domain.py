"""What is pure about people: retention, reasons, renewal, owners, documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.document import check_document
from sdt.domain.errors import Invalid, Unprocessable
from sdt.domain.identity import REASONS, IdentityStatus, Next, next_step, renewable_from, shown
from sdt.domain.ownership import OWNER_PPM_MIN, OWNER_RULES, check_owners
from sdt.domain.personal import SHARE_PPM, Business, Owner, Person, PersonAddress
from sdt.domain.retention import Relationship, kept
from sdt.sandbox.kyc_magic import _BY_FAMILY_NAME, _BY_SSN, _BY_WORD, _IN_A_DOCUMENT

HOME = PersonAddress(street="1 Main St", city="Austin", state="TX", postal_code="78701")
ANN = Person(
    given_name="Ann", family_name="Adams", born_on="1990-01-02", address=HOME, ssn_last4="1234", email="a@example.com"
)
SHOP = Business(legal_name="Shop LLC", kind="llc", ein_last4="4711", formed_in="TX", address=HOME, control=ANN)


@pytest.mark.parametrize(
    ("bank", "value", "name", "day"),
    [
        (False, False, "bsa", date(2031, 11, 26)),
        (True, False, "nacha", date(2032, 11, 26)),
        (False, True, "ofac", date(2036, 11, 26)),
        (True, True, "ofac", date(2036, 11, 26)),
    ],
)
def test_the_longest_duty_that_applies_counts(bank: bool, value: bool, name: str, day: date) -> None:
    relationship = Relationship(date(2026, 11, 26), bank, value)
    assert (kept(relationship).duty.name, kept(relationship).erasable_from) == (name, day)


@given(st.dates(date(1990, 1, 1), date(2080, 1, 1)), st.booleans(), st.booleans())
def test_nobody_is_erased_before_the_years_are_over(ended: date, bank: bool, value: bool) -> None:
    relationship = Relationship(ended, bank, value)
    day, duty, _ = kept(relationship)
    years = duty.years
    assert timedelta(0) <= day - ended - timedelta(days=365 * years) <= timedelta(days=years // 4 + 2)
    assert (day.month, day.day) == (ended.month, ended.day) or (ended.month, ended.day) == (2, 29)


@pytest.mark.parametrize(
    ("value", "until", "since"),
    [(False, date(2035, 12, 20), date(2030, 12, 20)), (True, date(2036, 1, 10), date(2026, 1, 10))],
)
def test_a_report_is_kept_five_years_from_its_filing_unless_something_else_is_kept_longer(
    value: bool, until: date, since: date
) -> None:
    found = kept(Relationship(date(2026, 1, 10), False, value, filed_on=date(2030, 12, 20)))
    assert (found.erasable_from, found.since) == (until, since)
    # nobody who is refused by it learns that it is a report
    assert not any(word in f"{found.duty}".lower() for word in ("sar", "report", "1020.320", "1022.320"))


def test_reasons_are_a_closed_set_and_tell_no_suspicion() -> None:
    hidden = {"possible_duplicate", "deceased", "document_suspect", "watchlist_hit", ""}
    assert [r.code for r in shown(hidden)] == ["could_not_verify"]
    assert [r.code for r in shown(["under_age", "under_age", "ein_mismatch"])] == ["under_age", "ein_mismatch"]
    assert all(reason.text.endswith(".") and reason.remedy.endswith(".") for reason in REASONS.values())
    # every reason that the sandbox gives is known, or is one of those that are not told
    given_by_sandbox = {r for table in (_BY_FAMILY_NAME, _BY_SSN, _BY_WORD, _IN_A_DOCUMENT) for _, r in table.values()}
    assert given_by_sandbox - set(REASONS) <= hidden


@given(st.integers(0, 2**33), st.integers(1, 2**31))
def test_a_renewal_opens_within_the_life_of_what_it_renews(decided: int, life: int) -> None:
    opens = renewable_from(decided, decided + life)
    assert decided <= opens < decided + life or life == 1
    assert decided + life - opens <= 30 * 86_400


@given(st.sampled_from(IdentityStatus), st.integers(0, 2), st.booleans(), st.booleans())
def test_there_is_always_something_to_say(status: IdentityStatus, left: int, asked: bool, renewable: bool) -> None:
    step = next_step(status, attempts_left=left, documents_asked=asked, renewable=renewable)
    if status is IdentityStatus.FAILED and not asked:
        assert step is (Next.CORRECT if left else Next.CONTACT)
    if status is IdentityStatus.EXPIRED and not asked:
        assert step is Next.RENEW
    if status is IdentityStatus.DOCUMENTS_REQUIRED:
        assert step is Next.SEND_DOCUMENTS


def owned(*shares: int) -> Business:
    return Business(
        **{f: getattr(SHOP, f) for f in SHOP.__struct_fields__ if f != "owners"},
        owners=tuple(Owner(person=ANN, share_ppm=share) for share in shares),
    )


@given(st.lists(st.integers(1, SHARE_PPM), max_size=5))
def test_owners_are_of_a_quarter_and_together_at_most_the_whole(shares: list[int]) -> None:
    good = all(share >= OWNER_PPM_MIN for share in shares) and sum(shares) <= SHARE_PPM
    if good:
        check_owners(owned(*shares))
        return
    with pytest.raises(Unprocessable) as refused:
        check_owners(owned(*shares))
    assert str(refused.value.facts["statute"]).startswith("31 C.F.R. 1010.230")


def test_four_quarters_are_the_whole() -> None:
    check_owners(owned(250_000, 250_000, 250_000, 250_000))
    with pytest.raises(Unprocessable):
        check_owners(owned(250_000, 250_000, 250_000, 250_001))


def test_every_rule_of_ownership_names_its_law() -> None:
    for rule in OWNER_RULES.values():
        assert "1010.230" in rule.statute
    assert not OWNER_RULES["agency"].owners
    assert replace(OWNER_RULES["llc"]) == OWNER_RULES["corporation"]


@pytest.mark.parametrize("content", [b"", b"%PD", b"GIF89a", b"<svg/>", b"PK\x03\x04", b"\x89PNG\r\n"])
@pytest.mark.parametrize("declared", ["application/pdf", "image/png", "image/jpeg", "text/html"])
def test_what_is_no_document_is_refused(content: bytes, declared: str) -> None:
    with pytest.raises(Invalid):
        check_document(content, declared)
