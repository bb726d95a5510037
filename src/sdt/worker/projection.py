"""What a final batch does to the books: the database becomes the chain's projection, plus holds.

One function per kind of message; everything of one block is one database transaction, so a crash repeats the
block as a whole or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sdt.domain.batch import SkipReason
from sdt.domain.claims import day_of
from sdt.domain.envelope import kid_of, unb64url
from sdt.domain.items import key_word, order_digest
from sdt.domain.ledger import (
    Posting,
    clawback_postings,
    fund_postings,
    issue_postings,
    redeem_postings,
    release_postings,
    remint_postings,
    seize_postings,
    transfer_postings,
)
from sdt.domain.message import (
    Adjust,
    AttestIdentity,
    AttestReserve,
    Freeze,
    Fund,
    Release,
    Seize,
    Signed,
    Unfreeze,
    parse_time,
    read_message,
)
from sdt.domain.region import Region
from sdt.domain.registry import NOBODY
from sdt.domain.transaction import Event, Status
from sdt.store import Store, accounts, ledger, outbox, registry, reserves, transactions
from sdt.store.registry import FreezeRow, IdentityRow, KeyRow
from sdt.store.transactions import Change, TransactionRow
from sdt.workflows import payouts, settling

__all__ = ["ACTOR", "Settled", "project"]

log = logging.getLogger(__name__)

ACTOR = "worker:lane"


@dataclass(frozen=True, slots=True)
class Settled:
    """A batch that is final: its transactions in order, what travelled with them, and who was skipped why."""

    number: int
    rows: Sequence[TransactionRow]
    attached: Sequence[str]
    skipped: dict[int, SkipReason]


def project(store: Store, region: Region, batch: Settled, at_ms: int) -> None:
    """Post a final batch. The caller has opened the database transaction."""
    good = [row for position, row in enumerate(batch.rows) if position not in batch.skipped]
    bad = [(batch.rows[position], reason) for position, reason in sorted(batch.skipped.items())]
    if good and good[0].administrative:
        for row in good:
            _project_admin(store, region, row, at_ms)
    else:
        _project_value(store, region, good, at_ms)
    if bad:
        _reject(store, bad, at_ms)
        settling.skipped(store, region, [row for row, _ in bad], at_ms)
    _finish(store, region, batch.number, good, batch.attached, at_ms)


def _project_value(store: Store, region: Region, rows: Sequence[TransactionRow], at_ms: int) -> None:
    postings: list[tuple[str, Posting]] = []
    release: list[tuple[str, int]] = []
    for row in rows:
        postings += [(row.id, posting) for posting in _postings(region, row)]
        if row.held_units:
            release.append((row.ledger_account, row.held_units))
    ledger.post(store, postings, release=release, at_ms=at_ms)


def _postings(region: Region, row: TransactionRow) -> list[Posting]:
    if row.type == "issue":
        assert row.token and row.linked_id and row.counterparty, "an issue names its token, deposit and account"
        return issue_postings(row.token, row.linked_id, row.counterparty, row.units)
    if row.type == "adjust":
        return _adjustment(row)
    token, account = row.value
    fee_account = region.token(token).fee_account
    if row.type == "redeem":
        in_kind = region.token(token).domain == "cash"
        return redeem_postings(token, row.id, account, row.units, row.fee_units, fee_account, in_kind=in_kind)
    assert row.type == "transfer" and row.counterparty, f"a {row.type} does not move value"
    return transfer_postings(token, account, row.counterparty, row.units, row.fee_units, fee_account)


def _adjustment(row: TransactionRow) -> list[Posting]:
    m: Adjust = read_message(bytes(row.raw)).message
    post = remint_postings if m.kind == "remint" else clawback_postings
    return post(m.token, m.original, m.account, int(m.amount))


def _finish(
    store: Store, region: Region, number: int, rows: Sequence[TransactionRow], attached: Sequence[str], at_ms: int
) -> None:
    """Settled is final on chain; what asks nothing of a bank or a vault is completed with it, by its batch's row."""
    paid_out = [row.id for row in rows if row.type == "redeem"]
    transactions.advance_batch(store, paid_out, Event.SETTLE, from_status=Status.SUBMITTED, actor=ACTOR, at_ms=at_ms)
    staying = [row for row in rows if row.type != "redeem"]
    left = transactions.left_to_batch(store, number)
    assert left == len(staying) + len(attached), f"batch {number} speaks for {left} transactions"
    transactions.advance_whole_batch(
        store, number, (Event.SETTLE, Event.COMPLETE), from_status=Status.SUBMITTED, actor=ACTOR, at_ms=at_ms
    )
    reached = ((row.id, row.type, status) for status in (Status.SETTLED, Status.COMPLETED) for row in staying)
    outbox.put_effects(store, reached, at_ms)
    deposits = [row.linked_id for row in rows if row.type == "issue" and row.linked_id]
    if deposits:
        _issued(store, deposits, at_ms)
    settling.follow(store, region, [row for row in rows if row.type in ("redeem", "adjust")], at_ms)


