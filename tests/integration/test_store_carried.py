"""The books have what the signed batch carried on chain, to the unit."""

from __future__ import annotations

import pytest
from coincurve import PrivateKey
from nacl.signing import SigningKey

from domain_messages import NOW_S, an_id, sealed, texas, transfer_claims
from sdt.api.admission import row_of
from sdt.domain.assembly import Frame, assemble
from sdt.domain.message import read_message
from sdt.domain.transaction import Event
from sdt.store import Store, batches, carried, transactions
from sdt.store.batches import FormedBatch
from sdt.store.transactions import Change

KEY, CHAIN_KEY = SigningKey(b"\x01" * 32), PrivateKey(b"\x02" * 32)
AT_MS = NOW_S * 1000
IDS = [an_id(n) for n in (1, 2)]


@pytest.fixture
def settled(store: Store) -> Store:
    """Two payments in one final batch, signed as the chain has it."""
    signed = [
        read_message(sealed("transfer", transfer_claims(transaction_id=id_, amount=str(100 + n)), KEY))
        for n, id_ in enumerate(IDS)
    ]
    transactions.insert_accepted(store, [row_of(each, 0, AT_MS) for each in signed])
    transactions.move(store, [Change(id_, Event.SCREEN) for id_ in IDS], actor="screening", at_ms=AT_MS)
    frame = Frame(1, bytes(32), NOW_S + 60, 0, 7919, "0x" + "5e" * 20)
    batches.form(store, FormedBatch(1, "value", frame.parent, frame.deadline_s, 0, len(IDS), AT_MS))
    transactions.place_in_batch(store, IDS, 1, actor="lane", at_ms=AT_MS)
    made = assemble(frame, signed, texas())
    mark = CHAIN_KEY.sign_recoverable(made.transaction.signing_hash(), hasher=None)
    raw = made.transaction.raw(int.from_bytes(mark[:32], "big"), int.from_bytes(mark[32:64], "big"), mark[64])
    batches.mark_signed(
        store, 1, root=made.root, head=made.head, gas=1, chain_tx_hash=bytes(32), raw_tx=raw, signed_at_ms=AT_MS
    )
    batches.mark_final(store, 1, block_number=9, block_hash=bytes(32), skipped_count=0, final_at_ms=AT_MS)
    return store


def test_nothing_differs_in_a_sound_database(settled: Store) -> None:
    assert carried.differences(settled) == []


@pytest.mark.parametrize(
    ("column", "said"), [("fee_units", "moved 101 and took 0, the books have 101 and 5"), ("units", "101 and took 0, ")]
)
def test_another_fee_or_amount_is_named(settled: Store, column: str, said: str) -> None:
    with settled.transaction():
        settled.execute(f"UPDATE transactions SET {column} = 5 WHERE id = ?", (IDS[1],))
    (found,) = carried.differences(settled)
    assert found.startswith(f"{IDS[1]}: batch 1 ")
    assert said in found


def test_what_the_contract_skipped_moved_nothing(settled: Store) -> None:
    with settled.transaction():
        settled.execute("UPDATE transactions SET fee_units = 5, status = 'rejected' WHERE id = ?", (IDS[1],))
    assert carried.differences(settled) == []


def test_a_batch_that_cannot_be_read_is_named(settled: Store) -> None:
    with settled.transaction():
        settled.execute("UPDATE batches SET raw_tx = ?", (b"\xc0",))
    assert carried.differences(settled) == [
        "batch 1: what was signed cannot be read: That is not a chain transaction as the platform sends them."
    ]
