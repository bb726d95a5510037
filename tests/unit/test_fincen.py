"""Reports as FinCEN's layout has them: checked against a schema written from it, the same bytes every time."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.errors import Invalid
from sdt.domain.fincen.ctr import Involved, Part, ctr
from sdt.domain.fincen.elements import dollars, value
from sdt.domain.fincen.parties import Document, Subject, read_filer, subject_of
from sdt.domain.fincen.sar import Suspicion, sar
from sdt.domain.personal import Business, Person, PersonAddress

ROOT = Path(__file__).parents[2]
FILER = read_filer((ROOT / "regions" / "filer.toml").read_bytes())
CTR = xmlschema.XMLSchema11(ROOT / "src/sdt/workflows/schemas/ctr.xsd")
SAR = xmlschema.XMLSchema11(ROOT / "src/sdt/workflows/schemas/sar.xsd")
DAY = date(2026, 11, 24)
HOME = PersonAddress(street="1 Congress Ave & 2nd", city="Austin", state="TX", postal_code="78701-1234")
ALICE = Person(
    given_name="Alice", family_name="Müller-O'Brien", born_on="1990-01-02", address=HOME, ssn_last4="1234",
    email="a@example.com",
)  # fmt: skip
SHOP = Business(
    legal_name="Corner <Shop> LLC", kind="llc", ein_last4="1234", formed_in="TX", address=HOME, control=ALICE
)
ACCOUNT = "0x" + "ab" * 20
COURIER = Subject("Courier", "Carl", False, date(1980, 5, 17), HOME, Document("5", "12345678", "TX"))


def _ctr(cents: int = 10_000_01, **changes: Any) -> bytes:
    involved = [
        Involved(Part.ON_WHOSE_BEHALF, subject_of(SHOP, (ACCOUNT,)), cents, 2),
        Involved(Part.FOR_ANOTHER, COURIER, cents, 1),
    ]
    given_ = {"on": DAY, "filing": date(2026, 11, 30), "cents": cents, "count": 2, "involved": involved}
    return ctr(FILER, **{**given_, **changes})


def _sar(**changes: Any) -> bytes:
    claims: dict[str, Any] = {
        "pattern": "structuring",
        "first_day": DAY,
        "last_day": date(2026, 11, 26),
        "cents": 27_000_01,
        "subjects": (subject_of(ALICE, (ACCOUNT,)),),
        "narrative": "Three days, each just below.",
    }
    return sar(FILER, date(2026, 12, 1), Suspicion(**{**claims, **changes}))


def values(document: bytes, name: str) -> list[str]:
    return re.findall(f"<fc2:{name}>([^<]*)<", document.decode())


def test_a_currency_report_fits_the_layout_and_says_what_was_counted() -> None:
    made = _ctr()
    CTR.validate(made.decode())
    assert made == _ctr(), "the same report is the same bytes"
    assert values(made, "ActivityPartyTypeCode") == ["35", "37", "30", "8", "34", "23", "17"]
    assert values(made, "TotalCashInReceiveAmountText") == ["10001"], "a cent more is a dollar more"
    assert values(made, "DetailTransactionAmountText") == ["10001"]
    assert values(made, "TransactionDateText") == ["20261124"]
    assert values(made, "FilingDateText") == ["20261130"]
    assert values(made, "RawEntityIndividualLastName") == ["Corner &lt;Shop&gt; LLC", "Courier"]
    assert values(made, "AccountNumberText") == ["ab" * 20]
    assert values(made, "OtherIssuerStateText") == ["TX"]
    assert values(made, "RawZIPCode")[-1] == "787011234"
    assert b'TotalAmount="10001" PartyCount="7" ActivityCount="1"' in made


def test_a_report_of_a_day_that_grew_amends_the_one_before() -> None:
    assert (values(_ctr(), "EFilingPriorDocumentNumber"), values(_ctr(), "InitialReportIndicator")) == ([], ["Y"])
    for number, written in (("31000123456789", "31000123456789"), ("REF-1", "0" * 14)):
        made = _ctr(prior=number)
        CTR.validate(made.decode())
        assert values(made, "EFilingPriorDocumentNumber") == [written]
        assert values(made, "CorrectsAmendsPriorReportIndicator") == ["Y"]
        assert values(made, "InitialReportIndicator") != ["Y"], "one of them alone"


def test_what_is_not_known_is_marked_and_not_left_out() -> None:
    nobody = Involved(Part.ON_OWN_BEHALF, subject_of(None, (ACCOUNT,)), 10_000_01, 1)
    made = _ctr(involved=[nobody])
    CTR.validate(made.decode())
    for mark in (
        "BirthDateUnknownIndicator",
        "EntityLastNameUnknownIndicator",
        "FirstNameUnknownIndicator",
        "CityUnknownIndicator",
        "ZIPCodeUnknownIndicator",
        "TINUnknownIndicator",
        "IdentificationPresentUnknownIndicator",
    ):
        assert values(made, mark)[-1] == "Y", mark


def test_a_suspicion_fits_the_layout() -> None:
    made = _sar()
    SAR.validate(made.decode())
    assert made == _sar()
    assert values(made, "SuspiciousActivitySubtypeID") == ["114"]
    assert values(made, "TotalSuspiciousAmountText") == ["27001"]
    assert (values(made, "InitialReportIndicator"), values(made, "EFilingPriorDocumentNumber")) == (["Y"], [])
    assert values(made, "RawEntityIndividualLastName") == ["Muller-O'Brien"]
    assert b'TotalAmount="27001" PartyCount="1" ActivityCount="1"' in made


@pytest.mark.parametrize(
    "changes",
    [
        {"prior": "31000123456789"},
        {"prior": "unknown"},
        {"subjects": ()},
        {"subjects": (subject_of(SHOP, (ACCOUNT,)), subject_of(None, ()))},
        {"cents": 0},
        {"narrative": "Ü" * 30_000},
        {"pattern": "velocity"},
        {"pattern": "anything"},
    ],
    ids=["continuing", "number lost", "no suspect", "several", "no amount", "long", "velocity", "other"],
)
def test_every_kind_of_suspicion_fits_the_layout(changes: dict[str, Any]) -> None:
    made = _sar(**changes)
    SAR.validate(made.decode())
    if "prior" in changes:
        expected = changes["prior"] if changes["prior"].isdigit() else "0" * 14
        assert values(made, "EFilingPriorDocumentNumber") == [expected]
        assert values(made, "ContinuingActivityReportIndicator") == ["Y"]
    if changes.get("subjects") == ():
        assert values(made, "AllCriticalSubjectInformationUnavailableIndicator") == ["Y"]
    if "narrative" in changes:
        assert [len(part) for part in values(made, "ActivityNarrativeText")] == [4_000] * 5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<fc2:FormTypeCode>CTRX", b"<fc2:FormTypeCode>SARX"),
        (b"<fc2:TransactionDateText>20261124", b"<fc2:TransactionDateText>2026-11-24"),
        (b"<fc2:TotalCashInReceiveAmountText>10001", b"<fc2:TotalCashInReceiveAmountText>10001.00"),
        (b"<fc2:ActivityPartyTypeCode>35", b"<fc2:ActivityPartyTypeCode>99"),
        (b'SeqNum="2"', b'SeqNum="1"'),
        (b"<fc2:PartyNameTypeCode>L</fc2:PartyNameTypeCode>", b""),
    ],
)
def test_the_schema_refuses_what_the_layout_does_not_have(old: bytes, new: bytes) -> None:
    made = _ctr()
    assert old in made
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        CTR.validate(made.replace(old, new, 1).decode())


@given(st.integers(1, 10**15))
def test_dollars_are_rounded_up(cents: int) -> None:
    assert int(dollars(cents)) * 100 - 99 <= cents <= int(dollars(cents)) * 100


@given(st.text(max_size=300))
def test_any_name_becomes_a_value_that_the_system_takes(name: str) -> None:
    made = value(name, 150)
    assert made == made.strip()
    assert len(made) <= 150
    assert all(" " <= letter <= "~" for letter in made)
    assert "  " not in made


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80), st.integers(1, 10**13))
def test_a_report_about_anybody_fits_the_layout(first: str, last: str, cents: int) -> None:
    who = Subject(last, first, False, date(1990, 1, 1), HOME, None, (ACCOUNT[2:],))
    CTR.validate(_ctr(cents, involved=[Involved(Part.ON_OWN_BEHALF, who, cents, 3)]).decode())


def test_the_filer_is_exact() -> None:
    with pytest.raises(Invalid):
        read_filer(b'name = "x"')
    with pytest.raises(Invalid):
        read_filer((ROOT / "regions" / "filer.toml").read_bytes() + b'more = "x"\n')


def test_nobody_is_named_when_a_report_is_printed() -> None:
    assert "Courier" not in repr(COURIER) + repr(Involved(Part.FOR_ANOTHER, COURIER, 1, 1))
