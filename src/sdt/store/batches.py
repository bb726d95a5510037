"""Numbered batches on their way to the chain. What is signed is stored here before anybody sees it.

formed -> signed -> sent -> included -> final; any but the last may become void. A voided number is formed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from sdt.store.database import Store
from sdt.store.tables.core import UNFINISHED

__all__ = [
    "BatchRow",
    "FormedBatch",
    "form",
    "formed_after",
    "get",
    "heads",
    "last_final",
    "last_standing",
    "mark_final",
    "mark_included",
    "mark_sent",
    "mark_signed",
    "next_nonce",
    "unfinished",
    "void",
]

BatchStatus = Literal["formed", "signed", "sent", "included", "final", "void"]


@dataclass(frozen=True, slots=True)
class FormedBatch:
    """A batch before it is signed. `count` are its items, without what travels beside them."""

    number: int
    kind: Literal["value", "admin"]
    parent: bytes
    deadline_s: int
    nonce: int
    count: int
    formed_at_ms: int


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as it stands. Root, head, gas and the chain transaction are known once it is signed."""

    number: int
    kind: str
    status: BatchStatus
    parent: bytes
    head: bytes | None
    root: bytes | None
    deadline_s: int
    nonce: int
    gas: int | None
    count: int
    skipped_count: int
    chain_tx_hash: bytes | None
    raw_tx: bytes | None
    block_number: int | None
    block_hash: bytes | None
    formed_at_ms: int
    final_at_ms: int | None
    signed_at_ms: int | None


_COLUMNS: Final = ", ".join(field.name for field in fields(BatchRow))


def _where(store: Store, condition: str, parameters: Sequence[object] = ()) -> list[BatchRow]:
    found = store.rows(f"SELECT {_COLUMNS} FROM batches WHERE {condition}", parameters)  # noqa: S608
    return [BatchRow(*row) for row in found]


def form(store: Store, batch: FormedBatch, *, after: bytes | None = None) -> None:
    """Number a batch. It follows the last one that stands, by number and by parent (else AssertionError).

    `after` is the head of that one where it is not signed yet: until it is, nobody may be shown this batch.
    Its transactions are placed in it by `transactions.place_in_batch`, in the same transaction.
    """
    with store.transaction():
        last = last_standing(store)
        if last is not None:
            assert batch.number == last.number + 1, f"batch {batch.number} cannot follow {last.number}"
            head = after if last.status == "formed" else last.head
            assert head is not None and batch.parent == head, "a batch names the head it follows"
        store.execute(
            "INSERT INTO batches (number, kind, status, parent, deadline_s, nonce, count, skipped_count, "
            "formed_at_ms) VALUES (?, ?, 'formed', ?, ?, ?, ?, 0, ?)",
            (
                batch.number,
                batch.kind,
                batch.parent,
                batch.deadline_s,
                batch.nonce,
                batch.count,
                batch.formed_at_ms,
            ),
        )


def mark_signed(
    store: Store,
    number: int,
    *,
    root: bytes,
    head: bytes,
    gas: int,
    chain_tx_hash: bytes,
    raw_tx: bytes,
    signed_at_ms: int,
) -> None:
    """Store the signed chain transaction of a formed batch, before it is sent."""
    _update(
        store,
        number,
        ("formed",),
        "signed",
        {
            "root": root,
            "head": head,
            "gas": gas,
            "chain_tx_hash": chain_tx_hash,
            "raw_tx": raw_tx,
            "signed_at_ms": signed_at_ms,
        },
    )


def mark_sent(store: Store, number: int) -> None:
    """Note that nodes have it; also when the block it was included in has left the chain."""
    _update(store, number, ("signed", "sent", "included"), "sent", {"block_number": None, "block_hash": None})


def mark_included(store: Store, number: int, *, block_number: int, block_hash: bytes) -> None:
    """Note the block that has it, which may still leave the chain."""
    facts = {"block_number": block_number, "block_hash": block_hash}
    _update(store, number, ("signed", "sent", "included"), "included", facts)


def mark_final(
    store: Store, number: int, *, block_number: int, block_hash: bytes, skipped_count: int, final_at_ms: int
) -> None:
    """Note that the batch is final, and how many items the contract skipped."""
    facts = {
        "block_number": block_number,
        "block_hash": block_hash,
        "skipped_count": skipped_count,
        "final_at_ms": final_at_ms,
    }
    _update(store, number, ("signed", "sent", "included"), "final", facts)


def void(store: Store, numbers: Sequence[int], *, block_number: int | None = None) -> None:
    """Give up batches that the chain will not settle, so that their numbers can be formed again.

    `block_number` is the block in which the chain refused it as a whole: its nonce is spent. The caller sends the
    transactions back by UNBATCH, or rejects them, in the same transaction.
    """
    with store.transaction():
        for number in numbers:
            _update(
                store,
                number,
                ("formed", "signed", "sent", "included"),
                "void",
                {} if block_number is None else {"block_number": block_number},
            )


def _update(
    store: Store, number: int, before: tuple[BatchStatus, ...], after: BatchStatus, facts: dict[str, Any]
) -> None:
    allowed = ", ".join(f"'{status}'" for status in before)
    sets = "".join(f", {name} = ?" for name in facts)
    with store.transaction():
        changed = store.execute(
            f"UPDATE batches SET status = ?{sets} WHERE number = ? AND status IN ({allowed})",  # noqa: S608
            (after, *facts.values(), number),
        ).rowcount
        assert changed == 1, f"there is no batch {number} that could become {after}"


def unfinished(store: Store) -> list[BatchRow]:
    """Return the batches that are neither final nor void, in order."""
    return _where(store, f"{UNFINISHED} ORDER BY number")


def formed_after(store: Store, number: int) -> list[int]:
    """Return the numbers of batches behind this one that are formed and not signed, the last first."""
    found = store.rows(
        f"SELECT number FROM batches WHERE {UNFINISHED} AND status = 'formed' AND number > ? "  # noqa: S608
        "ORDER BY number DESC",
        (number,),
    )
    return [int(later) for (later,) in found]


def get(store: Store, number: int) -> BatchRow | None:
    """Return the batch that stands under a number."""
    return next(iter(_where(store, "number = ? AND status <> 'void'", (number,))), None)


def last_final(store: Store) -> BatchRow | None:
    """Return the newest final batch."""
    return next(iter(_where(store, "status = 'final' ORDER BY number DESC LIMIT 1")), None)


def last_standing(store: Store) -> BatchRow | None:
    """Return the newest batch that is not void: the next one follows it."""
    return next(iter(_where(store, "status <> 'void' ORDER BY number DESC LIMIT 1")), None)


def heads(store: Store) -> list[tuple[int, bytes]]:
    """Return number and head of every batch that was signed and stands."""
    return [
        (int(number), bytes(head))
        for number, head in store.rows("SELECT number, head FROM batches WHERE status <> 'void' AND head IS NOT NULL")
    ]


def next_nonce(store: Store) -> int:
    """Return the chain key's next nonce.

    A voided batch gives its nonce back unless a block has spent it. `lane.raise_nonce` says what was spent before
    there were batches.
    """
    (batch_nonce,) = store.row(
        "SELECT coalesce(max(nonce) + 1, 0) FROM batches WHERE status <> 'void' OR block_number IS NOT NULL"
    )
    (lane_nonce,) = store.row("SELECT coalesce(max(next_nonce), 0) FROM lane")
    return int(max(batch_nonce, lane_nonce))
