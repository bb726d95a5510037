"""What the chain says of keys, accounts, freezes, rules and reserves, kept by this signer from its own node's events.

The tables hold everything up to the last final block; two bounded caches hold what batches ask for again and again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from eth_hash.auto import keccak

from sdt.adapters.chain.reader import Log
from sdt.domain.authority import KeyFacts
from sdt.domain.batch import BATCH_SETTLED_TOPIC, BatchSettled
from sdt.domain.envelope import kid_of
from sdt.domain.region import Region
from sdt.domain.registry import KeyStatus, unpack_key_word
from sdt.domain.rules import UNKNOWN, AccountFacts

CACHED_MAX: Final = 20_000


def _topic(signature: str) -> bytes:
    return bytes(keccak(signature.encode()))


KEY_SET: Final = _topic("KeySet(bytes32,address,bytes32)")
ACCOUNT_REGISTERED: Final = _topic("AccountRegistered(address,bytes32)")
IDENTITY_ATTESTED: Final = _topic("IdentityAttested(address,uint256,uint256,bool,uint256,bytes32)")
RULES_SET: Final = _topic("RulesSet(bytes32,uint256)")
FREEZE_ORDERED: Final = _topic("FreezeOrdered(address,bytes32,uint256)")
RESERVE_FUNDED: Final = _topic("ReserveFunded(uint256,uint256,bytes32)")
RESERVE_RELEASED: Final = _topic("ReserveReleased(uint256,uint256,bytes32)")

TOPICS: Final = (
    KEY_SET,
    ACCOUNT_REGISTERED,
    IDENTITY_ATTESTED,
    RULES_SET,
    FREEZE_ORDERED,
    RESERVE_FUNDED,
    RESERVE_RELEASED,
    BATCH_SETTLED_TOPIC,
)
_DOMAINS: Final = {1: "dollar", 2: "cash"}
_TABLES: Final = ("key", "account", "identity", "freeze", "sequence", "rules", "mark")


@dataclass(frozen=True, slots=True)
class Contracts:
    """Where the region's contracts are. Shape: addresses in lower-case 0x hex; tokens in Settlement's order."""

    settlement: str
    registry: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the tables are: the last final block taken in, and the last batch settled by then."""

    block: int
    block_hash: bytes
    time_s: int
    number: int
    head: bytes


