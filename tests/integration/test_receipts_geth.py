"""A receipt from a block of a real geth 1.10.3 with Clique: headers, tries and seals are what we take them for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from api_platform import Holder
from receipt_region import RegionOnNode, Sent

from geth import GethNode
from sdt.adapters.chain.errors import ChainUnavailable
from sdt.adapters.chain.reader import ChainReader
from sdt.domain.batch import leaf
from sdt.domain.chain_tx import transaction_hash
from sdt.domain.message import read_message
from sdt.domain.receipt import encode_receipt, read_receipt
from sdt.domain.receipt_check import ReceiptRefused, verify
from sdt.domain.receipt_make import prove_batch
from sdt.domain.receipt_trust import Signers, Trust, read_genesis
from sdt.domain.transaction_id import id_bytes

pytestmark = pytest.mark.slow


@pytest.fixture
def geth(tmp_path: Path) -> Iterator[GethNode]:
    with GethNode(tmp_path) as running:
        yield running


async def _file(reader: ChainReader, sent: Sent, position: int, holder: Holder) -> bytes:
    whole = await reader.whole_block(sent.receipt.block_hash)
    signed = [read_message(raw) for raw in sent.messages]
    leaves = [leaf(at, id_bytes(one.message.transaction_id), one.digest) for at, one in enumerate(signed)]
    index = [transaction_hash(raw) for raw in whole.transactions].index(sent.receipt.tx_hash)
    settlement = str(sent.assembled.transaction.to)
    proof = prove_batch(leaves, settlement, whole.header, whole.transactions, whole.receipts, index)
    return encode_receipt(proof.receipt(position, sent.messages[position], holder.public_key))


async def test_a_receipt_of_a_real_clique_block_verifies_against_its_genesis(geth: GethNode, tmp_path: Path) -> None:
    # given a region on a geth chain that one signer seals
    alice, bob = Holder("alice.tx"), Holder("bob.tx")
    async with ChainReader([geth.url]) as reader:
        await _up(reader)
        region = await RegionOnNode.deployed(reader, tmp_path)
        opened, _ = await region.open(alice, bob)
        # when Alice's registration is proven by a block of it
        file = await _file(reader, opened, 0, alice)
    # then it verifies against the genesis that names the signer
    chain_id, anchor = read_genesis(json.loads((tmp_path / "network" / "genesis.json").read_text()))
    ours = region.deployment
    trust = Trust(chain_id, ours.settlement, ours.chain_key, anchor=anchor)
    found = verify(read_receipt(file), trust)
    assert (found.outcome, found.sealed, found.signed.type) == ("settled", "signer", "register")
    # and not against another signer
    with pytest.raises(ReceiptRefused):
        verify(read_receipt(file), replace(trust, anchor=Signers(frozenset({bytes(20)}))))


async def _up(reader: ChainReader) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await reader.block_number()
            except ChainUnavailable:
                await asyncio.sleep(0.1)
            else:
                return
