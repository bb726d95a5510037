"""Makes receipts from the books and from what the chain node shows, and lets none out that does not verify.

Proofs of a batch are made once and kept while they are asked for. Curves and tries are imported at the first receipt:
an API that makes none stays light.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from sdt.api.keys import KeyCache
from sdt.api.services import Services
from sdt.domain.batch import leaf
from sdt.domain.envelope import unb64url
from sdt.domain.errors import SdtError, Unavailable
from sdt.domain.message import Register, read_message
from sdt.domain.transaction_id import id_bytes
from sdt.store import Store, transactions
from sdt.store.batches import BatchRow
from sdt.store.transactions import TransactionRow

if TYPE_CHECKING:
    from sdt.adapters.chain.reader import ChainReader
    from sdt.domain.receipt_make import BatchProof

__all__ = ["ReceiptMaker"]

BATCHES_KEPT: Final = 64
"""Proofs in memory. A full batch takes some 250 KB."""

log = logging.getLogger(__name__)


class ReceiptMaker:
    """One region's receipts. `close` it."""

    def __init__(self, services: Services, keys: KeyCache) -> None:
        self._services = services
        self._keys = keys
        self._reader: ChainReader | None = None
        self._proofs: OrderedDict[bytes, asyncio.Task[BatchProof]] = OrderedDict()

    async def close(self) -> None:
        """Let go of the chain node."""
        for task in self._proofs.values():
            task.cancel()
        await asyncio.gather(*self._proofs.values(), return_exceptions=True)
        if self._reader is not None:
            await self._reader.close()

    async def make(self, row: TransactionRow, batch: BatchRow) -> bytes:
        """Return the receipt of one item of a final batch.

        Errors: Unavailable (chain_unavailable; receipt_unproven when what the node shows proves something else).
        """
        public_key = await self._public_key(row)
        task = self._proof(batch)
        # One who hangs up must not end what the others wait for.
        proof = await asyncio.shield(task)
        try:
            return await asyncio.to_thread(self._verified, proof, row, batch, public_key)
        except Unavailable:
            # A proof that a lying node gave must not outlive the lie.
            if self._proofs.get(_name(batch)) is task:
                del self._proofs[_name(batch)]
            raise

    async def _public_key(self, row: TransactionRow) -> bytes:
        """Return the key that signed: the registry's, or that of a registration which never came into force."""
        key = await self._keys.find(row.kid)
        if key is not None:
            return key.public_key
        message = read_message(bytes(row.raw)).message
        assert isinstance(message, Register), "a message was accepted from a key that nobody registered"
        return unb64url(message.public_key.encode())

    def _proof(self, batch: BatchRow) -> asyncio.Task[BatchProof]:
        """Return the proof of a batch, made once even when many ask at the same time."""
        name = _name(batch)
        task = self._proofs.get(name)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._proofs[name] = asyncio.create_task(self._prove(batch))
        self._proofs.move_to_end(name)
        while len(self._proofs) > BATCHES_KEPT:
            self._proofs.popitem(last=False)
        return task

    async def _prove(self, batch: BatchRow) -> BatchProof:
        from sdt.domain.chain_tx import transaction_hash
        from sdt.domain.receipt_make import prove_batch
        from sdt.domain.receipt_seal import check_has_seals

        settlement = self._services.deployment.settlement
        assert batch.chain_tx_hash is not None and batch.block_hash is not None, "the batch is final"
        leaves = await self._services.store.read(_leaves, batch.number)
        try:
            whole = await self._chain().whole_block(bytes(batch.block_hash))
        except SdtError as error:
            raise Unavailable(f"The chain cannot be asked now: {error.detail}", code="chain_unavailable") from error
        assert settlement is not None, "without one no node is asked"
        hashes = [transaction_hash(raw) for raw in whole.transactions]
        if bytes(batch.chain_tx_hash) not in hashes:
            raise _unproven("the block has no such chain transaction", batch)
        index = hashes.index(bytes(batch.chain_tx_hash))
        try:
            check_has_seals(whole.header)
            return await asyncio.to_thread(
                prove_batch, leaves, settlement, whole.header, whole.transactions, whole.receipts, index
            )
        except SdtError as error:
            raise _unproven(error.detail, batch) from error

    def _chain(self) -> ChainReader:
        if self._reader is None:
            from sdt.adapters.chain.reader import ChainReader

            if not self._services.chain_urls or self._services.deployment.settlement is None:
                raise Unavailable("This API knows no chain node.", code="chain_unavailable")
            self._reader = ChainReader(self._services.chain_urls)
        return self._reader

    def _verified(self, proof: BatchProof, row: TransactionRow, batch: BatchRow, public_key: bytes) -> bytes:
        """Return the file, once it proves to us what it is to prove to its reader."""
        from sdt.domain.receipt import encode_receipt, read_receipt
        from sdt.domain.receipt_check import verify
        from sdt.domain.receipt_trust import KnownBlock, Trust

        ours, region = self._services.deployment, self._services.region
        assert batch.block_hash is not None and row.position is not None, "the batch is final"
        assert ours.settlement is not None and ours.chain_key is not None, "contracts are deployed"
        trust = Trust(
            ours.chain_id,
            ours.settlement,
            ours.chain_key,
            region.id,
            tuple(token.symbol for token in region.tokens),
            KnownBlock(bytes(batch.block_hash)),
        )
        try:
            file = encode_receipt(proof.receipt(row.position, bytes(row.raw), public_key))
            verified = verify(read_receipt(file), trust)
        except SdtError as error:
            raise _unproven(error.detail, batch) from error
        if (verified.signed.message.transaction_id, verified.batch_number) != (row.id, batch.number):
            raise _unproven("it is another transaction's", batch)
        return file


def _name(batch: BatchRow) -> bytes:
    assert batch.block_hash is not None, "a final batch is in a block"
    return bytes(batch.block_hash) + batch.number.to_bytes(8, "big")


def _leaves(store: Store, number: int) -> list[bytes]:
    rows = transactions.in_batch(store, number)
    assert [row.position for row in rows] == list(range(len(rows))), f"batch {number} has gaps"
    return [leaf(at, id_bytes(row.id), bytes(row.digest)) for at, row in enumerate(rows)]


def _unproven(why: str, batch: BatchRow) -> Unavailable:
    log.error("no receipt for batch %d: %s", batch.number, why)
    return Unavailable("What the chain node shows does not prove it; no receipt is given out.", code="receipt_unproven")
