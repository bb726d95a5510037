"""Regions' contracts on a real EVM with Berlin rules, in memory, for the contract tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from coincurve import PrivateKey
from eth.abc import AtomicDatabaseAPI
from eth.chains.base import MiningChain
from eth.consensus import ConsensusApplier, NoProofConsensus
from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from eth.vm.forks.berlin import BerlinVM
from eth_abi.abi import decode, encode
from eth_hash.auto import keccak
from eth_utils.abi import (
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
    get_abi_input_types,
    get_abi_output_types,
)

from sdt.contracts import load
from sdt.domain.batch import (
    BATCH_SETTLED_TOPIC,
    GENESIS_HEAD,
    ITEM_SKIPPED_TOPIC,
    AdminItem,
    BatchSettled,
    ExchangeItem,
    ItemSkipped,
    SkipReason,
    ValueItem,
    administer_calldata,
    exchange_calldata,
    next_head,
    settle_calldata,
)
from sdt.domain.chain_tx import ChainTransaction, contract_address
from sdt.domain.registry import NOBODY, Domain, KeyWord, Role, account_bytes, pack_key_word

CHAIN_ID = 1337
START_S = 1_900_000_000
DAY_S = 86_400
GAS = 100_000_000
REGION = b"US-TX".ljust(32, b"\0")
NEIGHBOR = b"US-OK".ljust(32, b"\0")
DOLLAR, GOLD, SILVER = 0, 1, 2
TOKENS = (
    ("Texas Dollar", "USD", 2, Domain.DOLLAR),
    ("Texas Gold", "XAU", 9, Domain.CASH),
    ("Texas Silver", "XAG", 9, Domain.CASH),
)
DAILY_ALLOWANCE = 1_000_000
ALICE, BOB, CAROL, DAN = (f"0x{n}" for n in ("a1" * 20, "b0" * 20, "ca" * 20, "da" * 20))
FEES = "0x" + "fe" * 20
MINTER = "0x" + "15" * 20
ADMINISTRATORS = (b"\xa1" * 32, b"\xa2" * 32)

_VMS = ConsensusApplier(NoProofConsensus).amend_vm_configuration(((0, BerlinVM),))


class _Chain(MiningChain):
    chain_id = CHAIN_ID
    vm_configuration = _VMS

    def create_header_from_parent(self, parent: Any, **parameters: Any) -> Any:
        return super().create_header_from_parent(parent, **{**parameters, "gas_limit": parent.gas_limit})


class Key:
    """A secp256k1 key held whole, where the platform has three locations."""

    def __init__(self, seed: str) -> None:
        self._key = PrivateKey(sha256(seed.encode()).digest())
        self.address = "0x" + keccak(self._key.public_key.format(compressed=False)[1:])[12:].hex()

    def sign(self, transaction: ChainTransaction) -> bytes:
        signature = self._key.sign_recoverable(transaction.signing_hash(), hasher=None)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        return transaction.raw(r, s, signature[64])


@dataclass(frozen=True)
class Outcome:
    """What became of one chain transaction."""

    gas: int
    error: str | None
    logs: list[tuple[str, list[bytes], bytes]]

    @property
    def settled(self) -> BatchSettled:
        (found,) = (BatchSettled.from_log(t, d) for _, t, d in self.logs if t[0] == BATCH_SETTLED_TOPIC)
        return found

    @property
    def skipped(self) -> dict[int, SkipReason]:
        """Position to reason, as the logs tell it; the bitmap must say the same."""
        told = [ItemSkipped.from_log(t, d) for _, t, d in self.logs if t[0] == ITEM_SKIPPED_TOPIC]
        reasons = {skip.position: skip.reason for skip in told}
        assert sum(1 << position for position in reasons) == self.settled.skipped
        return reasons

    def events(self, name: str, address: str, event: str) -> list[tuple[Any, ...]]:
        """The values of each event of this kind from this contract, in the order of its definition."""
        entry = _entry(name, "event", event)
        topic = event_abi_to_log_topic(entry)
        return [_event_values(entry, t, d) for by, t, d in self.logs if by == address and t[0] == topic]


def _event_values(entry: Any, topics: list[bytes], data: bytes) -> tuple[Any, ...]:
    indexed, plain = iter(topics[1:]), iter(decode([i["type"] for i in entry["inputs"] if not i["indexed"]], data))
    return tuple(decode([i["type"]], next(indexed))[0] if i["indexed"] else next(plain) for i in entry["inputs"])


@dataclass
class Ground:
    """The chain that regions stand on, one or several: its blocks, its time, the senders' nonces."""

    db: AtomicDatabaseAPI
    header: Any = None
    now_s: int = START_S
    nonces: dict[str, int] = field(default_factory=dict)

    @classmethod
    def fresh(cls) -> Ground:
        db = AtomicDB(MemoryDB())
        genesis = {"difficulty": 1, "gas_limit": 10 * GAS, "timestamp": START_S - 1, "extra_data": b""}
        _Chain.from_genesis(db, genesis, {})
        return cls(db)

    def copy(self) -> Ground:
        """A chain of its own that starts where this one is."""
        db = AtomicDB(MemoryDB(dict(self.db.wrapped_db.kv_store)))
        return replace(self, db=db, nonces=dict(self.nonces))


