"""Officers set right what the bank undid: debts repaid or written off, the loss fund endowed, dollars let go on.

Money or rights move, so each takes two. What can never be carried out is refused before it waits, and judged once
more when the second officer agrees: the books may have moved meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.domain.ledger import loss_fund_endowed, token_account
from sdt.domain.money_acts import EndowLossFund, RecordRepayment, ReleaseBlock, WriteOff
from sdt.domain.registry import Role
from sdt.store import ledger, office, transactions
from sdt.store.transactions import TransactionRow
from sdt.workflows import blocking, debts
from sdt.workflows.office import Acting, Entry, of_token

__all__ = ["ENTRIES", "found", "of_transaction", "unused"]


def found(acting: Acting, id: str, type: str) -> TransactionRow:
    """Return a transaction that nobody else moves until the commit. Errors: NotFound."""
    row = transactions.get_many(acting.store, [id], lock=True).get(id)
    if row is None or row.type != type:
        raise NotFound(f"There is no such {type}.", code="not_found")
    return row


def of_transaction(acting: Acting, id: str) -> bool:
    """Return whether the officers' scope covers the token of a transaction."""
    row = transactions.get(acting.store, id)
    return row is not None and acting.covers(row.token)


def _of_deposit(acting: Acting, act: RecordRepayment | WriteOff) -> bool:
    return of_transaction(acting, act.deposit)


def _checked_debt(acting: Acting, act: RecordRepayment | WriteOff) -> str:
    """Return the token in which a deposit is owed.

    Errors: NotFound; Conflict while its mint is on the way; Unprocessable for nothing, or more than is owed.
    """
    deposit = found(acting, act.deposit, "deposit")
    token = str(deposit.token)
    acting.check_token(token)
    if debts.mints_on_the_way(acting.store, deposit.id):
        raise Conflict("Whether it is owed shows when its mint is final.", code="mint_on_the_way")
    if not 0 < int(act.amount) <= debts.owed(acting.store, token, deposit.id):
        raise Unprocessable("Less than this is owed, or nothing at all.", code="more_than_owed")
    return token


def unused(acting: Acting, evidence: str) -> None:
    """Errors: Conflict when the bank's word for a payment was taken before."""
    if office.any_result(acting.store, _WITH_EVIDENCE, f'"evidence": "{evidence}"'):
        raise Conflict("This evidence was used before.", code="evidence_used")


def _repayable(acting: Acting, act: RecordRepayment) -> bool:
    _checked_debt(acting, act)
    unused(acting, act.evidence)
    return True


def _repay(acting: Acting, act: RecordRepayment) -> Mapping[str, Any]:
    token = _checked_debt(acting, act)
    unused(acting, act.evidence)
    debts.repaid(acting.store, token, act.deposit, int(act.amount), acting.now_ms)
    left = debts.owed(acting.store, token, act.deposit)
    return {"deposit": act.deposit, "evidence": act.evidence, "amount": act.amount, "owed": str(left)}


def _bearable(acting: Acting, act: WriteOff) -> bool:
    """Errors: as `_checked_debt`; Unprocessable when whoever is to bear it does not have that much."""
    token, store = _checked_debt(acting, act), acting.store
    if act.bearer == "loss_fund":
        fund = ledger.account_balance(store, f"LossFund:{token}")
        has = fund.debits - fund.credits
    else:
        account = acting.region.token(token).loss_account
        held = ledger.account_balance(store, token_account(token, account)) if account else None
        has = held.credits - held.debits - held.held if held else 0
    if has < int(act.amount):
        raise Unprocessable("Whoever is to bear this does not have that much.", code="loss_fund_short")
    return True


def _write_off(acting: Acting, act: WriteOff) -> Mapping[str, Any]:
    """Book what the fund's dollars bear; of tokens, say what the issuer has to sign: only the chain burns them."""
    _bearable(acting, act)
    row = found(acting, act.deposit, "deposit")
    token = str(row.token)
    told: dict[str, Any] = {"deposit": act.deposit, "bearer": act.bearer, "amount": act.amount}
    if act.bearer == "loss_fund":
        debts.write_off(acting.store, token, act.deposit, int(act.amount), acting.now_ms)
    else:
        told["to_sign"] = {
            "type": "adjust",
            "kind": "write_down",
            "original": act.deposit,
            "account": acting.region.token(token).loss_account,
            "token": token,
            "amount": act.amount,
            "evidence": acting.digest.hex(),
        }
    return told | {"owed": str(debts.owed(acting.store, token, act.deposit))}


def _endowable(acting: Acting, act: EndowLossFund) -> bool:
    """Errors: Unprocessable for a token that is no dollar, or nothing; Conflict for evidence used before."""
    acting.check_token(act.token)
    symbols = [token.symbol for token in acting.region.tokens if token.domain == "dollar"]
    if act.token not in symbols or int(act.amount) == 0:
        raise Unprocessable("A loss fund holds dollars of a dollar token.", code="loss_fund_short")
    unused(acting, act.evidence)
    return True


def _endow(acting: Acting, act: EndowLossFund) -> Mapping[str, Any]:
    _endowable(acting, act)
    postings = loss_fund_endowed(act.token, int(act.amount))
    ledger.post(acting.store, [(acting.act_id, p) for p in postings], release=[], at_ms=acting.now_ms)
    return {"token": act.token, "evidence": act.evidence, "amount": act.amount}


def _blocked(acting: Acting, act: ReleaseBlock) -> bool:
    """Errors: those of `releasable`."""
    blocking.releasable(acting.store, act.transaction)
    return True


def _release(acting: Acting, act: ReleaseBlock) -> Mapping[str, Any]:
    at_once = blocking.release(acting.store, act.transaction, actor=acting.actor, at_ms=acting.now_ms)
    return {"transaction": act.transaction, "order": act.order, "set_apart": not at_once}


_REGION_MONEY: Final = Role.CUSTODIAN | Role.ADMINISTRATOR
_REGION_SECOND: Final = Role.ADMINISTRATOR | Role.APPROVER
_SECOND: Final = Role.CUSTODIAN | Role.APPROVER

ENTRIES: Final = (
    Entry(RecordRepayment, Role.CUSTODIAN, _repay, _repayable, seconds=_SECOND, concerns=_of_deposit),
    Entry(WriteOff, _REGION_MONEY, _write_off, _bearable, seconds=_REGION_SECOND, concerns=_of_deposit),
    Entry(EndowLossFund, _REGION_MONEY, _endow, _endowable, seconds=_REGION_SECOND, concerns=of_token),
    # What is blocked is for compliance alone to know.
    Entry(ReleaseBlock, Role.COMPLIANCE_OFFICER, _release, _blocked),
)
_WITH_EVIDENCE: Final = ("record_repayment", "endow_loss_fund", "settle_surplus")
