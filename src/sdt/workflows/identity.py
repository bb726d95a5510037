"""Identity checks: what the vendor finds is written down, what it leaves open is an officer's case and decision."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from sdt.domain.claims import format_time, parse_time
from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.domain.identity import IdentityStatus, renewable_from
from sdt.domain.identity_acts import DecideIdentity
from sdt.domain.personal import Party, Person, PersonAddress
from sdt.domain.registry import Role
from sdt.ports.kyc import KycApplication, KycBusiness, KycOutcome, KycOwner, KycPerson, PostalAddress
from sdt.store import Store, accounts, cases, documents, examinations, former_parties, outbox, sanctions
from sdt.store.cases import Filter, open_case
from sdt.store.examinations import ExaminationRow
from sdt.workflows.office import Acting, Entry

__all__ = [
    "ATTEMPTS",
    "ENTRIES",
    "TOPIC",
    "asked_for",
    "asked_in_vain",
    "begin",
    "for_vendor",
    "record",
    "renew",
    "residency_asked",
    "seen_of",
    "status_of",
    "try_again",
    "unheard",
]

ATTEMPTS: Final = 2
LIFE_S_MAX: Final = 5 * 366 * 86_400
TOPIC: Final = "identity"
"""The outbox's topic: what the worker is to hand in at the vendor."""


def for_vendor(party: Party, account: str, region_state: str) -> KycPerson | KycBusiness:
    """Return a party as a vendor is asked for it."""
    if isinstance(party, Person):
        return _person(party, account, region_state)
    return KycBusiness(
        account=account,
        legal_name=party.legal_name,
        kind=party.kind,
        ein_last4=party.ein_last4,
        formed_in=party.formed_in,
        address=_address(party.address),
        control=_person(party.control, account, region_state),
        owners=tuple(KycOwner(_person(o.person, account, region_state), o.share_ppm) for o in party.owners),
        region_state=region_state,
    )


def _person(person: Person, account: str, region_state: str) -> KycPerson:
    return KycPerson(
        account=account,
        given_name=person.given_name,
        family_name=person.family_name,
        born_on=date.fromisoformat(person.born_on),
        address=_address(person.address),
        ssn_last4=person.ssn_last4,
        region_state=region_state,
    )


def _address(address: PersonAddress) -> PostalAddress:
    return PostalAddress(address.street, address.city, address.state, address.postal_code)


def status_of(row: ExaminationRow, now_s: int) -> IdentityStatus:
    """Return where a check stands now: what was established ends at its time, by itself."""
    status = IdentityStatus(row.status or "pending")
    if status is IdentityStatus.PASSED and row.expires_at_s is not None and now_s >= row.expires_at_s:
        return IdentityStatus.EXPIRED
    return status


def begin(store: Store, account: str, application: str, at_ms: int) -> None:
    """Note that an application of an account was handed in, unless that is known."""
    known = examinations.get(store, account, lock=True)
    if known is None or known.application != application:
        # A renewal has been counted when it was asked for; it lacked its application.
        round = 1 if known is None else known.round + bool(known.application)
        examinations.put(store, _pending(account, application, round, ATTEMPTS - 1, at_ms))


def _pending(account: str, application: str | None, round: int, attempts_left: int, at_ms: int) -> ExaminationRow:
    return ExaminationRow(
        account=account,
        application=application,
        status=KycOutcome.PENDING.value,
        reasons=(),
        round=round,
        attempts_left=attempts_left,
        tier=0,
        resident=None,
        residency=KycOutcome.PENDING.value,
        residency_reasons=(),
        subjects=(),
        decided_at_s=None,
        expires_at_s=None,
        decision_act=None,
        updated_at_ms=at_ms,
    )


def record(
    store: Store, found: KycApplication, actor: str, at_ms: int, *, polled: bool = False, answers: str = ""
) -> None:
    """Write what the vendor says of an application. What officers have decided about it stands.

    What was `polled` does not count while something of the account is still to be handed in: it is about before that.
    While corrected data has not reached the vendor, only the answer to that (`answers` is its order's key) counts:
    everything else is about other data than the account's record. How many attempts there are is ours to say: a vendor
    takes of them and adds none.
    An officer's case is opened for what the vendor leaves open, and when no attempt is left.
    """
    if polled and outbox.is_waiting(store, TOPIC, f"{found.account}:"):
        return
    known = examinations.get(store, found.account, lock=True)
    if known is None:
        begin(store, found.account, found.application_id, at_ms)
        known = examinations.get(store, found.account, lock=True)
        assert known is not None
    if known.application != found.application_id or known.decision_act is not None:
        return
    if set(outbox.open_keys(store, TOPIC, _attempts_of(known))) - {answers}:
        return
    row = known._replace(
        status=found.outcome.value,
        reasons=found.reasons,
        attempts_left=min(known.attempts_left, found.attempts_left),
        tier=found.tier,
        resident=found.resident,
        residency=found.residency.value,
        residency_reasons=found.residency_reasons,
        subjects=[{"subject": s.subject, "outcome": s.outcome.value, "reasons": s.reasons} for s in found.subjects],
        decided_at_s=_seconds(found.decided_at),
        expires_at_s=_seconds(found.expires_at),
        updated_at_ms=at_ms,
    )
    _move(store, known, row)
    if found.outcome is KycOutcome.REVIEW or (found.outcome is KycOutcome.FAILED and not row.attempts_left):
        _open_case(store, row, list(found.reasons), actor, at_ms)