class Registry:
    """Facts about keys and accounts; `apply` takes in events, `forget` begins anew."""

    def __init__(self, db: sqlite3.Connection, region: Region) -> None:
        self._db = db
        self._region = region
        self._keys: dict[str, KeyFacts] = {}
        self._accounts: dict[str, AccountFacts] = {}
        self._handles: dict[str, bytes] = {}

    # Reading

    def mark(self, settlement: str) -> Mark | None:
        """Return how far the tables are, or None when they are empty or of another contract."""
        row = self._db.execute(
            "SELECT block, block_hash, time_s, number, head FROM chain_mark WHERE settlement = ?", (settlement,)
        ).fetchone()
        return Mark(*row) if row else None

    def key(self, kid: str) -> KeyFacts | None:
        """Return what the registry says of a key, None if it never heard of it."""
        found = self._keys.get(kid)
        if found is None:
            row = self._db.execute("SELECT public_key, word FROM chain_key WHERE kid = ?", (kid,)).fetchone()
            if row is None:
                return None
            found = _key_facts(kid, *row)
            _keep(self._keys, kid, found)
        return found

    def account(self, address: str) -> AccountFacts:
        """Return what the chain says of an account."""
        found = self._accounts.get(address)
        if found is None:
            found = self._read_account(address)
            if found.exists:
                _keep(self._accounts, address, found)
        return found

    def handle_of(self, address: str) -> bytes:
        """Return the handle's hash bound to an account; empty when there is no such account."""
        found = self._handles.get(address)
        if found is None:
            row = self._db.execute("SELECT handle FROM chain_account WHERE address = ?", (address,)).fetchone()
            found = bytes(row[0]) if row else b""
            if found:  # an account may come, and never changes its handle
                _keep(self._handles, address, found)
        return found

    def _read_account(self, address: str) -> AccountFacts:
        if not self.handle_of(address):
            return UNKNOWN
        identities = self._db.execute(
            "SELECT domain, tier, resident, expires_s FROM chain_identity WHERE address = ?", (address,)
        ).fetchall()
        freezes = dict(
            self._db.execute("SELECT token, until_s FROM chain_freeze WHERE address = ?", (address,)).fetchall()
        )
        return AccountFacts(
            exists=True,
            tiers={_DOMAINS[domain]: (tier, expires_s) for domain, tier, _, expires_s in identities},
            resident={_DOMAINS[domain]: bool(resident) for domain, _, resident, _ in identities},
            frozen={token.symbol: freezes.get(place, 0) for place, token in enumerate(self._region.tokens)},
        )

    def sequence(self, token: int) -> int:
        """Return the last fund or release number of a token."""
        row = self._db.execute("SELECT sequence FROM chain_sequence WHERE token = ?", (token,)).fetchone()
        return int(row[0]) if row else 0

    def rules_digest(self, now_s: int) -> bytes:
        """Return the digest of the rules in force; zero before the first."""
        rules = dict(
            self._db.execute("SELECT place, digest FROM chain_rules WHERE effective_s <= ?", (now_s,)).fetchall()
        )
        in_force = rules.get(1, bytes(32))
        return bytes(in_force if any(in_force) else rules.get(0, bytes(32)))

    # Writing

    def forget(self, db: sqlite3.Connection) -> None:
        """Empty the tables: another contract, or a block that left the chain."""
        for table in _TABLES:
            db.execute(f"DELETE FROM chain_{table}")  # noqa: S608
        self._keys.clear()
        self._accounts.clear()
        self._handles.clear()

    def apply(self, db: sqlite3.Connection, contracts: Contracts, logs: Iterable[Log], mark: Mark) -> None:
        """Take in the events of final blocks up to a mark, in order, in the caller's database transaction."""
        number, head = mark.number, mark.head
        for log in logs:
            settled = self._apply_one(db, contracts, log)
            if settled is not None:
                number, head = settled.number, settled.head
        db.execute(
            "INSERT OR REPLACE INTO chain_mark (one, settlement, block, block_hash, time_s, number, head)"
            " VALUES (1, ?, ?, ?, ?, ?, ?)",
            (contracts.settlement, mark.block, mark.block_hash, mark.time_s, number, head),
        )

    def put_rules(self, db: sqlite3.Connection, answer: bytes) -> None:
        """Take in what the Registry contract answers to `rules()`: two times digest and effective time."""
        for place in (0, 1):
            digest, effective_s = (
                answer[64 * place : 64 * place + 32],
                _number(answer[64 * place + 32 : 64 * place + 64]),
            )
            db.execute("INSERT OR REPLACE INTO chain_rules VALUES (?, ?, ?)", (place, digest, effective_s))

    def _apply_one(self, db: sqlite3.Connection, contracts: Contracts, log: Log) -> BatchSettled | None:
        topic = log.topics[0]
        if log.address == contracts.settlement:
            return BatchSettled.from_log(log.topics, log.data) if topic == BATCH_SETTLED_TOPIC else None
        if log.address == contracts.registry:
            self._apply_registry(db, log, topic)
        elif log.address in contracts.tokens:
            self._apply_token(db, contracts.tokens.index(log.address), log, topic)
        return None

    def _apply_registry(self, db: sqlite3.Connection, log: Log, topic: bytes) -> None:
        if topic == KEY_SET:
            kid = kid_of(log.topics[1])
            self._keys.pop(kid, None)
            db.execute("INSERT OR REPLACE INTO chain_key VALUES (?, ?, ?)", (kid, log.topics[1], log.data))
        elif topic == ACCOUNT_REGISTERED:
            address = _address(log.topics[1])
            self._accounts.pop(address, None)
            db.execute("INSERT OR REPLACE INTO chain_account VALUES (?, ?)", (address, log.topics[2]))
        elif topic == IDENTITY_ATTESTED:
            address, domain = _address(log.topics[1]), _number(log.topics[2])
            tier, resident, expires_s, _ = _words(log.data)
            self._accounts.pop(address, None)
            db.execute(
                "INSERT OR REPLACE INTO chain_identity VALUES (?, ?, ?, ?, ?)",
                (address, domain, tier, resident, expires_s),
            )

    def _apply_token(self, db: sqlite3.Connection, place: int, log: Log, topic: bytes) -> None:
        if topic == FREEZE_ORDERED:
            address, [until_s] = _address(log.topics[1]), _words(log.data)
            self._accounts.pop(address, None)
            db.execute("INSERT OR REPLACE INTO chain_freeze VALUES (?, ?, ?)", (address, place, until_s))
        elif topic in (RESERVE_FUNDED, RESERVE_RELEASED):
            db.execute("INSERT OR REPLACE INTO chain_sequence VALUES (?, ?)", (place, _number(log.topics[1])))


def _key_facts(kid: str, public_key: bytes, word: bytes) -> KeyFacts:
    found = unpack_key_word(word)
    return KeyFacts(
        kid,
        public_key,
        found.account if any(word[:20]) else "",
        found.roles,
        found.scope,
        found.status is KeyStatus.ACTIVE,
        found.expires_s,
    )


_T = TypeVar("_T")


def _keep(cache: dict[str, _T], name: str, value: _T) -> None:
    """Keep a fact, forgetting all of them when there are too many: simple, and rare."""
    if len(cache) >= CACHED_MAX:
        cache.clear()
    cache[name] = value


def _address(topic: bytes) -> str:
    return "0x" + topic[12:].hex()


def _number(word: bytes) -> int:
    return int.from_bytes(word, "big")


def _words(data: bytes) -> list[int]:
    return [_number(data[at : at + 32]) for at in range(0, len(data), 32)]
