"""A real embedded chain in a process of its own, and a key that sends to it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from coincurve import PrivateKey
from eth_hash.auto import keccak

from sdt.adapters.chain.reader import ChainReader, Receipt
from sdt.domain.chain_tx import ChainTransaction, transaction_hash

CHAIN_ID = 1337


class ChainNode:
    """Start, stop, kill; `url` is where it answers. A fixed port lets clients find it again after a restart."""

    def __init__(self, db: Path, *options: str) -> None:
        self.db = db
        self.options = options
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> ChainNode:
        command = [sys.executable, "-m", "sdt.adapters.chain.embedded", "--db", str(self.db)]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), *self.options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().split()
        assert line[:1] == ["ready"], f"the node did not start: {line}"
        self.port = int(line[1])
        return self

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self._gone()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._gone()

    def _gone(self) -> int:
        assert self.process is not None and self.process.stdout is not None
        code = self.process.wait(15)
        self.process.stdout.close()
        self.process = None
        return code

    def __enter__(self) -> ChainNode:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.kill()


class Sender:
    """A key and its count of transactions."""

    def __init__(self, seed: int = 1, nonce: int = 0) -> None:
        self.key = PrivateKey(keccak(b"sender" + seed.to_bytes(4, "big")))
        self.address = "0x" + keccak(self.key.public_key.format(compressed=False)[1:])[12:].hex()
        self.nonce = nonce

    def signed(
        self,
        to: str | None,
        data: bytes = b"",
        *,
        gas: int = 200_000,
        nonce: int | None = None,
        chain_id: int = CHAIN_ID,
        gas_price_wei: int = 0,
        value_wei: int = 0,
    ) -> bytes:
        """Return signed bytes; without a nonce, with the next one."""
        if nonce is None:
            nonce, self.nonce = self.nonce, self.nonce + 1
        unsigned = ChainTransaction(chain_id, nonce, to, data, gas, gas_price_wei, value_wei)
        signature = self.key.sign_recoverable(unsigned.signing_hash(), hasher=None)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        return unsigned.raw(r, s, signature[64])


async def send(reader: ChainReader, raw: bytes) -> bytes:
    """Send signed bytes; return their hash."""
    found = await reader.call("eth_sendRawTransaction", "0x" + raw.hex())
    assert found == "0x" + transaction_hash(raw).hex()
    return transaction_hash(raw)


async def mined(reader: ChainReader, tx_hash: bytes, within_s: float = 20) -> Receipt:
    """Wait for a receipt."""
    async with asyncio.timeout(within_s):
        while True:
            receipt = await reader.receipt(tx_hash)
            if receipt is not None:
                return receipt
            await asyncio.sleep(0.01)


def creating(runtime: bytes) -> bytes:
    """Return code that creates a contract with this runtime code."""
    size = len(runtime).to_bytes(2, "big").hex()
    return bytes.fromhex(f"61{size}600e600039 61{size}6000f3") + runtime


def words(*values: int) -> bytes:
    """Return 32-byte words."""
    return b"".join(value.to_bytes(32, "big") for value in values)


# (slot, value): stores it, logs the value with topics (1, slot). (slot): returns what the slot holds.
KEEPER = bytes.fromhex("604036106 01f57 60203560003555 602035600052 60003560016020 6000a2 00".replace(" ", ""))
KEEPER += bytes.fromhex("5b 600035 54 600052 6020 6000 f3")

# Always reverts with Error("no").
REASON = bytes.fromhex("08c379a0") + words(32, 2) + b"no".ljust(32, b"\0")
REVERTER = bytes.fromhex("6064600c6000396064 6000fd") + REASON
