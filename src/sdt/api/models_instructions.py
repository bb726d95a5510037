"""What goes out of the route for dead instructions."""

from __future__ import annotations

from pydantic import BaseModel

from sdt.api.models import Time

__all__ = ["DeadInstruction", "DeadInstructions"]


class DeadInstruction(BaseModel):
    """An instruction to a vendor that is not repeated any more; `error` is a code, `key` names the transaction."""

    instruction: int
    key: str
    error: str
    tries: int
    failing_since: Time
    dead_since: Time


class DeadInstructions(BaseModel):
    """Dead instructions, the longest dead first; `more` says that some were left off."""

    instructions: list[DeadInstruction]
    more: bool
