"""The report that a case asks for, made from what is recorded: personal data is opened for it and kept nowhere.

Every report is checked against the schema written from FinCEN's layout before anybody gets it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from sdt.domain.ach.calendar import banking_day_of, counts_from
from sdt.domain.case import CaseStatus, Decision
from sdt.domain.case_kinds import KINDS, Clock
from sdt.domain.errors import Conflict
from sdt.domain.fincen.ctr import Involved, Part, ctr
from sdt.domain.fincen.parties import Document, Filer, Subject, subject_of
from sdt.domain.fincen.sar import Suspicion, sar
from sdt.domain.monitoring.persons import PREFIX
from sdt.domain.personal import Person, PersonAddress
from sdt.domain.region import Region
from sdt.store import Store, cases, currency, people_behind
from sdt.store.cases import CaseRow
from sdt.store.currency import CurrencyRow
from sdt.workflows.noticed import noticed_activity
from sdt.workflows.people import People

if TYPE_CHECKING:
    from xmlschema import XMLSchema11

__all__ = ["Report", "make_report"]

_DOCUMENT_CODES: Final = {"drivers_license": "5", "state_id": "5", "passport": "6"}
Form = Literal["ctr", "sar"]


@dataclass(frozen=True, slots=True)
class Report:
    """A report's file. `document` is full of personal data: never printed, logged or stored."""

    form: Form
    document: bytes

    def __repr__(self) -> str:
        return f"Report({self.form})"


class _Conductor(msgspec.Struct, frozen=True):
    given_name: str
    family_name: str
    born_on: date
    address: PersonAddress
    document: str
    document_number: str
    document_issuer: str


async def make_report(store: Store, people: People, region: Region, filer: Filer, row: CaseRow, filing: date) -> Report:
    """Return the report of a case: of currency for a case of currency, else of the suspicion that two agreed on.

    Errors: Conflict (case_status) where no report is due; (nothing_to_report) where no currency is recorded.
    """
    if KINDS[row.kind].clock is Clock.CURRENCY:
        return _checked(Report("ctr", await _currency(store, people, region, filer, row, filing)))
    decided = row.decision == Decision.REPORT and row.status in (CaseStatus.TO_REPORT, CaseStatus.REPORTED)
    if not decided:
        raise Conflict("Two officers have not decided to report this.", code="case_status")
    return _checked(Report("sar", await _suspicion(store, people, region, filer, row, filing)))


@lru_cache(maxsize=2)
def _schema(form: Form) -> XMLSchema11:
    import xmlschema  # ten megabytes that only a report is worth

    text = (files("sdt.workflows") / "schemas" / f"{form}.xsd").read_text()
    return xmlschema.XMLSchema11(text)


def _checked(report: Report) -> Report:
    valid = _schema(report.form).is_valid(report.document.decode("ascii"))
    assert valid, "a report does not fit the layout it is written for"
    return report


async def _currency(store: Store, people: People, region: Region, filer: Filer, row: CaseRow, filing: date) -> bytes:
    facts: dict[str, Any] = json.loads(row.facts)
    # A case from before currency of closed days counted with the banking day after them names its own day.
    day = banking_day_of(date.fromisoformat(facts["day"]))
    calendar = region.business_day
    since, until = calendar.opens_s(counts_from(day)), calendar.opens_s(day + timedelta(days=1))
    person = str(facts["person"])
    accounts = await store.read(_accounts, row, facts)
    conductor = person if person.startswith(PREFIX) else ""
    counted = await store.read(currency.between, accounts, conductor, since, until)
    if not counted:
        raise Conflict("No currency is recorded for this case.", code="nothing_to_report")
    involved = await _involved(people, counted)
    return ctr(filer, day, filing, sum(one.units for one in counted), len(counted), involved, _prior(row))


async def _involved(people: People, counted: Sequence[CurrencyRow]) -> list[Involved]:
    """Return whom the currency was for, and who handed it in for somebody else."""
    involved: list[Involved] = []
    for account in sorted({one.account for one in counted} - {""}):
        theirs = [one for one in counted if one.account == account]
        party = await people.identified(account)
        own = isinstance(party, Person) and all(one.by_holder for one in theirs)
        subject = subject_of(party, (account,))
        cents = sum(one.units for one in theirs)
        part = Part.ON_OWN_BEHALF if own else Part.ON_WHOSE_BEHALF
        involved.append(Involved(part, subject, cents, len(theirs)))
    hands = {one.conductor: one for one in counted if not one.by_holder}
    for conductor in sorted(hands):
        theirs = [one for one in counted if one.conductor == conductor and not one.by_holder]
        subject = await _conductor(people, hands[conductor])
        involved.append(Involved(Part.FOR_ANOTHER, subject, sum(one.units for one in theirs), len(theirs)))
    return involved


async def _conductor(people: People, row: CurrencyRow) -> Subject:
    sealed = bytes(row.conductor_sealed)
    note = await people.open_note(row.account, currency.CONDUCTOR_NOTE, sealed) if sealed else None
    if note is None:
        return Subject(None)
    who = msgspec.json.decode(note, type=_Conductor)
    shown = Document(_DOCUMENT_CODES[who.document], who.document_number, who.document_issuer)
    return Subject(who.family_name, who.given_name, False, who.born_on, who.address, shown)


async def _suspicion(store: Store, people: People, region: Region, filer: Filer, row: CaseRow, filing: date) -> bytes:
    facts: dict[str, Any] = json.loads(row.facts)
    accounts = await store.read(_accounts, row, facts)
    noticed = await store.read(noticed_activity, region, row.id, accounts)
    detected_on = date.fromisoformat(row.detected_on)
    subjects = [subject_of(await people.identified(account), (account,)) for account in accounts]
    notes = [event.detail for event in await store.read(cases.events_of, row.id) if event.event == "noted"]
    suspicion = Suspicion(
        pattern=str(facts.get("pattern", "")),
        first_day=noticed.first_day if noticed else detected_on,
        last_day=noticed.last_day if noticed else detected_on,
        cents=noticed.cents if noticed else 0,
        subjects=subjects if row.suspect_known else (),
        narrative=_narrative(region, row, facts, [note for note in notes if note]),
        prior=_prior(row),
    )
    return sar(filer, filing, suspicion)


def _prior(row: CaseRow) -> str | None:
    """Return the number of the report that comes before the one that is to be made: a case opened anew has one."""
    return row.confirmation if row.status != CaseStatus.REPORTED else None


def _accounts(store: Store, row: CaseRow, facts: dict[str, Any]) -> list[str]:
    """Return the accounts of a case: those that its facts name, which are the first few, and all of its person."""
    named = [str(account) for account in facts.get("accounts", [])] or ([row.account] if row.account else [])
    person = str(facts.get("person", ""))
    behind = people_behind.accounts_of(store, person) if person.startswith(PREFIX) else []
    return list(dict.fromkeys([*named, *behind]))


def _narrative(region: Region, row: CaseRow, facts: dict[str, Any], notes: Sequence[str]) -> str:
    """What the officers wrote, after what was noticed: who, what, when and where stand in the fields above."""
    noticed = ""
    if "rule" in facts:
        noticed = f"Noticed in {region.name} under rule {facts['rule']} ({facts.get('statute', '')}). "
    return noticed + " ".join([row.reason, *notes])
