"""Payouts that do not go, and payouts that come back: minted again for their owner, or kept apart in suspense."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from sdt.domain.ach.entry_life import EntryEvent
from sdt.domain.claims import day_of
from sdt.domain.ledger import payout_suspended, suspense_ended, suspense_unclaimed
from sdt.domain.region import Region
from sdt.domain.rules import UNKNOWN
from sdt.domain.transaction import Event, Status
from sdt.store import Store, blocked, cases, ledger, registry, reserve_moves, sanctions, transactions, undone
from sdt.store.ach import Wanted
from sdt.store.transactions import Change, TransactionRow
from sdt.store.undone import UndoneRow

__all__ = [
    "Kept",
    "account_stopped",
    "came_back",
    "due",
    "end_remint",
    "held_because",
    "hold_unclaimed",
    "let_out",
    "not_owed",
    "out_of_suspense",
    "remint_again",
    "remint_stopped",
    "stopped",
    "suspend",
    "suspended",
    "unpayable",
]

ACTOR: Final = "worker:payouts"
_STOPPABLE: Final = frozenset({Status.ACCEPTED, Status.HELD, Status.IN_REVIEW, Status.SCREENED})
_ON_THE_WAY: Final = frozenset({Status.BATCHED, Status.SUBMITTED})
_WORDS: Final = {"R14": "bank_says", "R15": "bank_says", "R16": "bank_says", EntryEvent.REVERSE.value: "reversed"}
"""The other bank's word that the holder is dead or the account frozen; a payout that we took back was a mistake."""


def due(store: Store, token: str, redemption: str) -> int:
    """Return what is still owed to the owner of a redemption. Units: the token's smallest."""
    found = ledger.account_balance(store, f"Payout:{token}:{redemption}")
    return found.credits - found.debits


def not_owed(store: Store, token: str, credits: Sequence[Wanted]) -> set[str]:
    """Return which of the credits of one token are of more than is owed any more, by their ids."""
    names = {row.id: f"Payout:{token}:{row.reference}" for row in credits}
    owed = ledger.owed(store, list(names.values()))
    return {row.id for row in credits if owed.get(names[row.id], 0) < row.units}


def held_because(store: Store, redemption: TransactionRow, now_s: int) -> str | None:
    """Say why a payout that is burnt must not go to the bank now, or None if it may. Units: now_s in unix seconds.

    The words are for officers: outside it is in review.
    """
    token, account = redemption.value
    if blocked.get(store, redemption.id) is not None:
        return "blocked"
    if registry.facts(store, [account]).get(account, UNKNOWN).is_frozen(token, now_s):
        return "frozen"
    return None


