"""Dollars under sanctions: blocked, never refunded; a payout that is blocked is never sent.

For whoever decides a true hit (the sanctions desk's acts and the rescreening). The word outside stays `in_review`.
Source: 31 C.F.R. 501.603 (blocked property) and 501.801 (licences).
"""

from __future__ import annotations

from sdt.domain.claims import day_of
from sdt.domain.errors import Conflict, NotFound
from sdt.domain.ledger import Posting, deposit_blocked, payout_blocked
from sdt.domain.transaction import Event, Status
from sdt.store import Store, ach, banking, blocked, ledger, outbox, registry, reserve_moves, reviews, transactions
from sdt.store.blocked import BlockedRow
from sdt.store.transactions import Change, TransactionRow
from sdt.workflows import debts, payouts, setting_apart

__all__ = ["block_deposit", "block_payout", "brought_back", "funds_settled", "releasable", "release", "under_way"]

_UNMINTED = (Status.ACCEPTED, Status.AWAITING_FUNDS, Status.IN_REVIEW)
_HERE = frozenset({"settled", "window_passed"})
_WITH_THE_BANK = frozenset({"filed", "unknown", "acknowledged"})


def block_deposit(store: Store, transaction_id: str, *, reference: str, actor: str, at_ms: int) -> bool:
    """Block the dollars of a deposit before its mint; return whether they were not blocked before.

    A debit that the bank still has in hand is blocked when it settles, currency though nobody has screened its deposit
    yet. `reference` is the case or order. A release whose dollars the bank has not brought back is undone.
    Errors: NotFound; Conflict when it is minted, or its mint cannot be stopped any more: freeze the account then.
    """
    row = _found(store, transaction_id, "deposit")
    if blocked.get(store, row.id) is not None:
        return _block_again(store, row, reference, at_ms)
    if row.status not in _UNMINTED or debts.mints_on_the_way(store, row.id):
        raise Conflict("The deposit is minted or about to be: freeze the account.", code="too_late_to_block")
    debts.stop_waiting_mint(store, row.id, at_ms)
    if row.status is not Status.IN_REVIEW:
        transactions.move(store, [Change(row.id, Event.REVIEW, code="in_review")], actor=actor, at_ms=at_ms)
    _note(store, row, "deposit", reference, at_ms)
    if _standing(store, row.id) & {"settled", "window_passed"}:
        funds_settled(store, row, at_ms)
    return True


def block_payout(store: Store, transaction_id: str, *, reference: str, actor: str, at_ms: int) -> bool:
    """Block the dollars of a redemption after its burn; return whether they were not blocked before.

    One that came back is not minted again. A release whose dollars the bank has not brought back is undone.
    Errors: NotFound; Conflict when it is not burnt (refuse it then), the bank has the credit already, or its re-mint
    cannot be stopped any more: freeze the account then.
    """
    row = _found(store, transaction_id, "redeem")
    if blocked.get(store, row.id) is not None:
        return _block_again(store, row, reference, at_ms)
    if row.status not in (Status.SETTLED, Status.RETURNED) or payouts.due(store, row.value[0], row.id) == 0:
        raise Conflict("There is no payout that waits.", code="too_late_to_block")
    if _standing(store, row.id, "credit") & _WITH_THE_BANK or _in_a_file(store, row.id):
        raise Conflict("The bank has the credit already: ask it to stop the entry.", code="too_late_to_block")
    if not payouts.remint_stopped(store, row.id, at_ms):
        raise Conflict("The payout is about to be minted again: freeze the account.", code="too_late_to_block")
    _note(store, row, "payout", reference, at_ms)
    units = payouts.due(store, row.value[0], row.id)
    _post(store, row.id, payout_blocked(row.value[0], row.id, units), at_ms)
    payouts.end_remint(store, row, units, "blocked", at_ms)
    setting_apart.apart(store, row, units, at_ms)
    return True


def funds_settled(store: Store, row: TransactionRow, at_ms: int) -> None:
    """The dollars of a blocked deposit are in clearing: they are set apart."""
    token, _ = row.value
    _post(store, row.id, deposit_blocked(token, row.id, row.units), at_ms)
    reserve_moves.cancel(store, row.id, "in", at_ms)
    if reserve_moves.stands_ahead(store, row.id):
        reserve_moves.want_again(store, row.id, "out", token, row.units, "blocked", at_ms)
    setting_apart.apart(store, row, row.units, at_ms)


def under_way(store: Store, transaction_id: str) -> bool:
    """Whether a release waits for the bank to bring back what it has set apart."""
    return blocked.get(store, transaction_id) is not None and setting_apart.releasing(store, transaction_id) is not None


