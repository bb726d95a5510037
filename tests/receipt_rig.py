"""Receipts for tests: a block made by hand around a batch of real messages, sealed by whoever the test says.

The chain's answer (logs, bloom, roots) is written as Settlement would have; `integration/test_receipts.py` has blocks
that a chain made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from coincurve import PrivateKey
from eth_hash.auto import keccak
from nacl.signing import SigningKey

from domain_messages import ALICE, BOB, NOW_S, an_id, envelope_claims, key_text, sealed, texas, transfer_claims
from sdt.domain import rlp
from sdt.domain.assembly import Assembled, Frame, assemble
from sdt.domain.batch import (
    BATCH_SETTLED_TOPIC,
    GENESIS_HEAD,
    ITEM_SKIPPED_TOPIC,
    SkipReason,
    leaf,
    next_head,
)
from sdt.domain.chain_tx import ChainTransaction
from sdt.domain.message import format_time, read_message
from sdt.domain.mpt import IndexTrie
from sdt.domain.qbft import QBFT_MIX_HASH, Extra, Header
from sdt.domain.receipt import Receipt
from sdt.domain.receipt_make import BatchProof, prove_batch
from sdt.domain.receipt_trust import Trust
from sdt.domain.transaction_id import id_bytes

CHAIN_ID = 1337
SETTLEMENT = "0x" + "5e" * 20
TOKEN = "0x" + "70" * 20
CLIENT = SigningKey(b"a" * 32)
REGION = texas()


class ChainKey:
    """A secp256k1 key held whole."""

    def __init__(self, seed: str) -> None:
        self.key = PrivateKey(keccak(seed.encode()))
        self.raw_address = keccak(self.key.public_key.format(compressed=False)[1:])[12:]
        self.address = "0x" + self.raw_address.hex()

    def seal(self, digest: bytes) -> bytes:
        return self.key.sign_recoverable(digest, hasher=None)

    def sign(self, transaction: ChainTransaction) -> bytes:
        signature = self.seal(transaction.signing_hash())
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        return transaction.raw(r, s, signature[64])


CHAIN_KEY = ChainKey("chain key")
VALIDATORS = tuple(ChainKey(f"validator {n}") for n in range(4))


def trust(**changes: object) -> Trust:
    known = Trust(CHAIN_ID, SETTLEMENT, CHAIN_KEY.address, "US-TX", tuple(t.symbol for t in REGION.tokens))
    return replace(known, **changes)  # type: ignore[arg-type]


def transfers(count: int) -> list[bytes]:
    return [
        sealed("transfer", transfer_claims(transaction_id=an_id(seed), amount=str(100 + seed)), CLIENT)
        for seed in range(1, count + 1)
    ]


def registration(seed: int = 1, account: str = ALICE) -> bytes:
    key = SigningKey(bytes([seed]) * 32)
    claims = envelope_claims("register", seed) | {
        "user_id": "00000000-0000-4000-8000-000000000001",
        "account": account,
        "handle": f"user{seed}.tx",
        "public_key": key_text(key),
        "residency": "US-TX",
    }
    return sealed("register", claims, key)


def freeze(seed: int, token: str) -> bytes:
    claims = envelope_claims("freeze", seed) | {
        "account": BOB, "token": token, "order": "2026-1", "authority": "Court", "expires_at": format_time(NOW_S + 99),
    }  # fmt: skip
    return sealed("freeze", claims, CLIENT)


@dataclass(frozen=True)
class Made:
    """A batch in a block."""

    messages: Sequence[bytes]
    assembled: Assembled
    header: Header
    transactions: Sequence[bytes]
    receipts: Sequence[bytes]
    index: int

    @property
    def proof(self) -> BatchProof:
        signed = [read_message(raw) for raw in self.messages]
        leaves = [leaf(i, id_bytes(m.message.transaction_id), m.digest) for i, m in enumerate(signed)]
        return prove_batch(leaves, SETTLEMENT, self.header, self.transactions, self.receipts, self.index)

    def receipt(self, position: int = 0, key: SigningKey = CLIENT) -> Receipt:
        return self.proof.receipt(position, self.messages[position], bytes(key.verify_key))


def log(address: str, topics: Sequence[bytes], *words: int | bytes) -> rlp.Item:
    data = b"".join(word if isinstance(word, bytes) else word.to_bytes(32, "big") for word in words)
    return [bytes.fromhex(address[2:]), list(topics), data]


def answer_of(made: Assembled, number: int, parent: bytes, skipped: Mapping[int, SkipReason], status: int = 1) -> bytes:
    """Return the chain's receipt of a batch."""
    number_word = number.to_bytes(32, "big")
    logs = [log(TOKEN, [b"\7" * 32], 1)]
    logs += [log(SETTLEMENT, [ITEM_SKIPPED_TOPIC, number_word], at, int(why)) for at, why in skipped.items()]
    bitmap = sum(1 << at for at in skipped)
    head = next_head(parent, number, made.root)
    low, high = bitmap & (2**256 - 1), bitmap >> 256
    closing = log(SETTLEMENT, [BATCH_SETTLED_TOPIC, number_word], made.root, head, len(made.items), low, high)
    return rlp.encode([status, 90_000, bytes(256), [*logs, closing]])


