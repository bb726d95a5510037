"""What officers decide about sanctions, each a signed act that never goes on chain."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from sdt.domain.claims import Address, Digest, Legal, Reason
from sdt.domain.office import Act

__all__ = ["ClearMatch", "ConfirmMatch", "EndIgnore", "LiftBlock", "SetSanctionsList"]

CaseId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]


class ClearMatch(Act, frozen=True, tag="clear_match"):
    """Whoever is behind the account is somebody else than the listed: what waits goes on.

    The same people and the same entries are ignored for so many days; a change of either ends that.
    """

    case: CaseId
    reason: Reason
    ignore_days: Annotated[int, Meta(ge=1, le=1096)]

    @property
    def subject(self) -> str:
        """The case."""
        return self.case


class ConfirmMatch(Act, frozen=True, tag="confirm_match"):
    """Whoever is behind the account is the listed: the account is blocked, and a report is due."""

    case: CaseId
    reason: Reason

    @property
    def subject(self) -> str:
        """The case."""
        return self.case


class LiftBlock(Act, frozen=True, tag="lift_block"):
    """An account is blocked no longer: by a licence, an entry that left the list, or because it was a mistake.

    `order` is the number of the licence or of the removal, `evidence` the SHA-256 of that paper. The same people and
    the same entries are ignored for so many days, as where a likeness is cleared.
    """

    account: Address
    order: Legal
    evidence: Digest
    reason: Reason
    ignore_days: Annotated[int, Meta(ge=1, le=1096)]

    @property
    def subject(self) -> str:
        """The account."""
        return self.account


class EndIgnore(Act, frozen=True, tag="end_ignore"):
    """A likeness that was cleared is looked at again when it is found next."""

    match: CaseId
    reason: Reason

    @property
    def subject(self) -> str:
        """The match."""
        return self.match


class SetSanctionsList(Act, frozen=True, tag="set_sanctions_list"):
    """Put an edition in force that the operator loaded. `older`: even though it is older than the one in force."""

    digest: Digest
    list_date: Day
    older: bool

    @property
    def subject(self) -> str:
        """The edition."""
        return self.digest
