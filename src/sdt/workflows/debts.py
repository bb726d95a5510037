"""Deposits that came back after their mint: who made the deposit owes it, pays nobody until it is settled, and nobody
else ever pays for it. The original is never rewritten; what sets it right is a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from sdt.domain.claims import day_of
from sdt.domain.ledger import (
    Posting,
    currency_unused,
    loss_borne,
    mint_refused_after_return,
    recovered_twice,
    return_undone,
    returned_late,
)
from sdt.domain.region import Region
from sdt.domain.transaction import Event, Status
from sdt.store import Store, cases, ledger, reserve_moves, transactions, undone
from sdt.store.transactions import Change, TransactionRow
from sdt.store.undone import UndoneRow

__all__ = [
    "came_back",
    "clawed_back",
    "end_unminted",
    "ended_while_blocked",
    "mint_failed",
    "mints_on_the_way",
    "owed",
    "owes_again",
    "receive",
    "repaid",
    "settled",
    "stop_waiting_mint",
    "write_off",
]

ACTOR: Final = "worker:debts"
_STOPPABLE: Final = frozenset({Status.ACCEPTED, Status.HELD, Status.IN_REVIEW, Status.SCREENED})
_ON_THE_WAY: Final = frozenset({Status.BATCHED, Status.SUBMITTED})


def owed(store: Store, token: str, deposit: str) -> int:
    """Return what is still owed of a deposit that came back. Units: the token's smallest."""
    found = ledger.account_balance(store, f"Receivable:{token}:{deposit}")
    return found.debits - found.credits


def _issues(store: Store, deposit: str) -> list[TransactionRow]:
    ids = [row.id for row in transactions.linked_to(store, deposit) if row.type == "issue"]
    return list(transactions.get_many(store, ids, lock=True).values())


def mints_on_the_way(store: Store, deposit: str) -> bool:
    """Return whether a mint of this deposit is where nothing can stop it; nobody moves it until the commit."""
    return any(issue.status in _ON_THE_WAY for issue in _issues(store, deposit))


def stop_waiting_mint(store: Store, deposit: str, at_ms: int) -> None:
    """Refuse an issue of a deposit that has no value any more, and the approval that would have gone with it."""
    changes = []
    for issue in _issues(store, deposit):
        if issue.status in _STOPPABLE:
            approvals = [a for a in transactions.linked_to(store, issue.id) if a.status in _STOPPABLE]
            changes += [
                Change(row.id, Event.REJECT, code="deposit_used", detail="The deposit it is about has ended.")
                for row in (issue, *approvals)
            ]
    transactions.move(store, changes, actor=ACTOR, at_ms=at_ms)


def receive(store: Store, deposit: TransactionRow, code: str | None, at_ms: int) -> None:
    """Book that the bank took a deposit back after its mint, or while that could not be stopped.

    The account is on hold from here on, whether the mint is final already or not.
    """
    token, account = deposit.value
    _post(store, deposit.id, returned_late(token, deposit.id, deposit.units), at_ms)
    undone.open_one(store, UndoneRow(deposit.id, "debt", account, token, deposit.units, code, at_ms, None))


def came_back(store: Store, deposit: TransactionRow, code: str | None, on: date, at_ms: int) -> None:
    """Follow up on a minted deposit whose return is booked: the original is returned, an officer has the case.

    Payments that wait with held funds are refused: those funds are the debtor's still.
    """
    token, account = deposit.value
    detail = f"The bank returned the debit after it was credited: {code}."
    transactions.move(store, [Change(deposit.id, Event.RETURN, code=code, detail=detail)], actor=ACTOR, at_ms=at_ms)
    waiting = transactions.holding(store, account, token)
    stopped = [row for row in waiting if row.type in ("transfer", "redeem")]
    ledger.release_holds(store, [(row.ledger_account, row.held_units) for row in stopped])
    refusal = "Outgoing payments of this account are on hold."
    transactions.move(
        store,
        [Change(row.id, Event.REJECT, code="account_on_hold", detail=refusal) for row in stopped],
        actor=ACTOR,
        at_ms=at_ms,
    )
    cases.open_case(
        store,
        kind="receivable",
        key=deposit.id,
        facts={
            "token": token,
            "units": deposit.units,
            "code": code,
            "owed": owed(store, token, deposit.id),
            "bank_day": on.isoformat(),
        },
        detected_on=day_of(at_ms),
        actor=ACTOR,
        at_ms=at_ms,
        account=account,
        transaction_id=deposit.id,
    )