def asked_in_vain(store: Store, application: str, at_ms: int) -> None:
    """Note that the vendor does not know an application, or answers what nobody can read: others are asked first.

    One of before examinations were kept in detail gets its row, with what is known of it.
    """
    user = accounts.user_by_application(store, application)
    if user is None:
        return
    row = examinations.get(store, user.account, lock=True)
    if row is None:
        row = _pending(user.account, application, 1, ATTEMPTS - 1, at_ms)
        row = row._replace(status=user.kyc_status or row.status, reasons=user.kyc_reasons)
    if row.application == application:
        examinations.put(store, row._replace(updated_at_ms=at_ms))


def _attempts_of(row: ExaminationRow) -> str:
    """Return how the keys begin of corrected data for an application; a document's has a word in that place."""
    return f"{row.account}:{row.round}:"


def unheard(store: Store, account: str, key: str, code: str, actor: str, at_ms: int) -> None:
    """Let officers decide where the vendor takes corrected data no more: what it says is about the data of before."""
    row = examinations.get(store, account, lock=True)
    if row is None or row.decision_act is not None or not key.startswith(_attempts_of(row)):
        return
    row = row._replace(status=IdentityStatus.REVIEW.value, reasons=("could_not_verify",), updated_at_ms=at_ms)
    examinations.put(store, row)
    _open_case(store, row, [code], actor, at_ms)


def _open_case(store: Store, row: ExaminationRow, reasons: Sequence[str], actor: str, at_ms: int) -> None:
    open_case(
        store,
        kind="kyc",
        key=f"{row.account}:{row.round}",
        facts={
            "application": row.application,
            "outcome": row.status,
            "reasons": reasons,
            "subjects": {s["subject"]: list(s["reasons"]) for s in row.subjects if s["reasons"]},
        },
        detected_on=datetime.fromtimestamp(at_ms / 1000, UTC).date(),
        actor=actor,
        at_ms=at_ms,
        account=row.account,
        suspect_known=True,
    )


def _move(store: Store, before: ExaminationRow, after: ExaminationRow) -> None:
    """Write where a check stands; whom the account's record names while it leaves `passed` is kept as that.

    Where another has passed from now on, others are behind the account: it is screened anew.
    """
    passed = IdentityStatus.PASSED.value
    is_another = former_parties.last_passed(store, before.account) is not None
    if before.status == passed and after.status != passed:
        former_parties.keep(store, before.account, before.round, passed=True, at_ms=after.updated_at_ms)
    examinations.put(store, after)
    if is_another and after.status == passed:
        sanctions.outdate(store, after.account)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def try_again(store: Store, account: str, at_ms: int) -> None:
    """Ask the worker to hand in what is known of the account, once the data of before is kept.

    Runs before the new data is written, in one database transaction with that.
    Errors: Conflict (identity_closed, attempts_exhausted). While something else is on its way to the vendor none is
    taken: the vendor would pass whom that is about, and this account would be somebody else's.
    """
    row = _examination(store, account)
    if row.status not in (IdentityStatus.FAILED, IdentityStatus.DOCUMENTS_REQUIRED) or row.decision_act:
        raise Conflict(f"The identity check is {row.status}.", code="identity_closed")
    if not row.attempts_left:
        raise Conflict("Both attempts are used: an officer looks at it.", code="attempts_exhausted")
    if outbox.is_waiting(store, TOPIC, f"{account}:"):
        raise Conflict("Something that was handed in is on its way to the vendor.", code="identity_closed")
    assert row.application is not None
    former_parties.keep(store, account, row.round, passed=False, at_ms=at_ms)
    examinations.put(store, _pending(account, row.application, row.round, row.attempts_left - 1, at_ms))
    key = f"{account}:{row.round}:{row.attempts_left}"
    outbox.put(store, TOPIC, key, {"act": "retry", "account": account, "key": key}, at_ms)


def renew(store: Store, account: str, at_ms: int) -> None:
    """Ask the worker to hand in a new application; what is attested stands until it ends, and with whom is kept.

    Runs before new data is written, in one database transaction with that.
    Errors: Conflict (identity_closed) before its time, and while another is looked at.
    """
    row = _examination(store, account)
    now_s = at_ms // 1000
    if row.status != IdentityStatus.PASSED or row.expires_at_s is None or row.decided_at_s is None:
        raise Conflict(f"The identity check is {row.status}.", code="identity_closed")
    opens_s = renewable_from(row.decided_at_s, row.expires_at_s)
    if now_s < opens_s:
        raise Conflict(f"The identity can be renewed from {format_time(opens_s)}.", code="identity_closed")
    _move(store, row, _pending(account, None, row.round + 1, ATTEMPTS - 1, at_ms))
    key = f"{account}:{row.round + 1}"
    outbox.put(store, TOPIC, key, {"act": "apply", "account": account, "key": key}, at_ms)


