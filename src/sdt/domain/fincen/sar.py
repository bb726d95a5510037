"""FinCEN Form 111: activity that two officers decided to report.

Source: FinCEN SAR XML Schema 2.0 User Guide; 31 C.F.R. 1022.320, 1020.320.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from sdt.domain.fincen.elements import YES, Element, day, document, dollars, group, prior_number, text, value
from sdt.domain.fincen.parties import Filer, Subject, address, filer_parties, identification, names

__all__ = ["Suspicion", "sar"]

SUBJECT: Final = "33"
INSTITUTION_OF_ACCOUNT: Final = "41"
NARRATIVE_PART: Final = 4_000
NARRATIVE_PARTS: Final = 5
STRUCTURING: Final = ("1", "114", "")
_KINDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "structuring": STRUCTURING,
    "velocity": ("9", "9999", "Many movements in a short time"),
    "round_trip": ("9", "9999", "Money that returns to whom it came from"),
    "dormant_then_active": ("9", "9999", "Sudden activity of a dormant account"),
    "high_risk_counterparty": ("9", "9999", "Dealings with a high-risk counterparty"),
}
"""Pattern -> FinCEN's type, subtype, and the words that 'other' asks for."""
_OTHER: Final = ("9", "9999", "Activity described in the narrative")


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What is reported. Units: cents. `prior` is the BSA Identifier of the report that this one continues."""

    pattern: str
    first_day: date
    last_day: date
    cents: int
    subjects: Sequence[Subject] = field(repr=False)
    narrative: str = field(repr=False)
    prior: str | None = None


def sar(filer: Filer, filing: date, suspicion: Suspicion) -> bytes:
    """Return the report; no suspect known: one subject whose critical information is marked unavailable."""
    activity = Element("Activity", tuple(_activity(filer, filing, suspicion)))
    total = -(-suspicion.cents // 100)
    return document("SARX", "EFL_SARXBatchSchema.xsd", total, max(1, len(suspicion.subjects)), activity)


def _activity(filer: Filer, filing: date, suspicion: Suspicion) -> Iterator[Element]:
    prior = suspicion.prior
    if prior is not None:
        yield prior_number(prior)
    yield from text("FilingDateText", day(filing))
    yield from group(
        "ActivityAssociation",
        [Element("InitialReportIndicator" if prior is None else "ContinuingActivityReportIndicator", YES)],
    )
    yield from filer_parties(filer, tin_code="4")
    for subject in suspicion.subjects:
        yield from _subject(filer, subject)
    if not suspicion.subjects:
        yield from _nobody()
    yield from _suspicious(suspicion)
    yield from _narrative(suspicion.narrative)


def _subject(filer: Filer, who: Subject) -> Iterator[Element]:
    person = not who.entity
    yield from group(
        "Party",
        text("ActivityPartyTypeCode", SUBJECT),
        [Element("BirthDateUnknownIndicator", YES)] if person and who.born_on is None else [],
        text("IndividualBirthDateText", day(who.born_on) if who.born_on else None),
        [] if who.accounts else [Element("NoKnownAccountInvolvedIndicator", YES)],
        [Element("PartyAsEntityOrganizationIndicator", YES)] if who.entity else [],
        [Element("UnknownGenderIndicator", YES)] if person else [],
        names(who),
        address(who.address),
        group("PartyIdentification", [Element("TINUnknownIndicator", YES)]),
        group(
            "PartyAssociation",
            [Element("CustomerIndicator", YES)],
            [Element("RelationshipContinuesIndicator", YES)],
            text("SubjectRelationshipFinancialInstitutionTINText", filer.ein, 25),
        ),
        _accounts(filer, who),
    )


def _accounts(filer: Filer, who: Subject) -> Iterator[Element]:
    if not who.accounts:
        return
    held = [
        element
        for number in who.accounts
        for element in group(
            "Account",
            text("AccountNumberText", number, 40),
            group("PartyAccountAssociation", text("PartyAccountAssociationTypeCode", "5")),
        )
    ]
    yield from group(
        "PartyAccountAssociation",
        group(
            "Party",
            text("ActivityPartyTypeCode", INSTITUTION_OF_ACCOUNT),
            identification(filer.ein, "4"),
            held,
        ),
        text("PartyAccountAssociationTypeCode", "7"),
    )


def _nobody() -> Iterator[Element]:
    yield from group(
        "Party",
        text("ActivityPartyTypeCode", SUBJECT),
        [Element("AllCriticalSubjectInformationUnavailableIndicator", YES)],
        [Element("NoKnownAccountInvolvedIndicator", YES)],
    )


def _suspicious(suspicion: Suspicion) -> Iterator[Element]:
    kind, subtype, other = _KINDS.get(suspicion.pattern, _OTHER)
    yield from group(
        "SuspiciousActivity",
        [Element("NoAmountInvolvedIndicator", YES)] if not suspicion.cents else [],
        text("SuspiciousActivityFromDateText", day(suspicion.first_day)),
        text("SuspiciousActivityToDateText", day(suspicion.last_day)),
        text("TotalSuspiciousAmountText", dollars(suspicion.cents) if suspicion.cents else None),
        group(
            "SuspiciousActivityClassification",
            text("OtherSuspiciousActivityTypeText", other, 50),
            text("SuspiciousActivitySubtypeID", subtype),
            text("SuspiciousActivityTypeID", kind),
        ),
    )


def _narrative(narrative: str) -> Iterator[Element]:
    whole = value(narrative, NARRATIVE_PART * NARRATIVE_PARTS)
    for number, start in enumerate(range(0, len(whole), NARRATIVE_PART), 1):
        yield from group(
            "ActivityNarrativeInformation",
            text("ActivityNarrativeSequenceNumber", str(number)),
            text("ActivityNarrativeText", whole[start : start + NARRATIVE_PART], NARRATIVE_PART),
        )
