"""Dollars in suspense go to whom they belong: minted again, paid to another bank account of their owner, given to the
deposit they were counted for, or held for the State.

What a dishonored return brought waits until the other bank can no longer contest it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdt.domain.ach.entry_life import EntryStatus
from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.domain.ledger import suspense_matched
from sdt.domain.message import Deposit, read_message
from sdt.domain.money_acts import PaySuspense, SettleSurplus, SettleSuspense
from sdt.domain.registry import Role
from sdt.domain.rules import UNKNOWN
from sdt.domain.transaction import Status
from sdt.store import banking, currency, ledger, outbox, registry, reserve_moves, transactions
from sdt.store.banking import BankAccountRow, BankEntryRow
from sdt.store.transactions import TransactionRow
from sdt.workflows import payouts
from sdt.workflows.ach_dishonor import disputed
from sdt.workflows.ach_reversal import bank_day
from sdt.workflows.money_acts import found, of_transaction, unused
from sdt.workflows.office import Acting, Entry, of_token

__all__ = ["ENTRIES"]

_SHUT: Final = ("closed", "failed")


def _undisputed(acting: Acting, token: str, transaction_id: str) -> None:
    """Errors: Conflict while the bank still owes these dollars, or the other bank may still take them back."""
    if disputed(acting.store, token, transaction_id, bank_day(acting)):
        raise Conflict("These dollars may still go back to the other bank.", code="suspense_disputed")


def _checked(acting: Acting, act: SettleSuspense) -> TransactionRow:
    """Errors: NotFound; Conflict when nothing is kept apart; Unprocessable when it cannot go that way."""
    row = found(acting, act.redemption, "redeem")
    token, account = row.value
    acting.check_token(token)
    kept = payouts.suspended(acting.store, token, row.id)
    if kept.total == 0 or (act.way == "unclaimed" and kept.suspense == 0):
        raise Conflict("Nothing of this redemption is in suspense.", code="nothing_in_suspense")
    _undisputed(acting, token, row.id)
    if act.way == "remint" and payouts.unpayable(acting.store, acting.region, token, account, acting.now_ms // 1000):
        raise Unprocessable("Its owner's account is closed or under an order.", code="owner_not_payable")
    return row


def _settleable(acting: Acting, act: SettleSuspense) -> bool:
    _checked(acting, act)
    return True


def _settle(acting: Acting, act: SettleSuspense) -> Mapping[str, Any]:
    row = _checked(acting, act)
    if act.way == "remint":
        units = payouts.out_of_suspense(acting.store, row, acting.now_ms)
    else:
        units = payouts.hold_unclaimed(acting.store, row.value[0], row.id, acting.now_ms)
    return {"redemption": row.id, "way": act.way, "amount": str(units)}


def _checked_payment(acting: Acting, act: PaySuspense) -> tuple[TransactionRow, BankAccountRow]:
    """Return whose dollars are paid, and where to: an account of theirs that was proved, and nobody else's.

    Errors: NotFound; Conflict when nothing is kept apart; Unprocessable when its owner may not be paid, or not there.
    """
    store = acting.store
    row = transactions.get_many(store, [act.transaction], lock=True).get(act.transaction)
    if row is None or row.type not in ("deposit", "redeem"):
        raise NotFound("There is no such deposit or redemption.", code="not_found")
    token, account = row.value
    acting.check_token(token)
    if payouts.suspended(store, token, row.id).total == 0:
        raise Conflict("Nothing of this is in suspense.", code="nothing_in_suspense")
    _undisputed(acting, token, row.id)
    # A review holds the payment in the worker: an answer here would tell of it.
    if registry.facts(store, [account]).get(account, UNKNOWN).is_frozen(token, acting.now_ms // 1000):
        raise Unprocessable("Its owner's account is under an order.", code="owner_not_payable")
    linked = banking.bank_account(store, act.bank_account)
    if linked is None or linked.account != account:
        raise NotFound("No such bank account is linked to its owner's account.", code="unknown_bank_account")
    if linked.status in _SHUT:
        raise Unprocessable("The other bank says that there is no such account.", code="bank_account_closed")
    if linked.status != "verified":
        raise Unprocessable("This bank account is not proved to be its owner's.", code="bank_account_unverified")
    return row, linked


def _payable(acting: Acting, act: PaySuspense) -> bool:
    _checked_payment(acting, act)
    return True


def _pay(acting: Acting, act: PaySuspense) -> Mapping[str, Any]:
    """Owe it as a payout again, and ask for a credit of its own number: the first one is the bank's history."""
    row, linked = _checked_payment(acting, act)
    store, token = acting.store, row.value[0]
    units = payouts.let_out(store, token, row.id, acting.now_ms)
    entry = f"ach:{row.id}:{len(banking.entries_of(store, [row.id])) + 1}"
    wanted = {"transaction_id": row.id, "entry": entry, "bank_account": linked.ref, "units": units}
    fresh = outbox.put(store, "instruct", entry, wanted, acting.now_ms)
    assert fresh, "each payment out of suspense has a number of its own"
    return {"transaction": row.id, "entry": entry, "evidence": act.evidence, "amount": str(units)}


