"""How screening judges what officials sign, and the changes it makes: in the database transaction of its round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from sdt.domain.ach.exposure import Minted
from sdt.domain.authority import KeyFacts, approver_role, check_grant, check_rotation, check_token
from sdt.domain.claims import day_of
from sdt.domain.envelope import kid_of, unb64url
from sdt.domain.errors import Forbidden, Unprocessable
from sdt.domain.ledger import token_account
from sdt.domain.message import Adjust, Approve, GrantRole, Issue, RotateKey, Seize, read_message
from sdt.domain.region import Region
from sdt.domain.rules import UNKNOWN, AccountFacts, Refusal, check_seizure
from sdt.domain.transaction import Event, Status
from sdt.store import Store, banking, key_holders, ledger, registry, transactions
from sdt.store.transactions import Change, TransactionRow
from sdt.workflows.ach_reversal import taken_back
from sdt.workflows.adjusting import check_adjustment
from sdt.workflows.cover import alone_with_cover, cover_of

__all__ = [
    "held_for_approval",
    "in_review",
    "judge_adjustment",
    "judge_approval",
    "judge_grant",
    "judge_issue",
    "judge_rotation",
    "judge_seizure",
    "on_hold",
    "refused",
    "stopped",
]

Keyed = TypeVar("Keyed", RotateKey, GrantRole)

APPROVAL_REQUIRED: Final = "approval_required"


def judge_issue(
    store: Store, region: Region, row: TransactionRow, message: Issue, now_ms: int, minting: list[tuple[str, Minted]]
) -> Change:
    """An issue names a deposit that waits for it, and says the same as that deposit.

    What came by ACH is minted only while all that may still come back is covered. `minting` is what this
    very round let go on, by token: nothing of it is written yet, and together it may not exceed the cover.
    """
    alone_with_cover(store)
    deposit = transactions.get_many(store, [message.deposit], lock=True).get(message.deposit)
    if deposit is None or deposit.type != "deposit":
        return Change(row.id, Event.REJECT, code="unknown_deposit", detail="There is no such deposit.")
    if (deposit.account, deposit.token, deposit.units) != (message.account, message.token, int(message.amount)):
        return Change(
            row.id,
            Event.REJECT,
            code="deposit_mismatch",
            detail="Account, token or amount differ from the deposit.",
        )
    rivals = [t for t in transactions.linked_to(store, deposit.id) if t.type == "issue" and t.id != row.id]
    if deposit.status != Status.AWAITING_FUNDS or any(t.status != Status.REJECTED for t in rivals):
        return Change(row.id, Event.REJECT, code="deposit_used", detail="This deposit does not wait to be issued.")
    debits = [entry for entry in banking.entries_of(store, [deposit.id]) if entry.direction == "debit"]
    if taken_back(store, [entry.id for entry in debits]):
        return Change(row.id, Event.REJECT, code="deposit_used", detail="The debit of this deposit is taken back.")
    if debits:
        today = day_of(now_ms)
        mint = Minted(message.account, deposit.units, today)
        more = [*(one for token, one in minting if token == message.token), mint]
        if cover_of(store, region, message.token, today, more=more).short:
            detail = "What may still come back by ACH is more than the region has cover for now."
            return Change(row.id, Event.REJECT, code="cover_short", detail=detail)
        minting.append((message.token, mint))
    return held_for_approval(row, deposit.id)


def judge_adjustment(
    store: Store, region: Region, row: TransactionRow, message: Adjust, facts: Mapping[str, AccountFacts], now_s: int
) -> Change:
    """An adjustment sets right what the bank undid, no more and no second time."""
    try:
        check_adjustment(store, region, message, facts, now_s)
    except Unprocessable as error:
        return Change(row.id, Event.REJECT, code=error.code, detail=error.detail)
    return held_for_approval(row, message.original)


def judge_seizure(
    store: Store, region: Region, row: TransactionRow, message: Seize, facts: Mapping[str, AccountFacts], now_s: int
) -> Change:
    """A seizure follows a freeze, and takes no more than there is; what payments hold does not keep it off."""
    try:
        check_seizure(message, region, lambda a: facts.get(a, UNKNOWN), now_s)
    except Unprocessable as error:
        return Change(row.id, Event.REJECT, code=error.code, detail=error.detail)
    books = ledger.account_balance(store, token_account(message.token, message.account))
    if books.credits - books.debits < int(message.amount):
        return Change(row.id, Event.REJECT, code="insufficient_funds", detail="The account does not hold that much.")
    return held_for_approval(row)


def judge_rotation(store: Store, row: TransactionRow, message: RotateKey) -> Change:
    """Whoever manages one token alone leaves the keys that cover more as they are."""
    return _reaches_too_far(store, row, message, check_rotation) or Change(row.id, Event.SCREEN)


def judge_grant(store: Store, row: TransactionRow, message: GrantRole) -> Change:
    """Whoever administers one token alone leaves the keys of others, and of every token, as they are."""
    return _reaches_too_far(store, row, message, check_grant) or held_for_approval(row)


def _reaches_too_far(
    store: Store, row: TransactionRow, message: Keyed, check: Callable[[Keyed, KeyFacts, KeyFacts | None], None]
) -> Change | None:
    """Return the refusal of who changes a key that is not theirs to change."""
    key = registry.key(store, row.kid)
    if key is not None:
        try:
            check(message, registry.key_facts(key), _named(store, message))
        except Forbidden as error:
            return Change(row.id, Event.REJECT, code=error.code, detail=error.detail)
    return None


def _named(store: Store, message: RotateKey | GrantRole) -> KeyFacts | None:
    """Return the key that a message is about, as the chain knows it."""
    found = registry.key(store, kid_of(unb64url(message.public_key.encode())))
    return registry.key_facts(found) if found is not None else None


def judge_approval(
    store: Store, region: Region, row: TransactionRow, message: Approve, approved: set[str]
) -> list[Change]:
    """An approval frees the message it names, and travels with it. `approved` are those freed in this very round."""
    target = transactions.by_digest(store, bytes.fromhex(message.digest))
    if target is None or target.status != Status.HELD or target.code != APPROVAL_REQUIRED or target.id in approved:
        return [
            Change(
                row.id,
                Event.REJECT,
                code="nothing_to_approve",
                detail="No message with this digest waits for an approval.",
            )
        ]
    key = registry.key(store, row.kid)
    if key is None or not key.roles & approver_role(target.type):
        return [Change(row.id, Event.REJECT, code="wrong_role", detail=f"A {target.type} is approved by another role.")]
    if key_holders.same_person(store, target.kid, row.kid):
        return [Change(row.id, Event.REJECT, code="same_officer", detail="Maker and checker are the same person.")]
    try:
        approves = read_message(bytes(target.raw)).message
        check_token(approves, registry.key_facts(key), region)
        if isinstance(approves, GrantRole):
            check_grant(approves, registry.key_facts(key), _named(store, approves))
    except Forbidden as error:
        return [Change(row.id, Event.REJECT, code=error.code, detail=error.detail)]
    approved.add(target.id)
    held_units = None
    if target.type == "adjust" and target.account is not None:
        # What it burns is held from now on, so that nobody spends it while it is on its way.
        held_units = target.units
        if not ledger.hold(store, [(target.id, target.ledger_account, held_units)])[0]:
            return [
                Change(target.id, Event.REJECT, code="insufficient_funds", detail="The account holds less."),
                Change(row.id, Event.REJECT, code="approved_was_refused"),
            ]
    return [
        Change(target.id, Event.SCREEN, held_units=held_units),
        Change(row.id, Event.SCREEN, linked_id=target.id),
    ]


def on_hold(row: TransactionRow) -> Change:
    """Refuse a payment of who owes a deposit that came back."""
    detail = "Outgoing payments of this account are on hold."
    return Change(row.id, Event.REJECT, code="account_on_hold", detail=detail)


def in_review(row: TransactionRow, linked_id: str | None = None) -> Change:
    """Stop it to be looked at: the same neutral word whatever the reason, for a suspicion shows to its role alone."""
    return Change(row.id, Event.REVIEW, code="in_review", linked_id=linked_id)


def stopped(row: TransactionRow) -> Change:
    """End what officers decided against, without a word about what that was."""
    return Change(
        row.id,
        Event.REJECT,
        code="review_refused",
        detail="It was looked at and is not carried out; no more can be said.",
    )


def refused(row: TransactionRow, refusal: Refusal) -> Change:
    """End what a rule refuses, with the rule and its law."""
    return Change(
        row.id,
        Event.REJECT,
        code=refusal.code,
        detail=refusal.text,
        rule=refusal.rule,
        statute=refusal.statute,
        effective=refusal.effective,
    )


def held_for_approval(row: TransactionRow, linked_id: str | None = None) -> Change:
    """Let it wait for a second officer."""
    return Change(
        row.id,
        Event.HOLD,
        code=APPROVAL_REQUIRED,
        detail="A second officer's approval is needed.",
        linked_id=linked_id,
    )