def _examination(store: Store, account: str) -> ExaminationRow:
    row = examinations.get(store, account, lock=True)
    if row is None:
        raise Conflict("The identity check has not begun: the registration is not settled.", code="identity_closed")
    return row


def seen_of(store: Store, row: ExaminationRow) -> str:
    """Return the digest of all that officers are shown of a check, which their decision names.

    It is of the sealed record of who it is, so that it tells nobody anything, and changes with every change of that.
    """
    user = accounts.user_by_account(store, row.account)
    sealed = user.person_sealed if user and user.person_sealed is not None else b""
    shown = {
        "account": row.account,
        "application": row.application,
        "round": row.round,
        "status": row.status,
        "reasons": list(row.reasons),
        "residency": row.residency,
        "subjects": list(row.subjects),
        "party": hashlib.sha256(sealed).hexdigest(),
        "documents": [[one.kind, one.subject, one.digest] for one in documents.of_account(store, row.account)],
    }
    return hashlib.sha256(json.dumps(shown, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _may_decide(acting: Acting, act: DecideIdentity) -> bool:
    """Refuse a decision that could not be carried out, before it waits; every one needs a second officer."""
    _check_decision(acting, act)
    return True


def _decide(acting: Acting, act: DecideIdentity) -> Mapping[str, Any]:
    """Write what two officers decided: it stands against what the vendor says of this application later.

    The case, if there is one, gets the act as evidence; who works it closes it.
    """
    row = _check_decision(acting, act)
    passed = act.decision == "pass"
    residency = IdentityStatus.PASSED if passed and act.resident else IdentityStatus.FAILED
    _move(
        acting.store,
        row,
        row._replace(
            status=(IdentityStatus.PASSED if passed else IdentityStatus.FAILED).value,
            reasons=() if passed else tuple(row.reasons) or ("could_not_verify",),
            attempts_left=0,
            tier=act.tier,
            resident=passed and act.resident,
            residency=residency.value,
            residency_reasons=(),
            decided_at_s=acting.now_ms // 1000,
            expires_at_s=parse_time(act.expires_at) if passed else None,
            decision_act=acting.act_id,
            updated_at_ms=acting.now_ms,
        ),
    )
    key = f"{act.account}:{row.round}"
    for case in cases.cases(acting.store, Filter(("kyc",), account=act.account)):
        if case.key == key:
            cases.add_evidence(acting.store, case.id, "act", acting.act_id, actor=acting.actor, at_ms=acting.now_ms)
    return {"account": act.account, "status": act.decision}


def _check_decision(acting: Acting, act: DecideIdentity) -> ExaminationRow:
    row = examinations.get(acting.store, act.account, lock=True)
    if row is None or row.application != act.application:
        raise NotFound("The account has no such application.", code="unknown_application")
    attested = any(i.tier for i in accounts.identities_of(acting.store, act.account))
    exhausted = row.status == IdentityStatus.FAILED and not row.attempts_left and not row.decision_act
    if not (row.status == IdentityStatus.REVIEW or exhausted or (act.decision == "fail" and attested)):
        raise Conflict(f"The identity check is {row.status}: it is not an officer's to decide.", code="identity_closed")
    now_s, expires_s = acting.now_ms // 1000, parse_time(act.expires_at)
    if act.decision == "fail" and (act.tier or act.resident):
        raise Unprocessable("What is not established has tier 0 and no residency.", code="decision")
    if act.decision == "pass" and not (act.tier and now_s < expires_s <= now_s + LIFE_S_MAX):
        raise Unprocessable("What is established has a tier, and ends within five years.", code="decision")
    if act.seen != seen_of(acting.store, row):
        raise Conflict("What is known has changed since this was looked at: look again.", code="review_changed")
    return row


def asked_for(row: ExaminationRow) -> Sequence[str]:
    """Return of whom documents are asked: `holder`, or those behind a business; residency is the holder's."""
    wanted = [s["subject"] for s in row.subjects if s["outcome"] == KycOutcome.DOCUMENTS_REQUIRED.value]
    if (not row.subjects and row.status == KycOutcome.DOCUMENTS_REQUIRED.value) or residency_asked(row):
        wanted.append("holder")
    return wanted


def residency_asked(row: ExaminationRow) -> bool:
    """Return whether a proof of residency is asked for."""
    return row.residency == KycOutcome.DOCUMENTS_REQUIRED.value


ENTRIES: Final = (
    Entry(
        DecideIdentity,
        Role.KYC_DESK,
        _decide,
        _may_decide,
        seconds=Role.KYC_DESK | Role.COMPLIANCE_OFFICER | Role.APPROVER,
    ),
)
