"""What goes in and out of the officers' routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from sdt.api.models import Time

__all__ = ["Act", "ActDetails", "ActStatusName", "Acts"]

ActStatusName = Literal["done", "waiting", "agreed", "declined", "expired"]
ActId = Annotated[str, Field(examples=["3f0c1d9e-5b1f-4d6a-9f3c-0a1b2c3d4e5f"])]


class Act(BaseModel):
    """An officer's act: who signed it, where it stands, and what came of it.

    `officer` and `second_officer` are the kids of their keys; `second_act` agreed to it or declined it.
    """

    act_id: ActId
    type: str
    status: ActStatusName
    digest: str
    officer: str
    subject: str
    issued_at: Time
    updated_at: Time
    second_officer: str | None
    second_act: str | None
    result: dict[str, Any]


class ActDetails(Act):
    """An act with its exact bytes: what a second officer reads before agreeing."""

    message: str


class Acts(BaseModel):
    """Acts, the newest first; `next` is the `before` of the page after this one."""

    acts: list[Act]
    next: int | None
