"""What the officers' acts do to cases: every step under `sdt.domain.case`, every one written into the case's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from sdt.domain import case as steps
from sdt.domain.authority import KeyFacts, covered_tokens
from sdt.domain.case import Case, CaseStatus, Decision
from sdt.domain.case_acts import (
    AddBankEvidence,
    AddEvidence,
    AssignBankCase,
    AssignCase,
    CaseAct,
    DecideBankCase,
    DecideCase,
    MarkFiled,
    NoteBankCase,
    NoteCase,
    OpenCase,
    RecordReport,
    ReopenCase,
    UnwatchAddress,
    WatchAddress,
    day_of,
)
from sdt.domain.case_kinds import KINDS, open_anew
from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.domain.office import ACT_LIFE_S, ActStatus
from sdt.domain.region import Region
from sdt.domain.registry import Role
from sdt.store import cases, office, registry, watch
from sdt.store.cases import CaseEventRow, CaseRow
from sdt.store.findings import FOUND_AGAIN
from sdt.workflows.office import Acting, Entry, always

__all__ = ["CASE_ACTS", "PRIVATE_EVENTS", "case_tokens"]

COMPLIANCE: Final = Role.COMPLIANCE_OFFICER
BANK: Final = Role.COMPLIANCE_OFFICER | Role.CUSTODIAN
PRIVATE_EVENTS: Final = frozenset({"noted", "evidence", "reopened", "report_made"})
"""Events that compliance alone may write and read: they may say what is suspected."""
_BANK_ACTS: Final = (AssignBankCase, NoteBankCase, AddBankEvidence, DecideBankCase)


def _today(acting: Acting) -> date:
    return acting.region.business_day.date_of(acting.now_ms // 1000)


def _case(acting: Acting, act: CaseAct) -> CaseRow:
    """Return the case of an act, locked.

    Errors: NotFound, also for a kind that this act is not for, and for another token's than the officers' keys cover.
    """
    row = cases.case(acting.store, act.case, lock=True)
    if row is None or (isinstance(act, _BANK_ACTS) and not _bank_may_see(row)):
        raise NotFound("There is no such case.", code="unknown_case")
    if not all(_covers(acting, key, row) for key in (acting.officer, acting.second) if key is not None):
        raise NotFound("There is no such case.", code="unknown_case")
    return row


def _concerns(acting: Acting, act: CaseAct) -> bool:
    row = cases.case(acting.store, act.case)
    return row is not None and _covers(acting, acting.officer, row)


def _covers(acting: Acting, key: KeyFacts, row: CaseRow) -> bool:
    tokens = case_tokens(key, acting.region)
    return tokens is None or cases.token_of(acting.store, row.id) in tokens


def case_tokens(key: KeyFacts, region: Region) -> tuple[str, ...] | None:
    """Return the tokens whose cases a key covers, None for every case. What names none is the bank's: of dollars."""
    if key.scope == 0:
        return None
    tokens = covered_tokens(key, region)
    return (*tokens, "") if any(region.token(token).domain == "dollar" for token in tokens) else tokens


def _bank_may_see(row: CaseRow) -> bool:
    return KINDS[row.kind].custodian and not row.shows_suspicion


def _standing(acting: Acting, row: CaseRow) -> Case:
    """Return where a case stands; a proposal that nobody agreed to in time is one no more."""
    state = row.state
    if state.status is not CaseStatus.PROPOSED:
        return state
    waiting = office.page(acting.store, ["decide_case", "decide_bank_case"], status=ActStatus.WAITING, subject=row.id)
    alive = any(acting.now_ms < act.received_at_ms + ACT_LIFE_S * 1000 for act in waiting)
    if alive:
        return state
    return replace(state, status=CaseStatus.ASSIGNED, decision=None, reason="")


def _write(acting: Acting, row: CaseRow, state: Case, event: str, detail: str | None) -> Mapping[str, Any]:
    actor = acting.second.kid if acting.second else acting.officer.kid
    cases.save(
        acting.store,
        row.id,
        state,
        event=event,
        actor=f"office:{actor}",
        detail=detail,
        at_ms=acting.now_ms,
        legal_status=acting.region.legal_status,
    )
    return {"case": row.id, "status": state.status.value}


def _assign(acting: Acting, act: AssignCase) -> Mapping[str, Any]:
    row = _case(acting, act)
    key = registry.key(acting.store, act.officer)
    now_s = acting.now_ms // 1000
    roles = BANK if isinstance(act, AssignBankCase) else COMPLIANCE
    may = key is not None and key.status == "active" and key.roles & roles and key.expires_at_s > now_s
    if key is None or not may or not _covers(acting, registry.key_facts(key), row):
        raise Unprocessable("No officer who may work this case has that key.", code="unknown_officer")
    return _write(acting, row, steps.assign(_standing(acting, row), act.officer), "assigned", act.officer)


def _note(acting: Acting, act: NoteCase) -> Mapping[str, Any]:
    row = _case(acting, act)
    event = "bank_noted" if isinstance(act, NoteBankCase) else "noted"
    cases.record(acting.store, row.id, event, actor=acting.actor, at_ms=acting.now_ms, detail=act.text)
    return {"case": row.id}


def _evidence(acting: Acting, act: AddEvidence) -> Mapping[str, Any]:
    row = _case(acting, act)
    event = "bank_evidence" if isinstance(act, AddBankEvidence) else "evidence"
    return {"case": row.id, "new": _linked(acting, row, act.kind, act.reference, event)}


def _linked(acting: Acting, row: CaseRow, kind: str, reference: str, event: str) -> bool:
    store, actor, at_ms = acting.store, acting.actor, acting.now_ms
    fresh = cases.add_evidence(store, row.id, kind, reference, actor=actor, at_ms=at_ms)
    if fresh:
        cases.record(store, row.id, event, actor=actor, at_ms=at_ms, detail=f"{kind} {reference}")
    return fresh


