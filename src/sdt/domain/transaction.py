"""The life of a transaction, as a table: which event may follow which status, and what each asks of others.

Pure: `advance` takes a status and an event and returns the next one and its effects, which leave through the outbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

__all__ = ["CANCELABLE", "FINAL", "HOLDING", "NEXT", "Effect", "Event", "Status", "advance", "effects_of"]


class Status(StrEnum):
    """Where a transaction stands. `settled` is final on chain; `completed` has its counterparties' acknowledgement."""

    REQUESTED = "requested"
    """An id was given; nothing was sent under it yet."""
    ACCEPTED = "accepted"
    """The signed message is stored and queued."""
    AWAITING_FUNDS = "awaiting_funds"
    """A deposit that waits for the bank or the depository, and then for the issuer."""
    HELD = "held"
    """It waits for a second officer's approval, or for an officer to decide."""
    IN_REVIEW = "in_review"
    """Being looked at; the word is the same whatever the reason."""
    SCREENED = "screened"
    """Checked, and the payer's funds are held."""
    BATCHED = "batched"
    """In a numbered batch that goes to the signers."""
    SUBMITTED = "submitted"
    """Signed by two locations and on its way to the chain."""
    SETTLED = "settled"
    """Final on chain."""
    COMPLETED = "completed"
    """Depositories and banks have acknowledged what it asks of them."""
    EXPIRED = "expired"
    """Its time ran out before it was batched."""
    CANCELED = "canceled"
    """Withdrawn by its sender before it was batched."""
    REJECTED = "rejected"
    """Refused by a rule, a signer or the contract; nothing moved."""
    RETURNED = "returned"
    """The bank sent it back; what it had done is undone by a linked transaction."""


class Event(StrEnum):
    """What can happen to a transaction."""

    ACCEPT = "accept"
    AWAIT_FUNDS = "await_funds"
    HOLD = "hold"
    REVIEW = "review"
    SCREEN = "screen"
    BATCH = "batch"
    UNBATCH = "unbatch"
    SUBMIT = "submit"
    SETTLE = "settle"
    ISSUED = "issued"
    COMPLETE = "complete"
    REJECT = "reject"
    EXPIRE = "expire"
    CANCEL = "cancel"
    RETURN = "return"


class Effect(StrEnum):
    """What leaves the process because of an event; each is a topic of the outbox."""

    INSTRUCT = "instruct"
    """Tell the bank, depository or KYC vendor what this transaction asks of them."""


_S, _E = Status, Event

NEXT: Final[Mapping[tuple[Status, Event], Status]] = {
    (_S.REQUESTED, _E.ACCEPT): _S.ACCEPTED,
    (_S.REQUESTED, _E.EXPIRE): _S.EXPIRED,
    **{(s, _E.SCREEN): _S.SCREENED for s in (_S.ACCEPTED, _S.HELD, _S.IN_REVIEW)},
    **{(s, _E.REJECT): _S.REJECTED for s in (_S.ACCEPTED, _S.HELD, _S.IN_REVIEW, _S.AWAITING_FUNDS)},
    **{(s, _E.EXPIRE): _S.EXPIRED for s in (_S.ACCEPTED, _S.HELD, _S.IN_REVIEW, _S.SCREENED)},
    **{(s, _E.CANCEL): _S.CANCELED for s in (_S.ACCEPTED, _S.HELD, _S.SCREENED)},
    (_S.ACCEPTED, _E.HOLD): _S.HELD,
    (_S.ACCEPTED, _E.REVIEW): _S.IN_REVIEW,
    (_S.HELD, _E.REVIEW): _S.IN_REVIEW,
    (_S.IN_REVIEW, _E.HOLD): _S.HELD,
    # A deposit: no item of its own on chain; the linked issue settles it.
    (_S.ACCEPTED, _E.AWAIT_FUNDS): _S.AWAITING_FUNDS,
    (_S.IN_REVIEW, _E.AWAIT_FUNDS): _S.AWAITING_FUNDS,
    (_S.AWAITING_FUNDS, _E.ISSUED): _S.SETTLED,
    (_S.AWAITING_FUNDS, _E.RETURN): _S.RETURNED,
    (_S.AWAITING_FUNDS, _E.REVIEW): _S.IN_REVIEW,
    (_S.IN_REVIEW, _E.RETURN): _S.RETURNED,
    # The lane. From `batched` on neither time nor the sender can stop it: the chain may still accept it.
    (_S.SCREENED, _E.BATCH): _S.BATCHED,
    (_S.SCREENED, _E.REJECT): _S.REJECTED,
    (_S.BATCHED, _E.SUBMIT): _S.SUBMITTED,
    (_S.BATCHED, _E.REJECT): _S.REJECTED,
    (_S.BATCHED, _E.UNBATCH): _S.SCREENED,
    (_S.SUBMITTED, _E.UNBATCH): _S.SCREENED,
    (_S.SUBMITTED, _E.SETTLE): _S.SETTLED,
    (_S.SUBMITTED, _E.REJECT): _S.REJECTED,
    (_S.SETTLED, _E.COMPLETE): _S.COMPLETED,
    (_S.SETTLED, _E.RETURN): _S.RETURNED,
    (_S.COMPLETED, _E.RETURN): _S.RETURNED,
}

FINAL: Final = frozenset({_S.COMPLETED, _S.EXPIRED, _S.CANCELED, _S.REJECTED, _S.RETURNED})
"""Nothing more happens by itself (a bank may still return what was completed)."""

HOLDING: Final = frozenset({_S.HELD, _S.SCREENED, _S.BATCHED, _S.SUBMITTED})
"""While here, the payer's funds are held, if it is of a kind that holds any."""

CANCELABLE: Final = frozenset(s for s, e in NEXT if e is _E.CANCEL)

_INSTRUCTING: Final = {
    ("deposit", _S.AWAITING_FUNDS),
    ("redeem", _S.SETTLED),
    ("register", _S.SETTLED),
}


def advance(status: Status, event: Event) -> Status:
    """Return what follows. An unknown pair is a bug in the caller (AssertionError)."""
    following = NEXT.get((status, event))
    assert following is not None, f"{event} cannot happen to a transaction that is {status}"
    return following


def effects_of(kind: str, status: Status) -> tuple[Effect, ...]:
    """Return what must be told to others when a transaction of this message type reaches `status`."""
    return (Effect.INSTRUCT,) if (kind, status) in _INSTRUCTING else ()
