"""What officers decide about instructions to vendors that repetition could not help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from msgspec import Meta

from sdt.domain.claims import Reason
from sdt.domain.errors import NotFound
from sdt.domain.office import Act
from sdt.domain.registry import Role
from sdt.store import outbox
from sdt.workflows.office import Acting, Entry

__all__ = ["INSTRUCTION_ACTS", "REVIVERS", "RetryInstruction"]

REVIVERS: Final = Role.ADMINISTRATOR | Role.CUSTODIAN


class RetryInstruction(Act, frozen=True, tag="retry_instruction"):
    """Carry out a dead instruction again, under the key it always had: nothing can be done twice by it."""

    instruction: Annotated[int, Meta(ge=1, le=2**53)]
    reason: Reason

    @property
    def subject(self) -> str:
        """The instruction."""
        return f"instruction:{self.instruction}"


def _token(acting: Acting, act: RetryInstruction) -> str:
    """Return the token of its transaction; empty for what is about none but about people: every token's."""
    return outbox.token_of(acting.store, act.instruction)


def _concerns(acting: Acting, act: RetryInstruction) -> bool:
    return acting.covers(_token(acting, act))


def _retry(acting: Acting, act: RetryInstruction) -> Mapping[str, Any]:
    """Give a dead instruction back to the worker.

    Errors: NotFound when there is no such dead one; Forbidden for a custodian of another token than its transaction's.
    """
    acting.check_token(_token(acting, act))
    if not outbox.revive(acting.store, act.instruction, acting.now_ms):
        raise NotFound("There is no dead instruction of this number.", code="instruction_unknown")
    return {"instruction": act.instruction}


INSTRUCTION_ACTS: Final = (Entry(RetryInstruction, REVIVERS, _retry, concerns=_concerns),)
"""It needs nobody else: what is sent again was authorised when it was first sent, and its key keeps it single."""