def _issued(store: Store, deposits: Sequence[str], at_ms: int) -> None:
    """Complete the deposits that were minted against; one that the bank took back meanwhile is owed from now on."""
    found = transactions.get_many(store, deposits)
    waiting = [id_ for id_ in deposits if found[id_].status is Status.AWAITING_FUNDS]
    for id_ in set(deposits) - set(waiting):
        log.error("deposit %s was minted against and is %s: for an officer", id_, found[id_].status)
    through = (Event.ISSUED, Event.COMPLETE)
    transactions.advance_batch(store, waiting, through, from_status=Status.AWAITING_FUNDS, actor=ACTOR, at_ms=at_ms)
    settling.minted(store, [found[id_] for id_ in waiting], at_ms)


def _reject(store: Store, bad: Sequence[tuple[TransactionRow, SkipReason]], at_ms: int) -> None:
    """An item the contract skipped, or would skip: void its hold, say why."""
    ledger.release_holds(store, [(row.ledger_account, row.held_units) for row, _ in bad if row.held_units])
    transactions.move(
        store,
        [Change(row.id, Event.REJECT, code=reason.code, detail=reason.sentence) for row, reason in bad],
        actor=ACTOR,
        at_ms=at_ms,
    )


def _project_admin(store: Store, region: Region, row: TransactionRow, at_ms: int) -> None:
    signed = read_message(row.raw)
    handler = _ADMIN.get(signed.type)
    if handler is not None:
        handler(store, region, row, signed, at_ms)


def _register(store: Store, region: Region, row: TransactionRow, signed: Signed, at_ms: int) -> None:
    accounts.mark_registered(store, signed.message.account)
    _set_key(store, region, row, signed, at_ms)


def _set_key(store: Store, region: Region, row: TransactionRow, signed: Signed, at_ms: int) -> None:
    """What the Registry now says of the key that the message is about."""
    word = key_word(signed, region)
    public_key = unb64url(signed.message.public_key.encode())
    registry.upsert_key(
        store,
        KeyRow(
            kid=kid_of(public_key),
            public_key=public_key,
            account=None if word.account == NOBODY else word.account,
            roles=int(word.roles),
            scope=word.scope,
            status=word.status.name.lower(),
            expires_at_s=word.expires_s,
            registered_by=row.id,
        ),
    )


def _identity(store: Store, region: Region, row: TransactionRow, signed: Signed, at_ms: int) -> None:
    m: AttestIdentity = signed.message
    registry.set_identity(store, IdentityRow(m.account, m.domain, m.tier, m.resident, parse_time(m.expires_at)))


def _freeze(store: Store, region: Region, row: TransactionRow, signed: Signed, at_ms: int) -> None:
    m: Freeze = signed.message
    digest = order_digest(m.order, m.authority)
    symbols = [m.token] if m.token else list(region.token_index)
    for symbol in symbols:
        registry.set_freeze(store, FreezeRow(m.account, symbol, digest, parse_time(m.expires_at)))
    payouts.account_stopped(store, m.account, symbols, day_of(at_ms), at_ms)


def _unfreeze(store: Store, region: Region, row: TransactionRow, signed: Signed, at_ms: int) -> None:
    m: Unfreeze = signed.message
    for symbol in [m.token] if m.token else list(region.token_index):
        registry.clear_freeze(store, m.account, symbol)


def _attest(store: Store, region: Region, row: TransactionRow, signed: Signed, at_ms: int) -> None:
    m: AttestReserve = signed.message
    reserves.attest(store, m.token, int(m.reserve), parse_time(m.as_of), parse_time(m.valid_until), m.sequence)


def _fund(store: Store, region: Region, row: TransactionRow, signed: Signed, at_ms: int) -> None:
    m: Fund = signed.message
    reserves.fund(store, m.token, int(m.amount), m.sequence)
    if region.token(m.token).domain == "dollar":
        ledger.post(
            store,
            [(row.id, posting) for posting in fund_postings(m.token, int(m.amount))],
            release=[],
            at_ms=at_ms,
        )


def _release(store: Store, region: Region, row: TransactionRow, signed: Signed, at_ms: int) -> None:
    m: Release = signed.message
    reserves.release(store, m.token, int(m.amount), m.sequence)
    if region.token(m.token).domain == "dollar":
        ledger.post(
            store,
            [(row.id, posting) for posting in release_postings(m.token, int(m.amount))],
            release=[],
            at_ms=at_ms,
        )


def _seize(store: Store, region: Region, row: TransactionRow, signed: Signed, at_ms: int) -> None:
    """Post what an order took. Payments that held those funds are refused first: the freeze stops them anyhow."""
    m: Seize = signed.message
    stopped = transactions.holding(store, m.account, m.token)
    reason = SkipReason.PAYER_FROZEN
    _reject(store, [(payment, reason) for payment in stopped], at_ms)
    postings = seize_postings(m.token, m.account, m.to, int(m.amount))
    ledger.post(store, [(row.id, posting) for posting in postings], release=[], at_ms=at_ms)


_Handler = Callable[[Store, Region, TransactionRow, Signed, int], None]
_ADMIN: Final[dict[str, _Handler]] = {
    "register": _register,
    "rotate_key": _set_key,
    "grant_role": _set_key,
    "attest_identity": _identity,
    "freeze": _freeze,
    "unfreeze": _unfreeze,
    "attest_reserve": _attest,
    "fund": _fund,
    "release": _release,
    "seize": _seize,
}
"""The others have no entry: rules in force, allowances and pauses are the chain's to say."""
