"""Who is in a report: the filer, and the people and businesses it is about."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from sdt.domain.errors import Invalid
from sdt.domain.fincen.elements import YES, Element, day, group, text, value
from sdt.domain.personal import Business, Party, Person, PersonAddress

__all__ = ["Document", "Filer", "Subject", "address", "filer_parties", "names", "read_filer", "subject_of"]

Tin = Annotated[str, Meta(pattern=r"^[0-9]{9}\Z")]
Phone = Annotated[str, Meta(pattern=r"^[0-9]{10}\Z")]
Code = Annotated[str, Meta(pattern=r"^[0-9]{1,3}\Z")]
Short = Annotated[str, Meta(min_length=1, max_length=150, pattern=r"^[ -~]+\Z")]

TRANSMITTER: Final = "35"
TRANSMITTER_CONTACT: Final = "37"
FILING_INSTITUTION: Final = "30"
CONTACT_OFFICE: Final = "8"
WHERE: Final = "34"


class Filer(Struct, frozen=True, forbid_unknown_fields=True):
    """The institution that files, as it is registered with FinCEN. `tcc` is its Transmitter Control Code.

    Shape: `regulator` and `organization` are FinCEN's codes for the primary federal regulator and the kind.
    """

    name: Short
    contact: Short
    contact_office: Short
    phone: Phone
    ein: Tin
    tcc: Annotated[str, Meta(pattern=r"^[A-Z0-9]{8}\Z")]
    regulator: Code
    organization: Code
    address: PersonAddress
    other_organization: Annotated[str, Meta(max_length=50)] = ""


def read_filer(data: bytes) -> Filer:
    """Return the filer in a TOML file. Errors: Invalid."""
    try:
        return msgspec.convert(tomllib.loads(data.decode()), Filer)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Invalid(f"The filer's file is not well formed: {error}.", code="filer_file") from None


@dataclass(frozen=True, slots=True)
class Document:
    """What somebody showed. Shape: `code` FinCEN's: 5 a driver's licence or State card, 6 a passport."""

    code: str
    number: str = field(repr=False)
    issuer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody a report is about; what is not known is None, and is marked as unknown. Never printed."""

    last_or_entity: str | None = field(repr=False)
    first: str | None = field(repr=False, default=None)
    entity: bool = False
    born_on: date | None = field(repr=False, default=None)
    address: PersonAddress | None = field(repr=False, default=None)
    document: Document | None = None
    accounts: tuple[str, ...] = field(repr=False, default=())


def subject_of(party: Party | None, accounts: tuple[str, ...]) -> Subject:
    """Return whoever stands behind accounts; nobody where the person was erased."""
    numbers = tuple(account.removeprefix("0x") for account in accounts)
    if isinstance(party, Person):
        born_on = date.fromisoformat(party.born_on)
        return Subject(party.family_name, party.given_name, False, born_on, party.address, accounts=numbers)
    if isinstance(party, Business):
        return Subject(party.legal_name, None, True, None, party.address, accounts=numbers)
    return Subject(None, accounts=numbers)


def names(subject: Subject) -> Iterator[Element]:
    """Yield the legal name, or the marks that it is unknown."""
    last, first = value(subject.last_or_entity or "", 150), value(subject.first or "", 35)
    yield from group(
        "PartyName",
        _unless(last or None, "EntityLastNameUnknownIndicator"),
        _unless(first or subject.entity or None, "FirstNameUnknownIndicator"),
        text("PartyNameTypeCode", "L"),
        text("RawEntityIndividualLastName", last, 150),
        text("RawIndividualFirstName", first, 35),
    )


def address(of: PersonAddress | None) -> Iterator[Element]:
    """Yield a United States address, or the marks that it is unknown."""
    yield from group(
        "Address",
        _unless(of, "CityUnknownIndicator"),
        _unless(of, "CountryCodeUnknownIndicator"),
        text("RawCityText", of.city if of else None, 50),
        text("RawCountryCodeText", "US" if of else None, 2),
        text("RawStateCodeText", of.state if of else None, 3),
        text("RawStreetAddress1Text", of.street if of else None, 100),
        text("RawZIPCode", of.postal_code.replace("-", "") if of else None, 9),
        _unless(of, "StateCodeUnknownIndicator"),
        _unless(of, "StreetAddressUnknownIndicator"),
        _unless(of, "ZIPCodeUnknownIndicator"),
    )


def _unless(known: object, mark: str) -> Iterator[Element]:
    if known is None:
        yield Element(mark, YES)


def identification(number: str, code: str) -> Iterator[Element]:
    """Yield a number under which an institution is known."""
    yield from group(
        "PartyIdentification",
        text("PartyIdentificationNumberText", number, 25),
        text("PartyIdentificationTypeCode", code, 3),
    )


def _full_name(name: str) -> Iterator[Element]:
    yield from group("PartyName", text("PartyNameTypeCode", "L"), text("RawPartyFullName", name, 150))


def _kind(filer: Filer) -> Iterator[Element]:
    yield from group(
        "OrganizationClassificationTypeSubtype",
        text("OrganizationTypeID", filer.organization),
        text("OtherOrganizationTypeText", filer.other_organization, 50),
    )


def filer_parties(
    filer: Filer, *, tin_code: str, cash_in_cents: int | None = None, coverage: tuple[date, date] | None = None
) -> Iterator[Element]:
    """Yield transmitter, its contact, filing institution, contact office, and where it happened: the filer in each.

    `tin_code` is how the form numbers the institution's EIN: 2 in a CTR, 4 in a SAR. A CTR has the days it covers, and
    what was taken in where.
    """
    covered = [] if coverage is None else [
        Element("EFilingCoverageBeginningDateText", day(coverage[0])),
        Element("EFilingCoverageEndDateText", day(coverage[1])),
    ]  # fmt: skip
    phone = list(group("PhoneNumber", text("PhoneNumberText", filer.phone, 16)))
    yield from group(
        "Party",
        text("ActivityPartyTypeCode", TRANSMITTER),
        covered,
        _full_name(filer.name),
        address(filer.address),
        phone,
        identification(filer.ein, "4"),
        identification(filer.tcc, "28"),
    )
    yield from group("Party", text("ActivityPartyTypeCode", TRANSMITTER_CONTACT), covered, _full_name(filer.contact))
    institution = [
        list(text("PrimaryRegulatorTypeCode", filer.regulator)),
        list(_full_name(filer.name)),
        list(address(filer.address)),
        list(identification(filer.ein, tin_code)),
        list(_kind(filer)),
    ]
    yield from group("Party", text("ActivityPartyTypeCode", FILING_INSTITUTION), *institution)
    yield from group("Party", text("ActivityPartyTypeCode", CONTACT_OFFICE), _full_name(filer.contact_office), phone)
    if cash_in_cents is not None:
        taken = [Element("IndividualEntityCashInAmountText", str(-(-cash_in_cents // 100)))]
        yield from group("Party", text("ActivityPartyTypeCode", WHERE), taken, *institution)
    else:
        alone = [Element("NoBranchActivityInvolvedIndicator", YES)]
        yield from group("Party", text("ActivityPartyTypeCode", WHERE), alone, *institution)