def _propose(acting: Acting, act: DecideCase | DecideBankCase) -> bool:
    """Write the proposal; it always takes a second officer."""
    row = _case(acting, act)
    if row.kind == "sanctions":
        # Its decision moves accounts and payments: that is what those acts are for.
        raise Unprocessable("A review is decided by clear_match or confirm_match.", code="sanctions_case")
    state = steps.decide(_standing(acting, row), acting.officer.kid, Decision(act.decision), act.reason)
    _write(acting, row, state, "proposed", None)
    return True


def _decided(acting: Acting, act: DecideCase | DecideBankCase) -> Mapping[str, Any]:
    row = _case(acting, act)
    assert acting.second is not None, "a decision takes two"
    return _write(acting, row, steps.approve(row.state, acting.second.kid), "agreed", None)


def _sent_back(acting: Acting, act: DecideCase | DecideBankCase) -> None:
    """A second officer does not agree, or the first withdraws: the case is the first officer's again."""
    row = cases.case(acting.store, act.case, lock=True)
    if row is not None and row.status == CaseStatus.PROPOSED and row.officer == acting.officer.kid:
        _write(acting, row, replace(row.state, status=CaseStatus.ASSIGNED, decision=None, reason=""), "sent_back", None)


def _open(acting: Acting, act: OpenCase) -> Mapping[str, Any]:
    case_id = cases.open_case(
        acting.store,
        kind="monitoring",
        key=f"officer:{acting.act_id}",
        facts={"by": "officer", "act": acting.act_id},
        detected_on=_today(acting),
        actor=acting.actor,
        at_ms=acting.now_ms,
        account=act.account,
        suspect_known=act.suspect_known,
        legal_status=acting.region.legal_status,
    )
    cases.record(acting.store, case_id, "noted", actor=acting.actor, at_ms=acting.now_ms, detail=act.reason)
    return {"case": case_id}


def _reopen(acting: Acting, act: ReopenCase) -> Mapping[str, Any]:
    row = _case(acting, act)
    if row.kind == "sanctions":
        # Nothing in it is left to decide, so it could never be closed again.
        raise Unprocessable("A new finding opens a review of its own.", code="sanctions_case")
    return _write(acting, row, steps.reopen(row.state, _past_day(acting, act.detected_on)), "reopened", act.reason)


def _report_made(acting: Acting, act: RecordReport) -> Mapping[str, Any]:
    row = _case(acting, act)
    return {"case": row.id, "new": _linked(acting, row, f"report_{act.form}", act.digest, "report_made")}


def _filed(acting: Acting, act: MarkFiled) -> Mapping[str, Any]:
    row = _case(acting, act)
    state = steps.mark_filed(row.state, _past_day(acting, act.filed_on), act.confirmation)
    done = _write(acting, row, state, "filed", act.confirmation)
    missed = _missed(cases.events_of(acting.store, row.id))
    if missed is None:
        return done
    found_on = acting.region.business_day.date_of(missed.at_ms // 1000)
    return _write(acting, row, open_anew(row.kind, state, found_on), "reopened", missed.detail)


def _missed(events: Sequence[CaseEventRow]) -> CaseEventRow | None:
    """Return what monitoring found last and the filed report cannot have in it: after the report was made or, where no
    making was noted, after the second officer agreed to it."""
    opened = max((n for n, one in enumerate(events) if one.event == "reopened"), default=-1)
    since = events[opened + 1 :]
    for mark in ("report_made", "agreed"):
        marked = [n for n, one in enumerate(since) if one.event == mark]
        if marked:
            return next((one for one in reversed(since[marked[-1] :]) if one.event == FOUND_AGAIN), None)
    return None


def _past_day(acting: Acting, text: str) -> date:
    day = day_of(text)
    if day is None or day > _today(acting):
        raise Unprocessable(f"{text} is no day of the calendar that has come.", code="future_day")
    return day


def _watch(acting: Acting, act: WatchAddress) -> Mapping[str, Any]:
    until = day_of(act.until) if act.until else None
    if act.until and (until is None or until < _today(acting)):
        raise Unprocessable(f"{act.until} is no day to come.", code="past_day")
    watch.put(acting.store, act.address, until=act.until, act_id=acting.act_id, at_ms=acting.now_ms)
    return {"watched": True}


def _unwatch(acting: Acting, act: UnwatchAddress) -> Mapping[str, Any]:
    if not watch.remove(acting.store, act.address):
        raise Conflict("This address is not watched.", code="not_watched")
    return {"watched": False}


CASE_ACTS: Final = (
    Entry(OpenCase, COMPLIANCE, _open),
    Entry(AssignCase, COMPLIANCE, _assign),
    Entry(NoteCase, COMPLIANCE, _note),
    Entry(AddEvidence, COMPLIANCE, _evidence),
    Entry(DecideCase, COMPLIANCE, _decided, _propose, declined=_sent_back),
    Entry(AssignBankCase, BANK, _assign, concerns=_concerns),
    Entry(NoteBankCase, BANK, _note, concerns=_concerns),
    Entry(AddBankEvidence, BANK, _evidence, concerns=_concerns),
    Entry(DecideBankCase, BANK, _decided, _propose, declined=_sent_back, concerns=_concerns),
    Entry(ReopenCase, COMPLIANCE, _reopen),
    Entry(RecordReport, COMPLIANCE, _report_made),
    Entry(MarkFiled, COMPLIANCE, _filed),
    Entry(WatchAddress, COMPLIANCE, _watch),
    Entry(UnwatchAddress, COMPLIANCE, _unwatch, always),
)
