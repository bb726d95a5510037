"""What the worker's findings mean: each check ok, degraded or failed, by levels that stand here and nowhere else.

Pure: what was found goes in. Failed means that settlement does not go on; whatever else needs somebody is degraded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sdt.adapters.vendor.breaker import BreakerState
from sdt.observing.health import Check, State, check
from sdt.worker.looks import Books, Looked

__all__ = ["BACKLOG", "checks_of"]

BACKLOG: Final = ("accepted", "screened", "batched", "submitted")
"""Statuses in which a transaction waits for the platform alone."""

CHAIN_SILENT_S: Final = 15.0
BATCH_WAITS_S: Final = (20.0, 60.0)
QUEUE_AGE_S: Final = (30.0, 300.0)
LIVE_AGE_S: Final = (60.0, 600.0)
OUTBOX_AGE_S: Final = 900.0
STOCK_LOW: Final = 20
LIST_AGE_S: Final = 10 * 86_400.0
ATTESTATION_LEFT_S: Final = 2 * 86_400.0
POSTINGS_BEHIND: Final = 50_000


def checks_of(found: Looked) -> list[Check]:
    """Return every check of the worker."""
    judged = [
        _database(found),
        _lease(found),
        _queue(found),
        _chain(found),
        _batch(found),
        _signers(found),
        _stock(found),
        _certificates(found),
        *_vendors(found),
    ]
    if found.books is not None:
        judged += [of(found.books, found) for of in _OF_BOOKS]
    return judged


def _database(found: Looked) -> Check:
    if found.books is None:
        return Check("database", State.FAILED, "the database does not answer")
    return Check("database", State.OK, "it answers")


def _lease(found: Looked) -> Check:
    if not found.lease_left_s:
        return Check("lease", State.FAILED, "the lease of the lane could not be renewed", 0)
    return Check("lease", State.OK, f"epoch {found.lane.get('epoch', '?')}", round(found.lease_left_s, 1))


def _queue(found: Looked) -> Check:
    depth = found.queue
    if depth is None:
        return Check("queue", State.FAILED, "the queue does not answer")
    oldest = check(
        "queue", depth.oldest_age_s or 0.0, "s is the oldest message", degraded=QUEUE_AGE_S[0], failed=QUEUE_AGE_S[1]
    )
    if depth.dead and oldest.state is State.OK:
        return Check("queue", State.DEGRADED, f"{depth.dead} messages are dead letters", oldest.value)
    return oldest


def _chain(found: Looked) -> Check:
    age_s = found.chain.head_age_s
    if found.head_seen_s > CHAIN_SILENT_S or found.chain.state == "unreachable":
        return Check("chain", State.FAILED, "the chain does not answer", found.head_seen_s)
    if found.chain.state == "stalled":
        return Check("chain", State.FAILED, f"the chain has stopped: its newest block is {age_s} s old", age_s)
    away = [number for number, node in enumerate(found.chain.nodes) if node.head is None]
    if away:
        return Check("chain", State.DEGRADED, f"chain nodes {away} do not answer", age_s)
    if found.chain.state == "slow":
        return Check("chain", State.DEGRADED, f"blocks or answers come late; the newest block is {age_s} s old", age_s)
    return Check("chain", State.OK, f"block {found.head_block}, {age_s} s old", age_s)


def _batch(found: Looked) -> Check:
    degraded, failed = BATCH_WAITS_S
    return check("batch", found.batch_waiting_s, "s has a batch waited for a block", degraded=degraded, failed=failed)


def _signers(found: Looked) -> Check:
    usable = len(found.usable)
    told = "; ".join(alarm.detail for alarm in found.alarms if not alarm.code.startswith("stock_low"))
    if usable < 2:
        why = f": {told}" if told else ""
        return Check("signers", State.FAILED, f"fewer than two signers can sign{why}", usable)
    if found.caught:
        return Check("signers", State.DEGRADED, f"location {min(found.caught)} was caught cheating", usable)
    if usable < 3 or told:
        return Check("signers", State.DEGRADED, told or "a location does not sign", usable)
    return Check("signers", State.OK, "all can sign", usable)


def _stock(found: Looked) -> Check:
    if not found.usable_stock:
        return Check("stock", State.FAILED, "no pair of locations can sign, whatever it has", 0)
    most, least = max(found.usable_stock.values()), min(found.usable_stock.values())
    if most < STOCK_LOW:
        state = State.FAILED if most == 0 else State.DEGRADED
        return Check("stock", state, f"presignatures run out: {most} left", most)
    if least < STOCK_LOW:
        return Check("stock", State.DEGRADED, f"a pair has {least} presignatures left", least)
    return Check("stock", State.OK, f"at least {least} presignatures a pair that can sign", least)


def _certificates(found: Looked) -> Check:
    ending = ", ".join(found.certificates_ending)
    return Check(
        "certificates",
        State.DEGRADED if ending else State.OK,
        f"certificates end within 30 days: {ending}" if ending else "none ends within 30 days",
    )


def _vendors(found: Looked) -> list[Check]:
    shut = sorted({one.kind for one in found.vendors if one.breaker is not BreakerState.CLOSED})
    missing = found.ach.get("returns_missing") or []
    behind = found.monitoring.get("postings_behind", 0)
    return [
        Check(
            "vendors",
            State.DEGRADED if shut else State.OK,
            f"not called until they answer again: {', '.join(shut)}" if shut else "all are called",
        ),
        Check(
            "ach",
            State.DEGRADED if missing else State.OK,
            f"mornings without their file of returns: {len(missing)}"
            if missing
            else "every morning's returns are read",
        ),
        check("monitoring", behind, "postings are not looked at yet", degraded=POSTINGS_BEHIND),
    ]


def _backlog(books: Books, found: Looked) -> Check:
    waits = sum(count for status, count in books.transactions.items() if status in BACKLOG)
    full = check("backlog", waits, "transactions wait for the platform", degraded=0.5 * found.backlog_max)
    aged = check("backlog", books.oldest_live_s, "s waits the oldest", degraded=LIVE_AGE_S[0], failed=LIVE_AGE_S[1])
    return aged if aged.state is not State.OK else full


def _outbox(books: Books, found: Looked) -> Check:
    if books.instructions_dead:
        return Check(
            "outbox",
            State.DEGRADED,
            f"{books.instructions_dead} instructions are dead letters",
            books.instructions_dead,
        )
    return check("outbox", books.outbox.oldest_s, "s is an instruction overdue", degraded=OUTBOX_AGE_S)


def _erasures(books: Books, found: Looked) -> Check:
    waiting = books.erasures_waiting
    return Check(
        "erasures",
        State.DEGRADED if waiting else State.OK,
        f"{waiting} erasures wait for the owner of the tables: sdt db scrub"
        if waiting
        else "none waits for the owner of the tables",
        waiting,
    )


def _sanctions(books: Books, found: Looked) -> Check:
    if books.list_age_s is None:
        return Check("sanctions", State.FAILED, "no sanctions list is in force: nobody passes")
    days = books.list_age_s / 86_400
    return check("sanctions", round(days, 1), "days is the list old", degraded=LIST_AGE_S / 86_400)


def _reserves(books: Books, found: Looked) -> Check:
    short = [one.token for one in books.reserves if one.supply > one.backing]
    if short:
        return Check("reserves", State.DEGRADED, f"supply exceeds the reserve: {', '.join(short)}")
    left = {one.token: one.left_s for one in books.reserves if one.left_s is not None}
    ending = [token for token, left_s in left.items() if left_s < ATTESTATION_LEFT_S]
    if ending:
        detail = f"the attestation has expired or is about to: {', '.join(ending)}"
        return Check("reserves", State.DEGRADED, detail, min(left.values()))
    if not left:
        return Check("reserves", State.OK, "nothing is attested and nothing is in supply")
    return Check("reserves", State.OK, f"attested for {min(left.values()) // 3600} hours more", min(left.values()))


def _cover(books: Books, found: Looked) -> Check:
    short = [token for token, sums in books.money.items() if sums["cover_short"] > 0]
    return Check(
        "cover",
        State.DEGRADED if short else State.OK,
        f"returns are not covered, minting by ACH waits: {', '.join(short)}" if short else "returns are covered",
    )


_OF_BOOKS: Final[tuple[Callable[[Books, Looked], Check], ...]] = (
    _backlog,
    _outbox,
    _erasures,
    _sanctions,
    _reserves,
    _cover,
)