def releasable(store: Store, transaction_id: str) -> BlockedRow:
    """Return a block that may be lifted.

    Errors: NotFound; Conflict when it is on its way: the bank has yet to bring the dollars back.
    """
    found = blocked.get(store, transaction_id)
    if found is None:
        raise NotFound("Nothing is blocked under this id.", code="not_blocked")
    if under_way(store, transaction_id):
        raise Conflict("The dollars are on their way out of the blocked account.", code="release_under_way")
    return found


def release(store: Store, transaction_id: str, *, actor: str, at_ms: int) -> bool:
    """Undo a block that a licence lifts or that was a mistake; return whether its dollars go on at once.

    What the bank has set apart is asked back first, and stays blocked until its statement shows that it came.
    Errors: those of `releasable`.
    """
    found = releasable(store, transaction_id)
    row = _found(store, transaction_id, "deposit" if found.side == "deposit" else "redeem")
    units = _blocked_units(store, found)
    if units and not setting_apart.back(store, row, units, at_ms):
        return False
    _go_on(store, found, row, actor, at_ms)
    return True


def brought_back(store: Store, transaction_id: str, *, actor: str, at_ms: int) -> None:
    """The dollars of a release are in clearing: what was blocked goes on."""
    found = blocked.get(store, transaction_id)
    assert found is not None, "a release ends with its block"
    row = _found(store, transaction_id, "deposit" if found.side == "deposit" else "redeem")
    _go_on(store, found, row, actor, at_ms)


def _go_on(store: Store, found: BlockedRow, row: TransactionRow, actor: str, at_ms: int) -> None:
    blocked.unblock(store, row.id, at_ms)
    units = _blocked_units(store, found)
    made = deposit_blocked if found.side == "deposit" else payout_blocked
    if units:
        back = [Posting(p.credit, p.debit, p.token, p.units) for p in made(found.token, row.id, units)]
        _post(store, row.id, back, at_ms)
    if found.side == "payout" and row.status is Status.RETURNED and units and not _goes_by_ach(store, row.id):
        payouts.remint_again(store, row, units, at_ms)
    if found.side == "deposit":
        # What was decided of it while it was in review is over too.
        reviews.forget(store, [row.id])
        if units and not _standing(store, row.id) & _HERE:
            debts.ended_while_blocked(store, row, day_of(at_ms), at_ms)
            return
        transactions.move(store, [Change(row.id, Event.AWAIT_FUNDS)], actor=actor, at_ms=at_ms)
        if "window_passed" in _standing(store, row.id):
            reserve_moves.want_again(store, row.id, "in", found.token, row.units, "unblocked", at_ms)


def _block_again(store: Store, row: TransactionRow, reference: str, at_ms: int) -> bool:
    """Take back a release whose dollars are not here yet; return whether there was one."""
    if not under_way(store, row.id):
        return False
    setting_apart.apart(store, row, row.units, at_ms)
    blocked.refer(store, row.id, reference, at_ms)
    return True


def _blocked_units(store: Store, found: BlockedRow) -> int:
    standing = ledger.account_balance(store, f"Blocked:{found.token}:{found.transaction_id}")
    return standing.credits - standing.debits


def _found(store: Store, transaction_id: str, type: str) -> TransactionRow:
    known = transactions.get(store, transaction_id)
    if known is not None and known.account is not None:
        registry.lock_account(store, known.account)
    row = transactions.get_many(store, [transaction_id], lock=True).get(transaction_id)
    if row is None or row.type != type:
        raise NotFound(f"There is no such {type}.", code="not_found")
    return row


def _standing(store: Store, transaction_id: str, *directions: str) -> set[str]:
    """Return where the entries of a transaction stand that brought dollars in, or those of another direction."""
    kinds = directions or ("debit", "in")
    return {entry.status for entry in banking.entries_of(store, [transaction_id]) if entry.direction in kinds}


def _goes_by_ach(store: Store, transaction_id: str) -> bool:
    """Whether an officer let a payout that came back go to another bank account, which waits."""
    ordered = outbox.is_open(store, "instruct", f"ach:{transaction_id}:")
    return ordered or "created" in _standing(store, transaction_id, "credit")


def _in_a_file(store: Store, transaction_id: str) -> bool:
    """Whether a file carries the entry, which is on its way to the bank or will be."""
    waiting = [e.id for e in banking.entries_of(store, [transaction_id]) if e.status == "created"]
    return any(entry is not None and entry.stage == "in_file" for entry in (ach.entry(store, id) for id in waiting))


def _note(store: Store, row: TransactionRow, side: str, reference: str, at_ms: int) -> None:
    token, account = row.value
    blocked.block(store, BlockedRow(row.id, account, token, row.units, side, reference, at_ms, None))  # type: ignore[arg-type]


def _post(store: Store, transaction_id: str, postings: list[Posting], at_ms: int) -> None:
    ledger.post(store, [(transaction_id, p) for p in postings], release=[], at_ms=at_ms)