def block(
    messages: Sequence[bytes],
    *,
    skipped: Mapping[int, SkipReason] | None = None,
    number: int = 7,
    before: int = 2,
    chain_id: int = CHAIN_ID,
    settlement: str = SETTLEMENT,
    key: ChainKey = CHAIN_KEY,
    status: int = 1,
) -> Made:
    """Return a block whose `before` first transactions are others, and then the batch."""
    frame = Frame(number, GENESIS_HEAD, NOW_S + 60, 3, chain_id, settlement)
    assembled = assemble(frame, [read_message(raw) for raw in messages], REGION)
    others = [ChainKey("other").sign(ChainTransaction(chain_id, n, TOKEN, b"", 21_000)) for n in range(before)]
    transactions = [*others, key.sign(assembled.transaction)]
    empty = rlp.encode([1, 21_000, bytes(256), []])
    answer = answer_of(assembled, number, GENESIS_HEAD, skipped or {}, status)
    receipts = [*[empty] * before, answer]
    return Made(messages, assembled, header_over(transactions, receipts), transactions, receipts, before)


def header_over(
    transactions: Sequence[bytes], receipts: Sequence[bytes], extra: bytes = b"by hand", mix: bytes = bytes(32)
) -> Header:
    """Return the header of block 42 over these."""
    values = (
        *(b"\1" * 32, b"\2" * 32, bytes(20), b"\3" * 32, IndexTrie(transactions).root, IndexTrie(receipts).root),
        *(bytes(256), 1, 42, 120_000_000, 150_000, NOW_S + 5, extra, mix, bytes(8)),
    )
    return stated(Header(values, bytes(32)))


def stated(header: Header) -> Header:
    """Return the header with its own hash beside it."""
    qbft = header.field("mixHash") == QBFT_MIX_HASH
    return replace(header, stated_hash=header.hash() if qbft else keccak(header.encode()))


def by_validators(
    made: Made, sealers: Sequence[ChainKey] = VALIDATORS[:3], listed: Sequence[ChainKey] = VALIDATORS, round_: int = 1
) -> Made:
    """Return the block as a QBFT network seals it."""
    extra = Extra(bytes(32), tuple(sorted(v.raw_address for v in listed)), (), round_, ())
    unsealed = header_over(made.transactions, made.receipts, extra.encode(round_=round_), QBFT_MIX_HASH)
    seals = tuple(key.seal(unsealed.sealed_hash()) for key in sealers)
    return replace(made, header=with_extra(unsealed, extra.encode(round_=round_, seals=seals)))


def by_signer(made: Made, sealer: ChainKey = VALIDATORS[0], vanity: bytes = bytes(32)) -> Made:
    """Return the block as a Clique network seals it."""
    unsealed = header_over(made.transactions, made.receipts, vanity)
    seal = sealer.seal(keccak(unsealed.encode()))
    return replace(made, header=with_extra(unsealed, vanity + seal))


def with_extra(header: Header, extra: bytes) -> Header:
    return stated(Header((*header.values[:12], extra, *header.values[13:]), bytes(32)))
