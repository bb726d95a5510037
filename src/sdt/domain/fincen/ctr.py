"""FinCEN Form 112: currency above $10,000 in one business day, by or for one person.

Source: FinCEN CTR XML Schema 2.0 User Guide; 31 C.F.R. 1010.311 to 1010.313.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from sdt.domain.fincen.elements import YES, Element, day, document, dollars, group, prior_number, text
from sdt.domain.fincen.parties import Filer, Subject, address, filer_parties, names

__all__ = ["Involved", "Part", "ctr"]

DEPOSIT = "55"
CASH_IN = "8"


class Part(Enum):
    """Which part somebody had in a transaction, as FinCEN numbers it."""

    ON_OWN_BEHALF = "50"
    FOR_ANOTHER = "17"
    ON_WHOSE_BEHALF = "23"


@dataclass(frozen=True, slots=True)
class Involved:
    """Somebody involved, in which part, and with how much. Units: cents."""

    part: Part
    subject: Subject = field(repr=False)
    cents: int
    count: int


def ctr(
    filer: Filer,
    on: date,
    filing: date,
    cents: int,
    count: int,
    involved: Sequence[Involved],
    prior: str | None = None,
) -> bytes:
    """Return the report of one business day's currency taken in. Amounts are rounded up to whole dollars.

    `prior` is the BSA Identifier of the report of this day that this one amends: it says the whole day again.
    Units: cents.
    """
    assert cents > 0, "a report is of some currency"
    assert involved, "a report is about somebody"
    activity = Element(
        "Activity",
        tuple(_activity(filer, on, filing, cents, involved, prior)),
    )
    parties = sum(1 for element in activity.content if isinstance(element, Element) and element.name == "Party")
    return document("CTRX", "EFL_CTRXBatchSchema.xsd", -(-cents // 100), parties, activity)


def _activity(
    filer: Filer, on: date, filing: date, cents: int, involved: Sequence[Involved], prior: str | None
) -> Iterator[Element]:
    if prior is not None:
        yield prior_number(prior)
    yield from text("FilingDateText", day(filing))
    yield from group(
        "ActivityAssociation",
        [Element("CorrectsAmendsPriorReportIndicator", "" if prior is None else YES)],
        [Element("FinCENDirectBackFileIndicator", "")],
        [Element("InitialReportIndicator", YES if prior is None else "")],
    )
    yield from filer_parties(filer, tin_code="2", cash_in_cents=cents, coverage=(on, on))
    for one in involved:
        yield from _person(one)
    yield from group(
        "CurrencyTransactionActivity",
        [
            Element(name, "")
            for name in (
                "AggregateTransactionIndicator",
                "ArmoredCarServiceIndicator",
                "ATMIndicator",
                "MailDepositShipmentIndicator",
                "NightDepositIndicator",
                "SharedBranchingIndicator",
            )
        ],
        text("TotalCashInReceiveAmountText", dollars(cents)),
        [Element("TotalCashOutAmountText", "")],
        text("TransactionDateText", day(on)),
        group(
            "CurrencyTransactionActivityDetail",
            text("CurrencyTransactionActivityDetailTypeCode", DEPOSIT),
            text("DetailTransactionAmountText", dollars(cents)),
            [Element("OtherCurrencyTransactionActivityDetailText", "")],
            [Element("OtherForeignCurrencyCountryText", "")],
        ),
    )


def _person(one: Involved) -> Iterator[Element]:
    who = one.subject
    several = [Element("MultipleTransactionsPersonsIndividualsIndicator", YES)] if one.count > 1 else []
    person = not who.entity
    yield from group(
        "Party",
        text("ActivityPartyTypeCode", one.part.value),
        [Element("BirthDateUnknownIndicator", YES)] if person and who.born_on is None else [],
        text("IndividualBirthDateText", day(who.born_on) if who.born_on else None),
        text("IndividualEntityCashInAmountText", dollars(one.cents)),
        several,
        [Element("PartyAsEntityOrganizationIndicator", YES)] if who.entity else [],
        [Element("UnknownGenderIndicator", YES)] if person else [],
        names(who),
        address(who.address),
        group("PartyIdentification", [Element("TINUnknownIndicator", YES)]),
        _shown(who),
        *(_account(number) for number in who.accounts),
    )


def _shown(who: Subject) -> Iterator[Element]:
    if who.document is None:
        yield from group("PartyIdentification", [Element("IdentificationPresentUnknownIndicator", YES)])
        return
    yield from group(
        "PartyIdentification",
        text("OtherIssuerCountryText", "US", 2),
        text("OtherIssuerStateText", who.document.issuer, 3) if who.document.code == "5" else [],
        text("PartyIdentificationNumberText", who.document.number, 25),
        text("PartyIdentificationTypeCode", who.document.code, 3),
    )


def _account(number: str) -> Iterator[Element]:
    yield from group(
        "Account",
        text("AccountNumberText", number, 40),
        group("PartyAccountAssociation", text("PartyAccountAssociationTypeCode", CASH_IN)),
    )
