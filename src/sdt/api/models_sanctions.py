"""What the compliance role sees of sanctions: reviews, lists, what is ignored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from sdt.api.models import Address, Time

__all__ = ["Ignored", "IgnoredMatch", "Review", "ReviewDetails", "Reviews", "SanctionsStatus"]

Score = Annotated[int, Field(ge=0, le=100)]
Day = Annotated[str, Field(examples=["2026-11-26"])]


class Review(BaseModel):
    """Somebody who may be listed, and where the decision stands. `score` is the greatest of its matches."""

    case_id: str
    account: Address
    status: str
    score: Score
    matches: int
    opened_at: Time
    due_on: Day | None


class Reviews(BaseModel):
    """Reviews, the longest waiting first; `next` is the `after` of the page after this one."""

    reviews: list[Review]
    next: str | None


class Subject(BaseModel):
    """Somebody behind the account, as they gave themselves; or whom its dollars name besides.

    `role` is person, business, control or owner; or holder of a linked bank account, or conductor of currency. An
    address that is not known is empty.
    """

    role: str
    name: str
    street: str
    city: str
    born_on: str | None


class Match(BaseModel):
    """One entry that may be meant, and why. `source` is the platform's own list or the vendor's word."""

    match_id: str
    source: Literal["own", "vendor"]
    status: str
    uid: str
    listed_name: str
    kind: str
    programs: str
    score: Score
    sentences: list[str]
    ignored_until: Time | None


class ReviewDetails(Review):
    """A review as an officer decides it. `freeze` holds the claims to be signed once it is confirmed.

    `takes_two` says whether clearing it needs a second officer (confirming always does). What the person's erasure
    took away is null.
    """

    takes_two: bool
    people: list[Subject] | None
    found: list[Match]
    ownership: str | None
    transactions: list[str]
    officer: str | None
    second_officer: str | None
    reason: str
    freeze: dict[str, str] | None


class Edition(BaseModel):
    """One edition of the list that was loaded, and what it changed."""

    digest: str
    list_date: Day
    entries: int
    names: int
    added: int
    removed: int
    changed: int
    loaded_at: Time
    loaded_by: str
    in_force_since: Time | None
    put_by: str | None
    rescreened_at: Time | None


class Progress(BaseModel):
    """How far everybody is screened against the edition in force."""

    people: int
    screened: int
    left: int
    review: int
    blocked: int


class SanctionsStatus(BaseModel):
    """The edition in force, how far rescreening is, and the editions before."""

    in_force: Edition | None
    progress: Progress | None
    editions: list[Edition]


class IgnoredMatch(BaseModel):
    """An entry of the ignore-list: one account's people against one entry of the list, until a time."""

    match_id: str
    account: Address
    case_id: str | None
    source: str
    uid: str
    score: Score
    act_id: str | None
    decided_at: Time
    ignored_until: Time


class Ignored(BaseModel):
    """The ignore-list, the newest first; `next` is the `before` of the page after this one."""

    ignored: list[IgnoredMatch]
    next: str | None