def owes_again(store: Store, deposit: TransactionRow, code: str | None, at_ms: int) -> None:
    """A return that had been undone stands after all: debt and hold are back."""
    token, account = deposit.value
    undone.open_one(store, UndoneRow(deposit.id, "debt", account, token, deposit.units, code, at_ms, None))


def settled(store: Store, token: str, deposit: str, at_ms: int) -> None:
    """End hold and debt once nothing is owed any more."""
    if owed(store, token, deposit) == 0:
        undone.end(store, deposit, at_ms)


def clawed_back(store: Store, token: str, deposit: str, on: date, at_ms: int) -> None:
    """Follow up on a clawback that is final. What the bank or the debtor had settled meanwhile is an officer's."""
    surplus = -owed(store, token, deposit)
    if surplus > 0:
        _post(store, deposit, recovered_twice(token, deposit, surplus), at_ms)
        row = transactions.get(store, deposit)
        cases.open_case(
            store,
            kind="ach_return",
            key=f"{deposit}:recovered-twice",
            facts={"token": token, "units": surplus, "bank_day": on.isoformat()},
            detected_on=day_of(at_ms),
            actor=ACTOR,
            at_ms=at_ms,
            account=row.account if row else None,
            transaction_id=deposit,
        )
    settled(store, token, deposit, at_ms)


def mint_failed(store: Store, region: Region, rows: Sequence[TransactionRow], on: date, at_ms: int) -> None:
    """End the deposits that came back while their mint was on the way, once that mint came to nothing."""
    for issue in rows:
        if issue.type != "issue" or issue.linked_id is None:
            continue
        deposit = transactions.get(store, issue.linked_id)
        assert deposit is not None, "an issue names its deposit"
        token = str(deposit.token)
        debt = owed(store, token, deposit.id)
        if deposit.status is Status.AWAITING_FUNDS and debt:
            _post(store, deposit.id, mint_refused_after_return(token, deposit.id, debt), at_ms)
            undone.end(store, deposit.id, at_ms)
            end_unminted(store, deposit, None, at_ms)


def ended_while_blocked(store: Store, deposit: TransactionRow, on: date, at_ms: int) -> None:
    """End a deposit that its bank took back while sanctions had blocked it, once the block is over.

    Nobody owes it then. Dollars of it that came in all the same, repaid or by a dishonored return, are an officer's.
    """
    token, _ = deposit.value
    debt = owed(store, token, deposit.id)
    if debt:
        _post(store, deposit.id, mint_refused_after_return(token, deposit.id, debt), at_ms)
    if deposit.units > debt:
        _post(store, deposit.id, currency_unused(token, deposit.id, deposit.units - debt), at_ms)
        cases.open_case(
            store,
            kind="ach_return",
            key=f"{deposit.id}:ended",
            facts={"token": token, "units": deposit.units - debt, "bank_day": on.isoformat()},
            detected_on=on,
            actor=ACTOR,
            at_ms=at_ms,
            account=deposit.account,
            transaction_id=deposit.id,
        )
    undone.end(store, deposit.id, at_ms)
    end_unminted(store, deposit, None, at_ms)


def end_unminted(store: Store, deposit: TransactionRow, code: str | None, at_ms: int) -> None:
    """A deposit came back and was never minted: it is returned. Dollars that went ahead into the reserve go back."""
    detail = f"The bank returned the debit: {code}." if code else "The bank returned the debit."
    transactions.move(store, [Change(deposit.id, Event.RETURN, code=code, detail=detail)], actor=ACTOR, at_ms=at_ms)
    reserve_moves.cancel(store, deposit.id, "in", at_ms)
    if reserve_moves.stands_ahead(store, deposit.id):
        reserve_moves.want(store, deposit.id, "out", str(deposit.token), deposit.units, "returned", at_ms)


def repaid(store: Store, token: str, deposit: str, units: int, at_ms: int) -> None:
    """Book dollars that a debtor paid into clearing."""
    assert 0 < units <= owed(store, token, deposit), "nobody repays more than is owed"
    _post(store, deposit, return_undone(token, deposit, units), at_ms)
    settled(store, token, deposit, at_ms)


def write_off(store: Store, token: str, deposit: str, units: int, at_ms: int) -> None:
    """Book that the loss fund bears what nobody pays; its dollars went into clearing."""
    assert 0 < units <= owed(store, token, deposit), "nobody writes off more than is owed"
    _post(store, deposit, loss_borne(token, deposit, units), at_ms)
    settled(store, token, deposit, at_ms)


def _post(store: Store, transaction_id: str, postings: Sequence[Posting], at_ms: int) -> None:
    ledger.post(store, [(transaction_id, p) for p in postings], release=[], at_ms=at_ms)