def _checked_surplus(acting: Acting, act: SettleSurplus) -> tuple[int, TransactionRow | None]:
    """Return what is kept, and the deposit that it is given to.

    Errors: Conflict when nothing is kept, or the deposit is counted already; NotFound; Unprocessable for a deposit
    that asks for another amount or another way.
    """
    store = acting.store
    acting.check_token(act.token)
    _unredeemed(acting, act)
    units = payouts.suspended(store, act.token, act.kept).suspense
    if units == 0:
        raise Conflict("Nothing of this is in suspense.", code="nothing_in_suspense")
    _undisputed(acting, act.token, act.kept)
    unused(acting, act.evidence)
    if (act.way == "deposit") != (act.deposit is not None):
        raise Unprocessable("A deposit is named where currency is given to one.", code="deposit_mismatch")
    if act.deposit is None:
        return units, None
    deposit = found(acting, act.deposit, "deposit")
    if not currency.counted(store, [act.kept]):
        raise Unprocessable("Only currency is given to a deposit.", code="deposit_mismatch")
    asked = read_message(bytes(deposit.raw)).message
    drop = isinstance(asked, Deposit) and asked.source.startswith("dropoff:")
    if not drop or (deposit.token, deposit.units) != (act.token, units):
        raise Unprocessable("This deposit asks for another amount or way.", code="deposit_mismatch")
    if deposit.status is not Status.AWAITING_FUNDS or banking.entries_of(store, [deposit.id]):
        raise Conflict("This deposit does not wait for currency.", code="deposit_used")
    return units, deposit


def _unredeemed(acting: Acting, act: SettleSurplus) -> None:
    """What a redemption left has an act of its own, under other rules."""
    row = transactions.get(acting.store, act.kept)
    if row is not None and row.type == "redeem":
        raise Unprocessable("What a redemption left is settled as a payout.", code="deposit_mismatch")


def _disposable(acting: Acting, act: SettleSurplus) -> bool:
    _checked_surplus(acting, act)
    return True


def _dispose(acting: Acting, act: SettleSurplus) -> Mapping[str, Any]:
    units, deposit = _checked_surplus(acting, act)
    told = {"kept": act.kept, "way": act.way, "evidence": act.evidence, "amount": str(units)}
    if deposit is None:
        payouts.hold_unclaimed(acting.store, act.token, act.kept, acting.now_ms)
        return told
    store, at_ms = acting.store, acting.now_ms
    entry = BankEntryRow(
        id=f"currency:{act.kept}",
        transaction_id=deposit.id,
        direction="in",
        token=act.token,
        units=units,
        external_id=act.kept,
        status=EntryStatus.WINDOW_PASSED.value,
        code=None,
        updated_at_ms=at_ms,
    )
    fresh = banking.put_entry(store, entry)
    assert fresh, "what was counted is given to one deposit"
    known = currency.counted(store, [act.kept])[act.kept].account
    currency.give(store, act.kept, deposit.id, deposit.value[1])
    # Whose currency it is was counted already where it was known: the posting of a movement names its deposit.
    of = acting.act_id if known == deposit.account else deposit.id
    postings = suspense_matched(act.token, act.kept, deposit.id, units)
    ledger.post(store, [(of, p) for p in postings], release=[], at_ms=at_ms)
    reserve_moves.want(store, deposit.id, "in", act.token, units, "deposit", at_ms)
    return told | {"deposit": deposit.id}


def _of_redemption(acting: Acting, act: SettleSuspense) -> bool:
    return of_transaction(acting, act.redemption)


def _of_transaction(acting: Acting, act: PaySuspense) -> bool:
    return of_transaction(acting, act.transaction)


_SECOND: Final = Role.CUSTODIAN | Role.APPROVER
ENTRIES: Final = (
    Entry(SettleSuspense, Role.CUSTODIAN, _settle, _settleable, seconds=_SECOND, concerns=_of_redemption),
    Entry(PaySuspense, Role.CUSTODIAN, _pay, _payable, seconds=_SECOND, concerns=_of_transaction),
    Entry(SettleSurplus, Role.CUSTODIAN, _dispose, _disposable, seconds=_SECOND, concerns=of_token),
)
"""Other people's money moves, so each takes two."""
