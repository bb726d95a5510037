"""What officers' acts about sanctions do: clear, confirm, lift a block, end an ignore, put a list in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from sdt.domain.case import Case, CaseStatus, Decision, settle
from sdt.domain.case_kinds import due_on
from sdt.domain.claims import day_of, format_time, parse_time
from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.domain.registry import NEVER_S, Role
from sdt.domain.sanctions.acts import ClearMatch, ConfirmMatch, EndIgnore, LiftBlock, SetSanctionsList
from sdt.domain.transaction import Status
from sdt.store import Store, blocked, cases, office, registry, reviews, sanctions, sanctions_matches
from sdt.store.sanctions import ListRow
from sdt.store.sanctions_matches import MatchRow
from sdt.workflows.blocking import block_deposit, block_payout
from sdt.workflows.office import Acting, Entry
from sdt.workflows.sanctions import BLOCKED, CLEAR, REASON, REVIEW

__all__ = ["ENTRIES", "freeze_claims"]

DAY_S: Final = 86_400
FREEZE_YEARS: Final = 10
"""A freeze names an end; a block has none, so the order is renewed. Records are kept as long (31 C.F.R. 501.601)."""
AUTHORITY: Final = "31 CFR 501.603"


def _case(acting: Acting, case_id: str) -> tuple[Case, str, list[MatchRow]]:
    """Return an undecided sanctions case, its account and the matches to be decided. Errors: NotFound, Conflict."""
    row = cases.case(acting.store, case_id)
    if row is None or row.kind != REASON or row.account is None:
        raise NotFound("There is no such review.", code="unknown_review")
    # The account first, as whoever screens it does: what is being found at this moment is waited for and seen.
    sanctions.standing_of(acting.store, row.account, lock=True)
    row = cases.case(acting.store, case_id, lock=True)
    assert row is not None and row.account is not None, "a case is never removed, nor its account"
    waiting = [match for match in sanctions_matches.matches_of_case(acting.store, case_id) if match.status == "open"]
    if row.status in (CaseStatus.CLOSED, CaseStatus.TO_REPORT, CaseStatus.REPORTED) or not waiting:
        raise Conflict("This review is decided.", code="review_decided")
    return row.state, row.account, waiting


def _needs_two(acting: Acting, act: ClearMatch) -> bool:
    """A strong likeness is cleared by two; the region says from where on."""
    _, _, waiting = _case(acting, act.case)
    _check_seen(act, waiting)
    return max(match.score for match in waiting) > acting.region.clear_alone_score_max


def _check_seen(act: ClearMatch, waiting: Sequence[MatchRow]) -> None:
    """Refuse to clear what was found after the officer had looked. Errors: Conflict (review_changed)."""
    signed_s = parse_time(act.issued_at)
    if any(match.found_at_ms // 1000 > signed_s for match in waiting):
        raise Conflict("More was found since this was signed: look again.", code="review_changed")


def _clear(acting: Acting, act: ClearMatch) -> Mapping[str, Any]:
    state, account, waiting = _case(acting, act.case)
    _check_seen(act, waiting)
    until_s = acting.now_ms // 1000 + act.ignore_days * DAY_S
    for match in waiting:
        sanctions_matches.decide_match(acting.store, match.id, "cleared", acting.act_id, acting.now_ms, until_s)
    _decide(acting, act.case, state, Decision.NOTHING, act.reason, "cleared")
    if sanctions.standing_of(acting.store, account, lock=True) != BLOCKED:
        standing = sanctions.standing(acting.store, account)
        valid_until_s = min(until_s, standing.valid_until_s) if standing else until_s
        sanctions.set_standing(acting.store, account, CLEAR, valid_until_s)
    released = reviews.release(acting.store, REASON, act.case, "go")
    return {"case": act.case, "matches": len(waiting), "released": released, "ignored_until": format_time(until_s)}


def _two_always(acting: Acting, act: ConfirmMatch) -> bool:
    """A block takes two, and something to be blocked for."""
    _case(acting, act.case)
    return True


def _confirm(acting: Acting, act: ConfirmMatch) -> Mapping[str, Any]:
    state, account, waiting = _case(acting, act.case)
    for match in waiting:
        sanctions_matches.decide_match(acting.store, match.id, "confirmed", acting.act_id, acting.now_ms, None)
    # The clock of the report runs from the day on which property is blocked, as the region's calendar has it.
    state = replace(state, detected_on=acting.region.business_day.date_of(acting.now_ms // 1000))
    state = _decide(acting, act.case, state, Decision.REPORT, act.reason, "blocked")
    sanctions.set_standing(acting.store, account, BLOCKED, NEVER_S)
    stopped = reviews.release(acting.store, REASON, act.case, "stop")
    funds = _block_funds(acting, act.case, account)
    due = due_on(REASON, state, acting.region.legal_status)
    assert due is not None, "a block is reported"
    return {
        "case": act.case,
        "account": account,
        "stopped": stopped,
        "funds_blocked": funds.blocked,
        "too_late": funds.too_late,
        "report_due": due.isoformat(),
        "freeze": freeze_claims(act.case, account, acting.now_ms // 1000),
    }


def _liftable(acting: Acting, act: LiftBlock) -> bool:
    """Errors: Conflict for an account that is not blocked."""
    if sanctions.standing_of(acting.store, act.account, lock=True) != BLOCKED:
        raise Conflict("This account is not blocked.", code="account_not_blocked")
    return True


def _lift(acting: Acting, act: LiftBlock) -> Mapping[str, Any]:
    """Let the account move again, screened anew at once; what was confirmed is ignored for its time.

    Dollars that are blocked stay so, each until it is released by itself, and the chain's freeze until it is signed
    away: both are named.
    """
    _liftable(acting, act)
    store, now_s = acting.store, acting.now_ms // 1000
    matches = sanctions_matches.matches_of(store, act.account)
    confirmed = [match for match in matches if match.status == "confirmed"]
    if any(_confirmed_since(acting, match) for match in confirmed):
        raise Conflict("More was confirmed since this was signed: look again.", code="review_changed")
    for match in confirmed:
        until_s = now_s + act.ignore_days * DAY_S
        sanctions_matches.decide_match(store, match.id, "cleared", acting.act_id, acting.now_ms, until_s)
    for case_id in sorted({match.case_id for match in confirmed if match.case_id}):
        cases.add_evidence(store, case_id, "act", acting.act_id, actor=acting.actor, at_ms=acting.now_ms)
        reviews.release(store, REASON, case_id, "go")
    standing = REVIEW if any(match.status == "open" for match in matches) else CLEAR
    sanctions.set_standing(store, act.account, standing, now_s)
    frozen = registry.freezes_of(store, act.account)
    return {
        "account": act.account,
        "order": act.order,
        "standing": standing,
        "matches": len(confirmed),
        "ignored_until": format_time(now_s + act.ignore_days * DAY_S),
        "still_blocked": blocked.of_account(store, act.account),
        "frozen_tokens": [row.token for row in frozen if row.expires_at_s > now_s],
    }


def _confirmed_since(acting: Acting, match: MatchRow) -> bool:
    """Return whether two officers confirmed a match after this act was signed, which speaks of others then."""
    confirming = office.get(acting.store, match.act_id or "")
    agreeing = office.get(acting.store, (confirming.second_act if confirming else None) or "")
    lifting = office.get(acting.store, acting.act_id)
    return agreeing is not None and lifting is not None and agreeing.seq > lifting.seq


def freeze_claims(case_id: str, account: str, now_s: int) -> dict[str, str]:
    """Return the claims of the `freeze` that the compliance officer signs next: a message, since it goes on chain."""
    return {
        "account": account,
        "token": "",
        "order": f"BLOCK-{case_id[:8]}",
        "authority": AUTHORITY,
        "expires_at": format_time(now_s + FREEZE_YEARS * 365 * DAY_S),
    }


class _Funds(NamedTuple):
    """What was blocked by transaction, and what the bank or the chain already has in hand."""

    blocked: list[str]
    too_late: list[str]


def _block_funds(acting: Acting, case_id: str, account: str) -> _Funds:
    """Block dollars that came in and were not minted, and dollars that were burnt and not paid out.

    What is too late for that is stopped by the freeze, or asked of the bank; the case names all of it.
    """
    funds = _Funds([], [])
    for transaction_id, kind in _under_way(acting.store, account):
        block = block_deposit if kind == "deposit" else block_payout
        try:
            block(acting.store, transaction_id, reference=case_id, actor=acting.actor, at_ms=acting.now_ms)
            funds.blocked.append(transaction_id)
        except Conflict:
            funds.too_late.append(transaction_id)
        cases.add_evidence(
            acting.store, case_id, "transaction", transaction_id, actor=acting.actor, at_ms=acting.now_ms
        )
    return funds


def _under_way(store: Store, account: str) -> list[tuple[str, str]]:
    """Return (id, type) of deposits that nothing was minted for yet, and of redemptions that are burnt and not paid.

    A deposit that screening has not let on is among them when its dollars are here, counted over the counter; a
    redemption whose payout came back, when it is owed again; and either, when its dollars were to be released.
    """
    return store.rows(
        "SELECT t.id, t.type FROM transactions t WHERE t.account = ? AND ((t.type = 'deposit' AND t.status = ?) "
        "OR (t.type = 'deposit' AND t.status IN (?, ?) "
        "AND EXISTS (SELECT 1 FROM bank_entries e WHERE e.transaction_id = t.id) AND NOT EXISTS "
        "(SELECT 1 FROM blocked_funds b WHERE b.transaction_id = t.id AND b.ended_at_ms IS NULL)) "
        "OR EXISTS (SELECT 1 FROM blocked_funds b JOIN reserve_moves m ON m.transaction_id = b.transaction_id "
        "WHERE b.transaction_id = t.id AND b.ended_at_ms IS NULL AND m.direction = 'freed' AND m.done_at_ms IS NULL) "
        "OR (t.type = 'redeem' AND t.status = ?) OR (t.type = 'redeem' AND t.status = ? "
        "AND EXISTS (SELECT 1 FROM ledger_accounts a WHERE a.name = 'Payout:' || t.token || ':' || t.id "
        "AND a.credits > a.debits))) ORDER BY t.seq",
        (
            account,
            Status.AWAITING_FUNDS.value,
            Status.ACCEPTED.value,
            Status.IN_REVIEW.value,
            Status.SETTLED.value,
            Status.RETURNED.value,
        ),
    )


def _decide(acting: Acting, case_id: str, state: Case, decision: Decision, reason: str, event: str) -> Case:
    second = acting.second.kid if acting.second else None
    decided = settle(state, acting.officer.kid, decision, reason, second)
    cases.save(
        acting.store,
        case_id,
        decided,
        event=event,
        actor=acting.actor,
        detail=acting.act_id,
        at_ms=acting.now_ms,
        legal_status=acting.region.legal_status,
    )
    return decided


def _end_ignore(acting: Acting, act: EndIgnore) -> Mapping[str, Any]:
    row = sanctions_matches.match(acting.store, act.match)
    if row is not None:
        # The account first, as whoever screens it does: what is opened anew at this moment is not cleared by this.
        sanctions.standing_of(acting.store, row.account, lock=True)
        row = sanctions_matches.match(acting.store, act.match)
    if row is None or row.status != "cleared":
        raise NotFound("There is no such entry on the ignore-list.", code="unknown_ignore")
    now_ms = acting.now_ms
    sanctions_matches.decide_match(acting.store, row.id, "cleared", acting.act_id, now_ms, now_ms // 1000)
    # Whatever it stands at: who is in review for another match is not cleared for the time that ends here.
    # The next round of rescreening takes up whose time is over.
    sanctions.outdate(acting.store, row.account)
    return {"match": row.id}


def _loaded(acting: Acting, act: SetSanctionsList) -> tuple[ListRow, ListRow | None]:
    row = sanctions.edition(acting.store, act.digest)
    if row is None:
        raise NotFound("No list with this digest was loaded.", code="unknown_list")
    if row.list_date != act.list_date:
        raise Unprocessable(f"This list is of {row.list_date}.", code="list_date")
    if date.fromisoformat(row.list_date) > day_of(acting.now_ms) + timedelta(days=1):
        # Every list of OFAC's would be older than this one.
        raise Unprocessable("This list is of a day to come.", code="list_date")
    before = sanctions.in_force(acting.store)
    if before is not None and before.digest == row.digest:
        raise Conflict("This list is in force already.", code="list_in_force")
    if before is not None and row.list_date < before.list_date and not act.older:
        raise Unprocessable(
            f"The list in force is of {before.list_date}: an older one is put in force on purpose or not at all.",
            code="list_older",
        )
    return row, before


def _unusual_takes_two(acting: Acting, act: SetSanctionsList) -> bool:
    """An older list does, and one that is much another than the list in force: nobody empties the list alone.

    What it changes was found when it was loaded, against the list in force then: if that is another now, nobody knows.
    """
    row, before = _loaded(acting, act)
    if before is None:
        return False
    return (
        row.list_date < before.list_date
        or row.loaded_at_ms < (before.in_force_at_ms or 0)
        or 10 * (row.removed + row.changed) >= before.entries
        or _a_tenth_fewer(row.entries, before.entries)
        or _a_tenth_fewer(row.names, before.names)
        or _a_tenth_fewer(row.addresses, before.addresses)
    )


def _a_tenth_fewer(now: int | None, before: int | None) -> bool:
    return now is not None and before is not None and now < before and 10 * now <= 9 * before


def _set_list(acting: Acting, act: SetSanctionsList) -> Mapping[str, Any]:
    row, before = _loaded(acting, act)
    sanctions.put_in_force(acting.store, row.digest, acting.act_id, acting.now_ms)
    people = sanctions.progress(acting.store, row.digest).people
    return {"digest": row.digest, "before": before.digest if before else None, "to_rescreen": people}


_OFFICER: Final = Role.COMPLIANCE_OFFICER
ENTRIES: Final = (
    Entry(ClearMatch, _OFFICER, _clear, _needs_two),
    Entry(ConfirmMatch, _OFFICER, _confirm, _two_always),
    Entry(LiftBlock, _OFFICER, _lift, _liftable),
    Entry(EndIgnore, _OFFICER, _end_ignore),
    Entry(SetSanctionsList, _OFFICER | Role.SCREENING_DESK, _set_list, _unusual_takes_two, _OFFICER),
)
