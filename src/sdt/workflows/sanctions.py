"""What a screening found, written down: how the account stands, what officers must look at, and what waits for them.

Names and reasons are sealed with the person's own key; the case says numbers alone.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from sdt.domain.claims import day_of
from sdt.domain.errors import Unavailable
from sdt.domain.registry import NEVER_S
from sdt.domain.sanctions.subjects import Found
from sdt.domain.transaction import Event
from sdt.store import Store, cases, reviews, sanctions, sanctions_matches, transactions
from sdt.store.sanctions import StandingRow
from sdt.store.sanctions_matches import MatchRow
from sdt.store.transactions import Change
from sdt.workflows.people import People
from sdt.workflows.screened import screened_in

__all__ = [
    "BLOCKED",
    "CLEAR",
    "NOBODY",
    "REASON",
    "REVIEW",
    "Finding",
    "Stands",
    "found_of",
    "hold",
    "record",
    "stands_of",
]

CLEAR: Final = "clear"
REVIEW: Final = "review"
BLOCKED: Final = "blocked"
REASON: Final = "sanctions"
"""The reason of these holds among all for which a transaction can be in review, and the kind of these cases."""
NOBODY: Final = "nobody"
"""What waits because nobody is known behind an account: no officer can clear that, and it expires."""
_LABEL: Final = "match"


class Finding(NamedTuple):
    """What was found about one account. `own` None: people and list are those of the last screening.

    `party_digest` is of those behind the account, empty where nobody is known; `asked_digest` of all who were asked
    about with them.
    """

    account: str
    party_digest: str
    asked_digest: str
    list_digest: str
    own: tuple[Found, ...] | None
    vendor: tuple[Found, ...] = ()


class Stands(NamedTuple):
    """How an account stands, and the case that decides where it is not clear."""

    standing: str
    case_id: str


def record(store: Store, people: People, finding: Finding, *, actor: str, now_ms: int) -> Stands:
    """Write down what was found, open or add to the account's case, and return how the account stands.

    In one database transaction. Found again, nothing changes; what was cleared counts until its time is over.
    Errors: Unavailable when nobody is listed and the people are others by now: they are looked at again.
    """
    if not finding.party_digest:
        return Stands(REVIEW, NOBODY)
    with store.transaction():
        account = finding.account
        stood = sanctions.standing_of(store, account, lock=True)
        fresh, valid_until_s = _matches(store, people, finding, now_ms)
        waiting = [row for row in sanctions_matches.matches_of(store, account) if row.status == "open"]
        case_id = _case(store, account, waiting, fresh, actor, now_ms)
        standing = BLOCKED if stood == BLOCKED else REVIEW if waiting else CLEAR
        if _is_another(store, people, finding):
            if standing == CLEAR:
                raise Unavailable("The people were changed while they were looked at.", code="sanctions_list")
            valid_until_s = 0  # whoever they say to be now is looked at too
        stands = Stands(standing, case_id or sanctions_matches.deciding_case(store, account) or NOBODY)
        if finding.own is not None or standing != CLEAR:
            sanctions.put_standing(
                store,
                StandingRow(account, standing, finding.asked_digest, finding.list_digest, valid_until_s, now_ms),
            )
        if standing != CLEAR:
            _stop_mints(store, account, stands, actor, now_ms)
        return stands


def _is_another(store: Store, people: People, finding: Finding) -> bool:
    """Return whether the account names somebody else than was looked for."""
    now = screened_in(store, people, finding.account)
    return now is None or now.digest != finding.asked_digest


def hold(store: Store, transaction_id: str, stands: Stands, now_ms: int) -> None:
    """Let a transaction wait for the case that decides about one of its parties."""
    reviews.hold(store, transaction_id, REASON, stands.case_id, now_ms)


def stands_of(store: Store, account: str) -> Stands:
    """Return how an account stands, as it was last judged."""
    standing = sanctions.standing_of(store, account)
    return Stands(standing or CLEAR, sanctions_matches.deciding_case(store, account) or NOBODY)


def _stop_mints(store: Store, account: str, stands: Stands, actor: str, now_ms: int) -> None:
    """Let mints that wait for a second officer wait for the review first: none is made for who may be listed."""
    waiting = sanctions.held_issues(store, account)
    for transaction_id in waiting:
        hold(store, transaction_id, stands, now_ms)
    changes = [Change(transaction_id, Event.REVIEW, code="in_review") for transaction_id in waiting]
    transactions.move(store, changes, actor=actor, at_ms=now_ms)


def _matches(store: Store, people: People, finding: Finding, now_ms: int) -> tuple[list[str], int]:
    """Write matches that are new or ignored no longer; return their ids, and until when the others are ignored."""
    rows = sanctions_matches.matches_of(store, finding.account)
    known = {(row.party_digest, row.source, row.entry_digest): row for row in rows}
    fresh, valid_until_s = [], NEVER_S
    for key, found in _by_entry(finding).items():
        row = known.get(key)
        if row is None:
            fresh.append(_add(store, people, finding, key[0], found, now_ms))
        elif row.status == "cleared" and row.ignored_until_s is not None:
            if row.ignored_until_s > now_ms // 1000:
                valid_until_s = min(valid_until_s, row.ignored_until_s)
            else:
                sanctions_matches.reopen_match(store, row.id, finding.list_digest, None, now_ms)
                fresh.append(row.id)
    return fresh, valid_until_s


def _by_entry(finding: Finding) -> dict[tuple[str, str, str], list[Found]]:
    """Group what was found by whom it is about and by entry: what is cleared of one is cleared of nobody else."""
    groups: dict[tuple[str, str, str], list[Found]] = defaultdict(list)
    for one in (*(finding.own or ()), *finding.vendor):
        groups[one.mark or finding.party_digest, one.source, one.entry_digest].append(one)
    return groups


def _add(store: Store, people: People, finding: Finding, of: str, found: Sequence[Found], now_ms: int) -> str:
    best = max(found, key=lambda one: one.score)
    sealed = people.seal_note(store, finding.account, _LABEL, msgspec.json.encode(found), now_ms)
    row = MatchRow(
        id=str(uuid.uuid4()),
        account=finding.account,
        party_digest=of,
        source=best.source,
        entry_digest=best.entry_digest,
        uid=best.uid,
        list_digest=finding.list_digest,
        score=best.score,
        status="open",
        case_id=None,
        details_sealed=sealed,
        found_at_ms=now_ms,
    )
    sanctions_matches.add_match(store, row)
    return row.id


def _case(
    store: Store, account: str, waiting: Sequence[MatchRow], fresh: Sequence[str], actor: str, now_ms: int
) -> str:
    """Return the case that decides about an account's open matches: the one there is, or a new one."""
    known = next((row.case_id for row in waiting if row.case_id), None)
    if not fresh:
        return known or ""
    case_id = known or cases.open_case(
        store,
        kind=REASON,
        key=f"{account}:{fresh[0]}:{now_ms}",
        facts={"matches": len(waiting), "score": max(row.score for row in waiting)},
        detected_on=day_of(now_ms),
        actor=actor,
        at_ms=now_ms,
        account=account,
    )
    for row in waiting:
        if row.id in fresh:
            sanctions_matches.reopen_match(store, row.id, row.list_digest, case_id, now_ms)
            cases.add_evidence(store, case_id, "match", row.id, actor=actor, at_ms=now_ms)
    return case_id


async def found_of(people: People, row: MatchRow) -> list[Found] | None:
    """Return what a match was, in words; None when the person was erased."""
    plain = await people.open_note(row.account, _LABEL, row.details_sealed)
    return msgspec.json.decode(plain, type=list[Found]) if plain is not None else None