@dataclass
class RegionOnChain:
    """Registry, three tokens and Settlement, and the head that the next batch must name."""

    ground: Ground
    id: bytes = REGION
    chain_key: Key = field(default_factory=lambda: Key("chain key"))
    number: int = 0
    head: bytes = GENESIS_HEAD
    registry: str = ""
    settlement: str = ""
    tokens: list[str] = field(default_factory=list)

    deployer = Key("deployer")
    stranger = Key("stranger")

    @property
    def now_s(self) -> int:
        return self.ground.now_s

    @now_s.setter
    def now_s(self, value: int) -> None:
        self.ground.now_s = value

    @property
    def nonces(self) -> dict[str, int]:
        return self.ground.nonces

    @classmethod
    def deployed(cls, ground: Ground | None = None, id: bytes = REGION, chain_key: str = "chain key") -> RegionOnChain:
        region = cls(ground or Ground.fresh(), id, Key(chain_key))
        region.settlement = region.address_after(1 + len(TOKENS))
        region.registry = region.create("Registry", *region.registry_arguments())
        region.tokens = [region.create("Token", *region.token_arguments(*token)) for token in TOKENS]
        assert region.create("Settlement", *region.settlement_arguments()) == region.settlement
        return region

    def copy(self, ground: Ground | None = None) -> RegionOnChain:
        """A region of its own that starts where this one is; on a ground that was copied before, where given."""
        return replace(self, ground=ground or self.ground.copy(), tokens=list(self.tokens))

    # --- constructors' arguments ---

    def registry_arguments(self) -> list[Any]:
        word = pack_key_word(KeyWord(NOBODY, Role.ADMINISTRATOR))
        return [self.settlement, self.id, [(key, word) for key in ADMINISTRATORS]]

    def token_arguments(self, name: str, symbol: str, decimals: int, domain: int) -> list[Any]:
        return [self.settlement, name, symbol, decimals, domain, FEES, DAILY_ALLOWANCE]

    def settlement_arguments(self) -> list[Any]:
        return [self.chain_key.address, self.id, self.registry, self.tokens]

    # --- chain transactions ---

    def address_after(self, contracts: int) -> str:
        """The address of what is deployed after so many more contracts."""
        return contract_address(self.deployer.address, self.nonces.get(self.deployer.address, 0) + contracts)

    def create(self, name: str, *values: Any) -> str:
        """Deploy a contract and return its address; AssertionError carries the revert's reason."""
        address = self.address_after(0)
        types = get_abi_input_types(_entry(name, "constructor"))
        outcome = self.send(self.deployer, None, load(name).bytecode + encode(types, values))
        assert outcome.error is None, outcome.error
        return address

    def write(self, key: Key, name: str, to: str, function: str, *values: Any) -> Outcome:
        """Call a function as a chain transaction."""
        return self.send(key, to, call_data(name, function, values))

    def send(self, key: Key, to: str | None, data: bytes, gas: int = GAS) -> Outcome:
        """Sign a chain transaction, mine it in a block of its own a second later, and return what became of it."""
        nonce = self.nonces.get(key.address, 0)
        raw = key.sign(ChainTransaction(CHAIN_ID, nonce, to, data, gas))
        self.now_s += 1
        chain = _Chain(self.ground.db, self.ground.header)
        chain.set_header_timestamp(self.now_s)
        transaction = chain.get_vm().get_transaction_builder().decode(raw)
        _, receipt, computation = chain.apply_transaction(transaction)
        chain.mine_block()
        self.ground.header = chain.header
        self.nonces[key.address] = nonce + 1
        logs = [
            ("0x" + log.address.hex(), [topic.to_bytes(32, "big") for topic in log.topics], log.data)
            for log in receipt.logs
        ]
        return Outcome(receipt.gas_used, _reason(computation), logs)

    def settle(self, *items: ValueItem) -> Outcome:
        return self._batch(settle_calldata, items)

    def administer(self, *items: AdminItem) -> Outcome:
        return self._batch(administer_calldata, items)

    def exchange(self, *items: ExchangeItem, gas: int = GAS) -> Outcome:
        return self._batch(exchange_calldata, items, gas)

    def _batch(self, calldata: Any, items: Sequence[Any], gas: int = GAS) -> Outcome:
        number, root = self.number + 1, sha256(b"%d" % self.number).digest()
        outcome = self.send(
            self.chain_key, self.settlement, calldata(number, self.head, root, self.now_s + 60, items), gas
        )
        assert outcome.error is None, outcome.error
        self.number, self.head = number, next_head(self.head, number, root)
        settled = outcome.settled
        assert (settled.number, settled.root, settled.head) == (number, root, self.head)
        assert settled.count == len(items)
        return outcome

    # --- reading ---

    def read(self, name: str, to: str, function: str, *values: Any) -> Any:
        """Ask a contract, at the time of the last block; several answers are a tuple."""
        chain = _Chain(self.ground.db, self.ground.header)
        chain.set_header_timestamp(self.now_s)
        output = _execute(chain, to, call_data(name, function, values))
        answers = decode(get_abi_output_types(_entry(name, "function", function)), output)
        return answers[0] if len(answers) == 1 else answers

    def token(self, token: int, function: str, *values: Any) -> Any:
        return self.read("Token", self.tokens[token], function, *values)

    def balance(self, token: int, account: str) -> int:
        return int(self.token(token, "balanceOf", account))

    def supply(self, token: int) -> int:
        return int(self.token(token, "totalSupply"))


def _entry(name: str, kind: str, called: str | None = None) -> Any:
    (entry,) = (e for e in load(name).abi if e["type"] == kind and e.get("name") == called)
    return entry


def call_data(name: str, function: str, values: Sequence[Any]) -> bytes:
    """The calldata of a function of one of our contracts."""
    entry = _entry(name, "function", function)
    return function_abi_to_4byte_selector(entry) + encode(get_abi_input_types(entry), values)


def _execute(chain: _Chain, to: str, data: bytes) -> bytes:
    vm = chain.get_vm()
    computation = vm.execute_bytecode(
        origin=bytes(20),
        gas_price=0,
        gas=GAS,
        to=account_bytes(to),
        sender=bytes(20),
        value=0,
        data=data,
        code=vm.state.get_code(account_bytes(to)),
    )
    computation.raise_if_error()
    return bytes(computation.output)


def _reason(computation: Any) -> str | None:
    if computation.is_success:
        return None
    data = bytes(computation.output)
    if data[:4] == keccak(b"Error(string)")[:4]:
        return str(decode(["string"], data[4:])[0])
    return f"{type(computation.error).__name__} {data.hex()}"
