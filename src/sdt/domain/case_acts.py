"""The acts by which officers work cases.

Those of bank cases are types of their own: whoever may sign an act may see it, and a custodian must never see what
compliance does with the other kinds.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from sdt.domain.claims import Address, Digest, Reason
from sdt.domain.office import Act

__all__ = [
    "AddBankEvidence",
    "AddEvidence",
    "AssignBankCase",
    "AssignCase",
    "CaseAct",
    "DecideBankCase",
    "DecideCase",
    "MarkFiled",
    "NoteBankCase",
    "NoteCase",
    "OpenCase",
    "RecordReport",
    "ReopenCase",
    "UnwatchAddress",
    "WatchAddress",
]

CaseId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")]
Kid = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]
Day = Annotated[str, Meta(pattern=r"^(20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")]
EvidenceReference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}\Z")]
EvidenceKind = Literal["transaction", "case", "document", "list_entry"]
"""`document` is named by the SHA-256 of its bytes, which stay where they are kept."""


class CaseAct(Act, frozen=True, kw_only=True):
    """An act about one case."""

    case: CaseId

    @property
    def subject(self) -> str:
        """The case."""
        return self.case


class AssignCase(CaseAct, frozen=True, tag="assign_case"):
    """Give a case to an officer, by the kid of their key; whoever takes a case names their own."""

    officer: Kid


class NoteCase(CaseAct, frozen=True, tag="note_case"):
    """Write something into a case's file."""

    text: Reason


class AddEvidence(CaseAct, frozen=True, tag="add_evidence"):
    """Link a case to what it stands on."""

    kind: EvidenceKind
    reference: EvidenceReference


class DecideCase(CaseAct, frozen=True, tag="decide_case"):
    """Propose how a case ends; it ends so when a second officer agrees."""

    decision: Literal["nothing", "report"]
    reason: Reason


class AssignBankCase(AssignCase, frozen=True, tag="assign_bank_case"):
    """The same, of a case about the bank's entries."""


class NoteBankCase(NoteCase, frozen=True, tag="note_bank_case"):
    """The same, of a case about the bank's entries."""


class AddBankEvidence(AddEvidence, frozen=True, tag="add_bank_evidence"):
    """The same, of a case about the bank's entries."""


class DecideBankCase(CaseAct, frozen=True, tag="decide_bank_case"):
    """Propose to close a case about the bank's entries. Whether a suspicion is reported is for compliance alone."""

    decision: Literal["nothing"]
    reason: Reason


class OpenCase(Act, frozen=True, tag="open_case"):
    """Open a case on what an officer noticed; its key is this act."""

    account: Address
    suspect_known: bool
    reason: Reason

    @property
    def subject(self) -> str:
        """The account."""
        return self.account


class ReopenCase(CaseAct, frozen=True, tag="reopen_case"):
    """Open a case anew on new evidence, found on a day."""

    detected_on: Day
    reason: Reason


class RecordReport(CaseAct, frozen=True, tag="record_report"):
    """Note that a report's file was made, by the SHA-256 of its bytes."""

    form: Literal["ctr", "sar"]
    digest: Digest


class MarkFiled(CaseAct, frozen=True, tag="mark_filed"):
    """Note that a report was filed on a day and acknowledged under a number (the BSA Identifier)."""

    filed_on: Day
    confirmation: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{2,63}\Z")]


class WatchAddress(Act, frozen=True, tag="watch_address"):
    """Put an address on the list of those whose every movement is looked at, until a day if it names one."""

    address: Address
    reason: Reason
    until: Day | None = None

    @property
    def subject(self) -> str:
        """The address."""
        return self.address


class UnwatchAddress(Act, frozen=True, tag="unwatch_address"):
    """Take an address off that list."""

    address: Address
    reason: Reason

    @property
    def subject(self) -> str:
        """The address."""
        return self.address


def day_of(text: str) -> date | None:
    """Return a day as acts write it, or None for one that is not in the calendar."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
