"""A region's contracts on a real chain, settling batches that tests make of signed messages with a key held whole."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from api_platform import NETWORK, REGION_FILE, Holder
from nacl.signing import SigningKey

from chain_node import mined, send
from receipt_rig import ChainKey
from sdt.adapters.chain.deploy import Deployment, deploy_region
from sdt.adapters.chain.reader import ChainReader, Receipt
from sdt.domain.assembly import Assembled, Frame, assemble
from sdt.domain.batch import GENESIS_HEAD
from sdt.domain.envelope import b64url, seal_envelope
from sdt.domain.message import format_time, read_message
from sdt.domain.region import load_region
from sdt.domain.registry import NOBODY, KeyWord, Role, pack_key_word
from sdt.domain.transaction_id import uuid7

REGION = load_region(REGION_FILE.read_bytes())
OFFICIAL = SigningKey(b"o" * 32)


@dataclass(frozen=True)
class Sent:
    """A batch that the chain took."""

    frame: Frame
    messages: Sequence[bytes]
    assembled: Assembled
    raw: bytes
    receipt: Receipt


class RegionOnNode:
    """Contracts, the chain key, and the line of batches."""

    def __init__(self, reader: ChainReader, deployment: Deployment, key: ChainKey) -> None:
        self.reader = reader
        self.deployment = deployment
        self.key = key
        self.number, self.parent, self.nonce = 1, GENESIS_HEAD, 0

    @classmethod
    async def deployed(cls, reader: ChainReader, folder: Path) -> RegionOnNode:
        word = pack_key_word(KeyWord(NOBODY, Role.ADMINISTRATOR))
        administrators = [(bytes(SigningKey(seed * 32).verify_key), word) for seed in (b"1", b"2")]
        key = ChainKey(secrets.token_hex())
        found = await deploy_region(reader, REGION, chain_key=key.address, administrators=administrators, folder=folder)
        return cls(reader, found, key)

    async def settle(self, messages: Sequence[bytes]) -> Sent:
        """Settle messages, as the signers would after all their checks."""
        deadline_s = int(time.time()) + 300
        ours = self.deployment
        frame = Frame(self.number, self.parent, deadline_s, self.nonce, ours.chain_id, ours.settlement)
        made = assemble(frame, [read_message(raw) for raw in messages], REGION)
        raw = self.key.sign(made.transaction)
        receipt = await mined(self.reader, await send(self.reader, raw))
        assert receipt.succeeded
        self.number, self.parent, self.nonce = self.number + 1, made.head, self.nonce + 1
        return Sent(frame, messages, made, raw, receipt)

    async def open(self, rich: Holder, poor: Holder) -> Sequence[Sent]:
        """Register and identify two holders, attest a reserve, and issue $500.00 to the first."""
        opened = [
            *(registration(holder) for holder in (rich, poor)),
            *(identity(holder) for holder in (rich, poor)),
            official("attest_reserve", token="TXD", reserve="100000", holdings="00" * 32, sequence=0, **_from_to()),
        ]
        issue = official(
            "issue", token="TXD", account=rich.account, amount="50000", deposit=fresh_id(), evidence="ab" * 32
        )
        return [await self.settle(opened), await self.settle([issue])]


def _from_to() -> dict[str, str]:
    return {"as_of": in_s(-1), "valid_until": in_s(86_400)}


def in_s(seconds: float) -> str:
    return format_time(int(time.time() + seconds))


def fresh_id() -> str:
    return uuid7(int(time.time() * 1000), secrets.token_bytes(10))


def claims(kind: str, **more: object) -> dict[str, object]:
    return {
        "type": kind,
        "version": 1,
        "network": NETWORK,
        "transaction_id": fresh_id(),
        "region": "US-TX",
        "issued_at": in_s(0),
        **more,
    }


def official(kind: str, **more: object) -> bytes:
    return seal_envelope(kind, claims(kind, **more), OFFICIAL)


def registration(holder: Holder) -> bytes:
    more = {
        "user_id": f"{secrets.token_hex(4)}-0000-4000-8000-{secrets.token_hex(6)}",
        "account": holder.account,
        "handle": holder.handle,
        "public_key": b64url(holder.public_key).decode(),
        "residency": "US-TX",
    }
    return seal_envelope("register", claims("register", **more), holder.key)


def identity(holder: Holder) -> bytes:
    return official(
        "attest_identity",
        account=holder.account,
        domain="dollar",
        tier=2,
        resident=True,
        evidence=secrets.token_hex(32),
        expires_at=in_s(86_400),
    )
