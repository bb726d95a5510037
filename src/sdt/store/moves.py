"""How transactions change status: by the domain's table, with their events and effects, in one commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sdt.domain.transaction import Event, Status, advance
from sdt.store import events, outbox
from sdt.store.bulk import update_rows
from sdt.store.database import Store
from sdt.store.standing import STATUS
from sdt.store.tables.core import Transaction

__all__ = [
    "Change",
    "advance_batch",
    "advance_whole_batch",
    "attach_to_batch",
    "lock",
    "move",
    "place_in_batch",
    "renumber",
]


class Change(NamedTuple):
    """One event of one transaction, and what becomes known with it; None leaves a column as it is."""

    id: str
    event: Event
    code: str | None = None
    detail: str | None = None
    rule: str | None = None
    statute: str | None = None
    effective: str | None = None
    held_units: int | None = None
    batch_number: int | None = None
    position: int | None = None
    linked_id: str | None = None


_FACTS: Final = Change._fields[2:]


def lock(store: Store, ids: Iterable[str]) -> dict[str, tuple[str, Status]]:
    """Return type and status of transactions that nobody else changes until this transaction ends."""
    wanted = set(ids)
    if not wanted:
        return {}
    tail = " ORDER BY seq FOR UPDATE" if store.postgres else ""
    found = store.rows(
        f"SELECT id, type, {STATUS} FROM transactions WHERE {store.among('id')}{tail}",  # noqa: S608
        (store.listed(wanted),),
    )
    return {id: (type, Status(status)) for id, type, status in found}


def move(
    store: Store,
    changes: Sequence[Change],
    *,
    actor: str,
    at_ms: int,
    locked: Mapping[str, tuple[str, Status]] | None = None,
) -> None:
    """Apply events to transactions, each on its own; several of one transaction follow each other.

    A pair of status and event that the domain does not know is a bug (AssertionError) and undoes everything. Who
    acts on what another process may have changed looks with `lock` first, in the same transaction, and may hand in
    what it saw, so that it is not looked at again.
    """
    if not changes:
        return
    with store.transaction():
        standing = dict(locked or {})
        standing |= lock(store, {change.id for change in changes} - standing.keys())
        facts: dict[str, dict[str, object]] = {}
        log, reached = [], []
        for change in changes:
            assert change.id in standing, f"there is no transaction {change.id}"
            type, status = standing[change.id]
            following = advance(status, change.event)
            standing[change.id] = (type, following)
            known = facts.setdefault(change.id, {})
            if change.event is Event.UNBATCH or (status is Status.BATCHED and change.event is Event.REJECT):
                # It leaves its batch before the chain has seen it; what the chain skipped keeps its place as evidence.
                known |= {"batch_number": None, "position": None}
            if change.event is Event.SCREEN and status is not Status.ACCEPTED:
                # What it was held for is over; the event log keeps it.
                known |= {"code": None, "detail": None}
            known |= {name: value for name, value in zip(_FACTS, change[2:], strict=True) if value is not None}
            log.append((change.id, change.event.value, following.value, at_ms, actor, change.code))
            reached.append((change.id, type, following))
        _write(store, facts, standing, at_ms)
        events.append_rows(store, log)
        outbox.put_effects(store, reached, at_ms)


def _write(
    store: Store, facts: dict[str, dict[str, object]], standing: dict[str, tuple[str, Status]], at_ms: int
) -> None:
    """Update with one statement all rows that change in the same columns: an index untouched costs nothing."""
    groups: dict[tuple[str, ...], list[tuple[object, ...]]] = {}
    for id, known in facts.items():
        values = (standing[id][1].value, at_ms, *known.values(), id)
        groups.setdefault(tuple(known), []).append(values)
    for names, rows in groups.items():
        update_rows(store, Transaction, rows, key="id", put=("status", "updated_at_ms", *names))


def advance_batch(
    store: Store,
    ids: Sequence[str],
    event: Event | Sequence[Event],
    *,
    from_status: Status,
    actor: str,
    at_ms: int,
    batch_number: int | None = None,
) -> None:
    """Apply one event, or several in a row, to many transactions that all stand in `from_status`.

    Otherwise an AssertionError, and nothing is done. Several events cost one update of the rows.
    """
    if not ids:
        return
    following, steps = from_status, []
    for each in (event,) if isinstance(event, Event) else event:
        following = advance(following, each)
        steps.append((each, following))
    sets, values = "status = ?, updated_at_ms = ?", [following.value, at_ms]
    if any(each is Event.UNBATCH for each, _ in steps):
        sets += ", batch_number = NULL, position = NULL"
    elif batch_number is not None:
        sets, values = f"{sets}, batch_number = ?", [*values, batch_number]
    with store.transaction():
        changed = store.execute(
            f"UPDATE transactions SET {sets} WHERE {store.among('id')} AND {STATUS} = ?",  # noqa: S608
            (*values, store.listed(ids), from_status.value),
        ).rowcount
        assert changed == len(ids), f"{changed} of {len(ids)} transactions were {from_status}"
        for each, reached in steps:
            detail = str(batch_number) if each is Event.BATCH and batch_number is not None else None
            events.append(store, ids, each, reached, actor=actor, at_ms=at_ms, detail=detail)
            outbox.put_effects_of_all(store, ids, reached, at_ms)


def advance_whole_batch(
    store: Store, number: int, event: Event | Sequence[Event], *, from_status: Status, actor: str, at_ms: int
) -> None:
    """Note one event, or several in a row, of everything that the row of a batch speaks for.

    The caller changes the batch's own row in the same transaction (`batches.mark_signed`, `batches.mark_final`), asks
    for what follows from it (`outbox.put_effects`), and writes first what goes another way than its batch.
    """
    following = from_status
    for each in (event,) if isinstance(event, Event) else event:
        following = advance(following, each)
        events.append_of_batch(store, number, each, following, actor=actor, at_ms=at_ms)


def place_in_batch(store: Store, ids: Sequence[str], number: int, *, actor: str, at_ms: int) -> None:
    """Make screened transactions the items of a batch, in this order. Any that is not screened is a bug."""
    with store.transaction():
        following = advance(Status.SCREENED, Event.BATCH)
        update_rows(
            store,
            Transaction,
            [(following.value, at_ms, number, position, id) for position, id in enumerate(ids)],
            key="id",
            put=("status", "updated_at_ms", "batch_number", "position"),
            only=f"status = '{Status.SCREENED}'",
        )
        events.append(store, ids, Event.BATCH, following, actor=actor, at_ms=at_ms, detail=str(number))


def attach_to_batch(store: Store, ids: Sequence[str], number: int, *, actor: str, at_ms: int) -> None:
    """Let approvals travel with a batch, without a place of their own."""
    advance_batch(store, ids, Event.BATCH, from_status=Status.SCREENED, actor=actor, at_ms=at_ms, batch_number=number)


def renumber(store: Store, ids: Sequence[str]) -> None:
    """Close the gaps in a batch that lost items before it was signed: these are its items now, in this order."""
    with store.transaction():
        update_rows(
            store, Transaction, [(position, id) for position, id in enumerate(ids)], key="id", put=("position",)
        )
        store.execute(
            "UPDATE batches SET count = ? WHERE status = 'formed' "
            "AND number = (SELECT batch_number FROM transactions WHERE id = ?)",
            (len(ids), ids[0]),
        )
