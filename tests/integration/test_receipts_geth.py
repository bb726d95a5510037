"""A receipt from a block of a real geth 1.10.3 with Clique: headers, tries and seals are what we take them for."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from api_platform import Holder
from coincurve import PrivateKey
from receipt_region import RegionOnNode, Sent

from ports import free_port
from receipt_rig import ChainKey
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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CHAIN_ID = 7920
SEALER = ChainKey("sealer")
DEPLOYER = ChainKey("deployer")


def _geth() -> str:
    found = shutil.which("geth")
    if found is None:
        pytest.skip("geth 1.10.3 is needed on PATH")
    return found


@dataclass
class Geth:
    url: str
    genesis: dict[str, object]


@pytest.fixture
def geth(tmp_path: Path) -> Iterator[Geth]:
    binary, data, port = _geth(), tmp_path / "node", free_port()
    forks = ("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul")
    rules = {f"{fork}Block": 0 for fork in (*forks, "berlin")}
    genesis: dict[str, object] = {
        "config": {"chainId": CHAIN_ID, **rules, "clique": {"period": 1, "epoch": 30000}},
        "difficulty": "0x1",
        "gasLimit": "0x7270e00",
        "extraData": "0x" + "00" * 32 + SEALER.address[2:] + "00" * 65,
        "alloc": {DEPLOYER.address[2:]: {"balance": "0x" + "f" * 20}},
    }  # fmt: skip
    (tmp_path / "genesis.json").write_text(json.dumps(genesis))
    (tmp_path / "key").write_text(SEALER.key.secret.hex())
    (tmp_path / "password").write_text("")
    subprocess.run([binary, "--datadir", data, "init", tmp_path / "genesis.json"], check=True, capture_output=True)
    account = ["account", "import", "--password", tmp_path / "password", tmp_path / "key"]
    subprocess.run([binary, "--datadir", data, "--lightkdf", *account], check=True, capture_output=True)
    command = [
        *(binary, "--datadir", data, "--networkid", str(CHAIN_ID), "--nodiscover", "--maxpeers", "0", "--port", "0"),
        *("--http", "--http.port", str(port), "--http.api", "eth,net", "--rpc.txfeecap", "0", "--ipcdisable"),
        *("--mine", "--miner.threads", "1", "--miner.gasprice", "0", "--miner.gastarget", "120000000"),
        *("--unlock", SEALER.address, "--password", tmp_path / "password", "--allow-insecure-unlock"),
        *("--miner.etherbase", SEALER.address, "--txpool.pricelimit", "1", "--syncmode", "full"),
    ]
    log = (tmp_path / "geth.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield Geth(f"http://127.0.0.1:{port}", genesis)
    finally:
        process.kill()
        process.wait()
        log.close()


async def _up(reader: ChainReader) -> None:
    for _ in range(200):
        try:
            await reader.block_number()
        except ChainUnavailable:
            await asyncio.sleep(0.1)
        else:
            return


async def _file(reader: ChainReader, sent: Sent, position: int, holder: Holder) -> bytes:
    whole = await reader.whole_block(sent.receipt.block_hash)
    signed = [read_message(raw) for raw in sent.messages]
    leaves = [leaf(at, id_bytes(one.message.transaction_id), one.digest) for at, one in enumerate(signed)]
    index = [transaction_hash(raw) for raw in whole.transactions].index(sent.receipt.tx_hash)
    settlement = str(sent.assembled.transaction.to)
    proof = prove_batch(leaves, settlement, whole.header, whole.transactions, whole.receipts, index)
    return encode_receipt(proof.receipt(position, sent.messages[position], holder.public_key))


async def test_a_receipt_of_a_real_clique_block_verifies_against_its_genesis(geth: Geth, tmp_path: Path) -> None:
    # given a region on a geth chain that one signer seals
    alice, bob = Holder("alice.tx"), Holder("bob.tx")
    async with ChainReader([geth.url]) as reader:
        await _up(reader)
        deployer = PrivateKey(DEPLOYER.key.secret)
        region = await RegionOnNode.deployed(reader, tmp_path, deployer=deployer)
        opened, _ = await region.open(alice, bob)
        # when Alice's registration is proven by a block of it
        file = await _file(reader, opened, 0, alice)
    # then it verifies against the genesis that names the signer
    chain_id, anchor = read_genesis(geth.genesis)
    ours = region.deployment
    trust = Trust(chain_id, ours.settlement, ours.chain_key, anchor=anchor)
    found = verify(read_receipt(file), trust)
    assert (found.outcome, found.sealed, found.signed.type) == ("settled", "signer", "register")
    # and not against another signer
    with pytest.raises(ReceiptRefused):
        verify(
            read_receipt(file), Trust(chain_id, ours.settlement, ours.chain_key, anchor=Signers(frozenset({bytes(20)})))
        )
