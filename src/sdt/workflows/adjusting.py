"""Whether an adjustment may be made: the original as the books have it, how much is left to set right, never twice.

What a signer can see from the messages it checks by itself; history is the worker's to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from sdt.domain.adjustment import check_account, check_original
from sdt.domain.errors import Unprocessable
from sdt.domain.ledger import token_account
from sdt.domain.message import Adjust, read_message
from sdt.domain.region import Region
from sdt.domain.rules import UNKNOWN, AccountFacts
from sdt.domain.transaction import Status
from sdt.store import Store, ledger, registry, reserve_moves, transactions, undone
from sdt.store.undone import UndoneRow
from sdt.workflows import debts, payouts

__all__ = ["DueAdjustment", "adjustments_due", "check_adjustment", "live_for"]

DUE_MAX: Final = 200
ENDED: Final = frozenset({Status.REJECTED, Status.EXPIRED, Status.CANCELED})


def live_for(store: Store, original: str, *, but: str = "") -> list[Adjust]:
    """Return the adjustments of a transaction that came into force or still may, without the one named."""
    return [
        read_message(bytes(row.raw)).message
        for row in transactions.linked_to(store, original)
        if row.type == "adjust" and row.id != but and row.status not in ENDED
    ]


def check_adjustment(
    store: Store, region: Region, message: Adjust, facts: Mapping[str, AccountFacts], now_s: int
) -> None:
    """Refuse an adjustment that history does not bear out.

    Units: now_s in unix seconds. Errors: Unprocessable.
    """
    original = transactions.get_many(store, [message.original], lock=True).get(message.original)
    if original is None:
        raise Unprocessable("There is no such transaction.", code="original_mismatch")
    check_original(message, read_message(bytes(original.raw)).message, region)
    check_account(message, region, lambda a: facts.get(a, UNKNOWN), now_s)
    if original.status is not Status.RETURNED:
        raise Unprocessable("The bank has not undone this transaction.", code="nothing_to_adjust")
    others = live_for(store, original.id, but=message.transaction_id)
    if any(other.evidence == message.evidence for other in others):
        raise Unprocessable("This original and this evidence were used together before.", code="adjust_used")
    left = payouts.due if message.kind == "remint" else debts.owed
    on_the_way = sum(int(other.amount) for other in others if _waits(store, other))
    if int(message.amount) > left(store, message.token, original.id) - on_the_way:
        raise Unprocessable("The bank undid less than this would set right.", code="nothing_to_adjust")


def _waits(store: Store, other: Adjust) -> bool:
    """What is final is in the books already."""
    row = transactions.get(store, other.transaction_id)
    return row is not None and row.status not in (Status.SETTLED, Status.COMPLETED)


class DueAdjustment(NamedTuple):
    """One adjustment that can be made now. Units: amount in the token's smallest; `nth` counts those tried before."""

    adjust: str
    original: str
    account: str
    token: str
    amount: int
    nth: int


def adjustments_due(store: Store, region: Region, token: str, now_s: int) -> list[DueAdjustment]:
    """Return the clawbacks and re-mints that can be made now, the oldest first.

    A clawback takes what the debtor has, a part if need be; a re-mint waits until the reserve holds its dollars. An
    account that is frozen, blocked or in review is left alone: the debt stays, and its officer has the case.
    Units: now_s in unix seconds.
    """
    found = []
    for row in undone.in_force(store, token, DUE_MAX):
        tried = [t for t in transactions.linked_to(store, row.transaction_id) if t.type == "adjust"]
        facts = registry.facts(store, [row.account]).get(row.account, UNKNOWN)
        waits = any(t.status not in ENDED and t.status is not Status.COMPLETED for t in tried)
        if (
            waits
            or payouts.stopped(store, token, row.account, now_s)
            or facts.tier(region.token(token).domain, now_s) == 0
        ):
            continue
        kind = "clawback" if row.kind == "debt" else "remint"
        units = (_takeable if row.kind == "debt" else _fundable)(store, row)
        if units:
            found.append(DueAdjustment(kind, row.transaction_id, row.account, token, units, len(tried)))
    return found


def _takeable(store: Store, row: UndoneRow) -> int:
    original = transactions.get(store, row.transaction_id)
    if original is None or original.status is not Status.RETURNED:
        return 0
    books = ledger.account_balance(store, token_account(row.token, row.account))
    available = books.credits - books.debits - books.held
    return min(max(available, 0), debts.owed(store, row.token, row.transaction_id))


def _fundable(store: Store, row: UndoneRow) -> int:
    moves = [m for m in reserve_moves.of_transaction(store, row.transaction_id) if m.direction == "in"]
    funded = bool(moves) and moves[-1].subject is not None
    return payouts.due(store, row.token, row.transaction_id) if funded else 0