def came_back(store: Store, region: Region, redemption: TransactionRow, code: str | None, on: date, at_ms: int) -> None:
    """Follow a payout that the bank sent back or did not take: to be minted again, or to suspense.

    What is owed stands in Payout again. A closed, frozen or dead account gets nothing back: an officer decides.
    So it is with one that we reversed: it was a mistake, and the other bank may still send the reversal back.
    """
    token, account = redemption.value
    detail = f"The bank returned the payout: {code}." if code else "The bank did not take the payout."
    if redemption.status in (Status.SETTLED, Status.COMPLETED):
        change = Change(redemption.id, Event.RETURN, code=code, detail=detail)
        transactions.move(store, [change], actor=ACTOR, at_ms=at_ms)
    undone.open_one(store, UndoneRow(redemption.id, "payout", account, token, redemption.units, code, at_ms, None))
    why = _WORDS.get(code or "") or unpayable(store, region, token, account, at_ms // 1000)
    if why:
        suspend(store, redemption, why, on, at_ms)
    else:
        _want_remint(store, redemption, redemption.units, at_ms)


def unpayable(store: Store, region: Region, token: str, account: str, now_s: int) -> str | None:
    """Say why nothing may be minted for an account now, or None if it may. Units: now_s in unix seconds."""
    found = registry.facts(store, [account]).get(account, UNKNOWN)
    if found.is_frozen(token, now_s):
        return "frozen"
    if found.tier(region.token(token).domain, now_s) == 0:
        return "closed"
    return None


def stopped(store: Store, token: str, account: str, now_s: int) -> bool:
    """Return whether an order or a review keeps an account from being paid. Units: now_s in unix seconds."""
    found = registry.facts(store, [account]).get(account, UNKNOWN)
    return found.is_frozen(token, now_s) or (sanctions.standing_of(store, account) or "clear") != "clear"


def suspend(
    store: Store, redemption: TransactionRow, why: str, on: date, at_ms: int, *, key: str | None = None
) -> None:
    """Keep apart what cannot go to its owner now, and hand it to an officer. Dollars in the reserve for it go back.

    What was paid for a deposit's suspense and came back is kept apart again. `key` names the case, once.
    """
    token, account = redemption.value
    units = due(store, token, redemption.id)
    if units == 0:
        return
    postings = payout_suspended(token, redemption.id, units)
    ledger.post(store, [(redemption.id, p) for p in postings], release=[], at_ms=at_ms)
    moves = [m for m in reserve_moves.of_transaction(store, redemption.id) if m.reason.startswith("remint")]
    if redemption.type == "redeem":
        end_remint(store, redemption, units, "suspended", at_ms)
    cases.open_case(
        store,
        kind="payout_suspense",
        key=f"{redemption.id}:{len(moves)}" if key is None else key,
        facts={"token": token, "units": units, "why": why, "code": redemption.code, "bank_day": on.isoformat()},
        detected_on=day_of(at_ms),
        actor=ACTOR,
        at_ms=at_ms,
        account=account,
        transaction_id=redemption.id,
    )


def end_remint(store: Store, redemption: TransactionRow, units: int, word: str, at_ms: int) -> None:
    """Ask no longer for what a re-mint needs; dollars that stand in the reserve for it go back, for this reason."""
    asked = reserve_moves.of_transaction(store, redemption.id)
    moves = [m for m in asked if m.reason.startswith("remint")]
    reserve_moves.cancel(store, redemption.id, "in", at_ms)
    crossed = moves and any(m.reason == f"crossed-{moves[-1].nth}" for m in asked)
    if moves and moves[-1].subject is not None and not crossed:
        reserve_moves.want(store, redemption.id, "out", redemption.value[0], units, f"{word}-{moves[-1].nth}", at_ms)
    undone.end(store, redemption.id, at_ms)


def remint_stopped(store: Store, redemption: str, at_ms: int) -> bool:
    """Refuse the re-mints of a payout that wait, and their approvals; return False if one is on its way for good."""
    ids = [row.id for row in transactions.linked_to(store, redemption) if row.type == "adjust"]
    remints = transactions.get_many(store, ids, lock=True).values()
    if any(row.status in _ON_THE_WAY for row in remints):
        return False
    waiting = [row for row in remints if row.status in _STOPPABLE]
    approvals = [a for row in waiting for a in transactions.linked_to(store, row.id) if a.status in _STOPPABLE]
    ledger.release_holds(store, [(row.ledger_account, row.held_units) for row in waiting if row.held_units])
    detail = "The payout that it is about is not to be minted again."
    changes = [Change(row.id, Event.REJECT, code="nothing_to_adjust", detail=detail) for row in (*waiting, *approvals)]
    transactions.move(store, changes, actor=ACTOR, at_ms=at_ms)
    return True


def remint_again(store: Store, redemption: TransactionRow, units: int, at_ms: int) -> None:
    """Let what stands in Payout be minted again for its owner."""
    token, account = redemption.value
    undone.open_one(store, UndoneRow(redemption.id, "payout", account, token, units, None, at_ms, None))
    _want_remint(store, redemption, units, at_ms)


def account_stopped(store: Store, account: str, tokens: list[str], on: date, at_ms: int) -> None:
    """A freeze came into force: what waits to be minted again for this account goes to suspense instead."""
    for token in tokens:
        for row in undone.of_account(store, account, token):
            redemption = transactions.get(store, row.transaction_id)
            if row.kind == "payout" and redemption is not None and not _remint_on_the_way(store, redemption.id):
                suspend(store, redemption, "frozen", on, at_ms)


def _remint_on_the_way(store: Store, redemption: str) -> bool:
    return any(t.type == "adjust" and t.status in _ON_THE_WAY for t in transactions.linked_to(store, redemption))


class Kept(NamedTuple):
    """What of a redemption is kept apart. Units: the token's smallest."""

    suspense: int
    unclaimed: int

    @property
    def total(self) -> int:
        """Both."""
        return self.suspense + self.unclaimed


def suspended(store: Store, token: str, transaction_id: str) -> Kept:
    """Return what of a transaction waits in suspense or is held as unclaimed."""
    books = [ledger.account_balance(store, f"{kind}:{token}:{transaction_id}") for kind in ("Suspense", "Unclaimed")]
    return Kept(*(found.credits - found.debits for found in books))


def out_of_suspense(store: Store, redemption: TransactionRow, at_ms: int) -> int:
    """Let what an officer found payable be minted again; return how much."""
    units = let_out(store, redemption.value[0], redemption.id, at_ms)
    remint_again(store, redemption, units, at_ms)
    return units


def hold_unclaimed(store: Store, token: str, transaction_id: str, at_ms: int) -> int:
    """Hold what nobody can be paid for the State's unclaimed property; return how much."""
    units = suspended(store, token, transaction_id).suspense
    assert units > 0, "there is nothing in suspense"
    postings = suspense_unclaimed(token, transaction_id, units)
    ledger.post(store, [(transaction_id[:36], p) for p in postings], release=[], at_ms=at_ms)
    return units


def let_out(store: Store, token: str, transaction_id: str, at_ms: int) -> int:
    """Owe what is kept apart as a payout again; return how much."""
    kept = suspended(store, token, transaction_id)
    assert kept.total > 0, "there is nothing in suspense"
    for units, unclaimed in ((kept.suspense, False), (kept.unclaimed, True)):
        if units:
            postings = suspense_ended(token, transaction_id, units, unclaimed=unclaimed)
            ledger.post(store, [(transaction_id, p) for p in postings], release=[], at_ms=at_ms)
    return kept.total


def _want_remint(store: Store, redemption: TransactionRow, units: int, at_ms: int) -> None:
    """Ask for the dollars of a re-mint. A payout may come back more than once: each asks under a reason of its own."""
    nth = sum(m.direction == "in" for m in reserve_moves.of_transaction(store, redemption.id)) + 1
    reason = "remint" if nth == 1 else f"remint-{nth}"
    reserve_moves.want(store, redemption.id, "in", redemption.value[0], units, reason, at_ms)
