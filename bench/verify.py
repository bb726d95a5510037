"""What it costs to judge one signed payment, on one core: beside a bare PyNaCl verification of the same bytes."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import nacl.signing

from sdt.domain.envelope import kid_of, open_envelope, seal_envelope
from sdt.domain.message import NEVER_S, format_time, read_message
from sdt.domain.region import Region, load_region
from sdt.domain.rules import AccountFacts, check_rules
from sdt.domain.transaction_id import uuid7

__all__ = ["measure"]

NETWORK = "sdt-bench"
PAYERS = 20


def _message(key: nacl.signing.SigningKey, region: Region) -> bytes:
    now_s = int(time.time())
    claims = {
        "type": "transfer",
        "version": 1,
        "network": NETWORK,
        "transaction_id": uuid7(now_s * 1000, os.urandom(10)),
        "region": region.id,
        "issued_at": format_time(now_s),
        "token": "TXD",
        "payer": "0x" + os.urandom(20).hex(),
        "payee": "0x" + os.urandom(20).hex(),
        "payee_handle": "payee.tx",
        "amount": "12000",
        "fee_max": "0",
        "memo": "",
        "expires_at": format_time(now_s + 3600),
    }
    return seal_envelope("transfer", claims, key)


def _judge(messages: list[bytes], keys: dict[str, bytes], region: Region) -> None:
    """Shape, signature, every claim, and the region's rules, as API and signers do."""
    facts = AccountFacts(True, {"dollar": (1, NEVER_S)}, {"dollar": True})
    now_s = int(time.time())
    for raw in messages:
        envelope = open_envelope(raw)
        envelope.verify(keys[envelope.kid])
        signed = read_message(raw, envelope)
        assert check_rules(signed.type, signed.message, region, lambda _: facts, now_s) is None


def _bare(messages: list[tuple[nacl.signing.VerifyKey, bytes, bytes]]) -> None:
    for key, signed, signature in messages:
        key.verify(signed, signature)


def measure(region_file: Path, count: int = 2_000, repeats: int = 5) -> tuple[float, float]:
    """Return messages judged, and bare verifications, a second: medians of rounds that take turns."""
    region = load_region(region_file.read_bytes())
    people = [nacl.signing.SigningKey.generate() for _ in range(PAYERS)]
    keys = {kid_of(bytes(key.verify_key)): bytes(key.verify_key) for key in people}
    messages = [_message(people[n % PAYERS], region) for n in range(count)]
    opened = [open_envelope(raw) for raw in messages]
    bare = [
        (people[n % PAYERS].verify_key, raw.rpartition(b".")[0], envelope.signature)
        for n, (raw, envelope) in enumerate(zip(messages, opened, strict=True))
    ]
    judged_s, bare_s = [], []
    for _ in range(repeats):
        began = time.process_time()
        _judge(messages, keys, region)
        between = time.process_time()
        _bare(bare)
        judged_s.append(between - began)
        bare_s.append(time.process_time() - between)
    return count / statistics.median(judged_s), count / statistics.median(bare_s)
