"""The officers' acts about people: an identity decided, a person erased, an order to keep, a handle allowed."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from sdt.domain.claims import Address, Digest, Handle, Legal, Reason, Time
from sdt.domain.office import Act, ActId

__all__ = ["DecideIdentity", "ErasePerson", "GrantHandle", "LegalHold", "LiftLegalHold"]


class _AboutAccount(Act, frozen=True):
    """An act about the person or business behind one account, by which officers find it."""

    account: Address

    @property
    def subject(self) -> str:
        """The account."""
        return self.account


class DecideIdentity(_AboutAccount, frozen=True, tag="decide_identity"):
    """An identity that the vendor left open is established, or is not; an identity already attested is taken back.

    `application` is the vendor's; `seen` the digest of what the platform showed of the check, its people and documents;
    `evidence` that of the officer's own paper. For `fail` the tier is 0.
    """

    application: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}\Z")]
    decision: Literal["pass", "fail"]
    tier: Annotated[int, Meta(ge=0, le=9)]
    resident: bool
    seen: Digest
    evidence: Digest
    reason: Reason
    expires_at: Time


class ErasePerson(_AboutAccount, frozen=True, tag="erase_person"):
    """What is known of the person behind an account is erased: their key is deleted. Nothing brings it back."""

    reason: Reason


class LegalHold(_AboutAccount, frozen=True, tag="legal_hold"):
    """What is known of the person behind an account is kept under an order, whatever the time that has passed."""

    order: Legal
    authority: Legal


class LiftLegalHold(_AboutAccount, frozen=True, tag="lift_legal_hold"):
    """An order to keep is lifted; `hold` is the act that placed it."""

    hold: ActId
    reason: Reason


class GrantHandle(Act, frozen=True, tag="grant_handle"):
    """An account may register a handle that passes for an office of the State."""

    handle: Handle
    account: Address
    reason: Reason

    @property
    def subject(self) -> str:
        """The handle."""
        return self.handle
