"""What became of an identity check, in words that a person can act on.

Vendors have hundreds of reasons; clients see this closed set. A reason that would tell a thief what was noticed, or
a person that they are suspected, is shown as `could_not_verify`.
"""

# ruff: noqa: E501 - a table is read line by line.
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["REASONS", "IdentityStatus", "Next", "Reason", "next_step", "renewable_from", "shown"]

RENEW_BEFORE_S: Final = 30 * 86_400


class IdentityStatus(StrEnum):
    """Where an identity check stands, as clients see it."""

    NOT_STARTED = "not_started"
    """The registration is not settled yet."""
    PENDING = "pending"
    """The vendor examines it."""
    PASSED = "passed"
    """Established, until `expires_at`."""
    FAILED = "failed"
    """Not established."""
    REVIEW = "review"
    """An officer looks at it."""
    DOCUMENTS_REQUIRED = "documents_required"
    """Documents are needed."""
    EXPIRED = "expired"
    """Was established, and is no longer."""
    ERASED = "erased"
    """What was known was erased when the law allowed."""


class Next(StrEnum):
    """What the person can do now."""

    WAIT = "wait"
    CORRECT = "correct"
    """Send the data again, corrected: `POST …/identity/attempts`."""
    SEND_DOCUMENTS = "send_documents"
    """`POST …/identity/documents`."""
    RENEW = "renew"
    """`POST …/identity/renewals`."""
    CONTACT = "contact"
    """No attempts are left: an officer has the case."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: what it means, and what to do about it."""

    code: str
    text: str
    remedy: str


_ALL: Final = (
    Reason("name_not_found", "Nobody of this name was found at this address.", "Write the name as on your identity card."),
    Reason("name_partly_matched", "The name fits only in part.", "Wait: somebody looks at it."),
    Reason("address_not_verified", "The address could not be confirmed.", "Correct it, or send a bill or statement of the last 60 days."),
    Reason("ssn_not_issued", "This social security number was never issued.", "Check the last four digits."),
    Reason("date_of_birth_mismatch", "The date of birth is another one.", "Check the date of birth."),
    Reason("under_age", "Accounts are for people of 18 years and older.", "Nothing: come back at 18."),
    Reason("identity_document_needed", "An identity card is needed.", "Send a picture of a driver's license or passport."),
    Reason("document_unreadable", "The document could not be read.", "Send it again: whole, sharp, in colour."),
    Reason("document_expired", "The document has expired.", "Send one that is valid."),
    Reason("document_mismatch", "The document says something else than the application.", "Correct the application."),
    Reason("residency_proof_needed", "A proof that you live in the State is needed for its cash domain.", "Send a bill, lease or statement that names your home."),
    Reason("not_resident", "The address lies in another State.", "Nothing: the cash domain is for residents; dollars are not affected."),
    Reason("business_not_found", "No business of this name is registered in this State.", "Write the legal name as in its filing."),
    Reason("business_dissolved", "The business is not in good standing.", "Restore it with its Secretary of State first."),
    Reason("ein_mismatch", "The employer identification number belongs to another name.", "Check the last four digits and the legal name."),
    Reason("ownership_unclear", "Who owns the business is not clear.", "Wait: somebody looks at it."),
    Reason("formation_document_needed", "A document of the business's formation is needed.", "Send its articles or certificate of formation."),
    Reason("ownership_document_needed", "A document of its ownership is needed.", "Send its operating agreement or share register."),
    Reason("could_not_verify", "The identity could not be confirmed.", "Ask the region's office if you need to know more."),
)  # fmt: skip
REASONS: Final = {reason.code: reason for reason in _ALL}


def shown(reasons: Iterable[str]) -> tuple[Reason, ...]:
    """Return what a client is told of a vendor's reasons; each once, in their order."""
    known = (REASONS.get(reason, REASONS["could_not_verify"]) for reason in reasons)
    return tuple(dict.fromkeys(known))


def renewable_from(decided_at_s: int, expires_at_s: int) -> int:
    """Return when an identity may be renewed: 30 days before it ends, or after half its life if that is short.

    Units: unix seconds.
    """
    return expires_at_s - min(RENEW_BEFORE_S, (expires_at_s - decided_at_s) // 2)


def next_step(status: IdentityStatus, *, attempts_left: int, documents_asked: bool, renewable: bool) -> Next:
    """Return what the person can do now."""
    if status is IdentityStatus.DOCUMENTS_REQUIRED or documents_asked:
        return Next.SEND_DOCUMENTS
    if status is IdentityStatus.FAILED:
        return Next.CORRECT if attempts_left else Next.CONTACT
    if status is IdentityStatus.EXPIRED or (status is IdentityStatus.PASSED and renewable):
        return Next.RENEW
    if status in (IdentityStatus.PENDING, IdentityStatus.REVIEW, IdentityStatus.NOT_STARTED):
        return Next.WAIT
    return Next.NOTHING
