"""The embedded chain's EVM against py-evm as it comes: same outcome, gas, logs and state root, whatever the code."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.berlin.state import BerlinState, BerlinTransactionExecutor

from sdt.adapters.chain.embedded import computation
from sdt.adapters.chain.embedded.evm import Evm
from sdt.adapters.chain.embedded.store import Log, Store
from sdt.adapters.chain.embedded.transaction import Transaction, intrinsic_gas
from sdt.adapters.chain.embedded.translate import jump_destinations
from sdt.adapters.chain.embedded.trie import BLANK_ROOT
from sdt.adapters.chain.embedded.view import StateDb, StateView

pytestmark = pytest.mark.slow

SENDER = b"\x51" * 20
CONTRACTS = [bytes([0xC0 + n]) * 20 for n in range(3)]
NOW_S = 1_900_000_000


class _Executor(BerlinTransactionExecutor):  # type: ignore[misc]
    def validate_transaction(self, transaction: Any) -> None:
        """Signatures are no part of this."""


class _Reference(BerlinState):  # type: ignore[misc]
    transaction_executor_class = _Executor


@pytest.fixture(autouse=True)
def translate_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computation, "_HOT", 1)


class Pair:
    """The same accounts in both."""

    def __init__(self, folder: Path, codes: list[bytes]) -> None:
        context = ExecutionContext(
            coinbase=bytes(20), timestamp=NOW_S, block_number=1, difficulty=1, mix_hash=bytes(32),
            gas_limit=30_000_000, prev_hashes=(), chain_id=1337,
        )  # fmt: skip
        self.reference = _Reference(AtomicDB(), context, BLANK_ROOT)
        view = StateView(StateDb(Store(folder / "state.sqlite")), 0, BLANK_ROOT)
        self.ours = Evm(view, number=1, timestamp=NOW_S, gas_limit=30_000_000, chain_id=1337, ancestors=())
        for accounts in (self.reference, self.ours.accounts):
            accounts.set_balance(SENDER, 10**18)
            for address, code in zip(CONTRACTS, codes, strict=False):
                accounts.set_code(address, code)
                accounts.set_nonce(address, 1)
                accounts.set_balance(address, 1000)
        self.nonce = 0

    def run(self, to: bytes, data: bytes, gas: int) -> str | None:
        """Run one transaction in both and compare what can be seen; return how it ended."""
        transaction = Transaction(
            nonce=self.nonce, gas_price=0, gas=gas, to=to, value=3, data=data, sender=SENDER,
            intrinsic_gas=intrinsic_gas(to, data, ()),
        )  # fmt: skip
        self.nonce += 1
        self.reference.lock_changes()
        expected = self.reference.apply_transaction(transaction)
        used = gas - expected.get_gas_remaining()
        used -= min(expected.get_gas_refund(), used // 2)
        outcome = self.ours.run(transaction)
        error = expected.error if expected.is_error else None
        assert type(outcome.error) is type(error), (outcome.error, error)
        assert outcome.output == expected.output
        assert outcome.gas_used == used
        assert outcome.logs == tuple(
            Log(address, tuple(t.to_bytes(32, "big") for t in topics), found)
            for address, topics, found in expected.get_log_entries()
        )
        return type(error).__name__ if error else None

    def compare_roots(self) -> None:
        self.reference.lock_changes()
        self.reference.persist()
        root, _, _ = self.ours.accounts.close()
        assert root == self.reference.state_root


OPERATIONS = [
    *range(0x01, 0x0C), *range(0x10, 0x1E), 0x20, *range(0x30, 0x39), 0x39, 0x3A, 0x3B, 0x3D, 0x3E, 0x3F,
    *range(0x40, 0x48), *[0x50] * 4, *[0x51] * 3, *[0x52] * 4, 0x53, *[0x54] * 4, *[0x55] * 4, 0x58, 0x59, 0x5A,
    *range(0x80, 0x90), *range(0x90, 0xA0), *range(0xA0, 0xA5), 0xF0, 0xF1, 0xF1, 0xF2, 0xF4, 0xF5, 0xFA, 0xFA, 0xFD,
]  # fmt: skip
ENDINGS = [0x00, 0xF3, 0xFD, 0xFE, 0xFF, 0x0C]
NUMBERS = [0, 1, 2, 3, 31, 32, 33, 64, 255, 256, 2**128, 2**160 - 1, 2**255, 2**256 - 1]


def random_code(rng: random.Random) -> bytes:
    """Code that keeps the stack filled, loops, jumps ahead and back, calls its neighbours, and now and then errs."""
    parts: list[bytes] = []
    marks: list[int] = []
    jumps: list[tuple[int, int]] = []
    size = 0

    def put(*values: int) -> None:
        nonlocal size
        parts.append(bytes(values))
        size += len(values)

    def number() -> None:
        value = rng.choice([rng.randrange(256), rng.randrange(64) * 32, *NUMBERS])
        width = max(1, (value.bit_length() + 7) // 8)
        put(0x5F + width, *value.to_bytes(width, "big"))

    def place() -> None:
        put(0x60, rng.randrange(0, 224))

    for _ in range(rng.randrange(4, 10)):
        number()
    for _ in range(rng.randrange(20, 90)):
        kind = rng.random()
        if kind < 0.32:
            number()
        elif kind < 0.40:
            marks.append(size)
            put(0x5B)
        elif kind < 0.52:
            jumps.append((size + 1, len(parts)))
            put(0x61, 0, 0, rng.choice([0x56, 0x57, 0x57, 0x57]))
        elif kind < 0.60:
            for _ in range(4):
                number()
            put(0x60, rng.choice([0, 32, 40]), 0x60, 0)
            put(0x73, *rng.choice([*CONTRACTS, b"\x01".rjust(20, b"\0"), b"\x04".rjust(20, b"\0")]))
            put(0x61, 0x20, 0, rng.choice([0xF1, 0xF2, 0xF4, 0xFA]))
        else:
            operation = rng.choice(OPERATIONS)
            if operation in (0x20, 0x51, 0x52, 0x53, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x37, 0x39, 0x3E, 0xF0, 0xF5):
                place()
                if rng.random() < 0.5:
                    place()
                    put(0x90)
            put(operation)
    put(rng.choice(ENDINGS))
    code = bytearray(b"".join(parts))
    for at, _ in jumps:
        target = rng.choice(marks) if marks and rng.random() < 0.97 else rng.randrange(len(code) + 2)
        code[at : at + 2] = target.to_bytes(2, "big")
    return bytes(code)


@pytest.mark.parametrize("seed", range(25))
def test_random_code_ends_alike(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    pair = Pair(tmp_path, [random_code(rng) for _ in CONTRACTS])
    for _ in range(8):
        pair.run(rng.choice(CONTRACTS), rng.randbytes(rng.choice([0, 4, 64, 100])), rng.randrange(30_000, 200_000))
    pair.compare_roots()


def test_the_random_code_reaches_every_kind_of_ending(tmp_path: Path) -> None:
    endings: set[str | None] = set()
    for seed in range(30):
        (tmp_path / str(seed)).mkdir()
        rng = random.Random(1000 + seed)
        pair = Pair(tmp_path / str(seed), [random_code(rng) for _ in CONTRACTS])
        endings |= {pair.run(rng.choice(CONTRACTS), b"", rng.randrange(30_000, 200_000)) for _ in range(6)}
    assert endings >= {None, "OutOfGas", "Revert", "InvalidInstruction", "InsufficientStack", "InvalidJumpDestination"}


# Operands taken and results left, of what a stack-aware program may use freely.
TAKES = {
    **dict.fromkeys([*range(0x01, 0x08), 0x0A, 0x0B, *range(0x10, 0x15), *range(0x16, 0x19), *range(0x1A, 0x1E)], 2),
    **dict.fromkeys([0x08, 0x09], 3),
    **dict.fromkeys([0x15, 0x19, 0x31, 0x35, 0x3B, 0x3F, 0x54], 1),
    **dict.fromkeys([0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3A, 0x3D, *range(0x41, 0x48), 0x58, 0x59, 0x5A], 0),
}
MEMORY_BYTES = 0x200


def sound_code(rng: random.Random) -> bytes:
    """Code that never errs and returns its memory and whole stack, so that no wrong result stays hidden."""
    code = bytearray()
    depth = 0

    def number(value: int) -> None:
        width = max(1, (value.bit_length() + 7) // 8)
        code.extend((0x5F + width, *value.to_bytes(width, "big")))

    def operand() -> None:
        """A constant, or one that a trace cannot foresee."""
        value = rng.choice([rng.randrange(4), *NUMBERS, -1])
        if value >= 0:
            number(value)
        else:
            number(rng.choice([0, 4, 32, 90]))
            code.append(0x35)

    def place() -> None:
        """A place in memory, a constant or (masked) one that a trace cannot foresee."""
        if rng.random() < 0.6:
            number(rng.randrange(MEMORY_BYTES - 32))
        else:
            code.extend(bytes.fromhex("600035 60ff 16".replace(" ", "")))

    for _ in range(rng.randrange(40, 160)):
        kind = rng.random()
        if depth < 3 or kind < 0.15:
            operand()
            depth += 1
        elif kind < 0.25 and depth >= 2:
            n = rng.randrange(1, min(depth, 16) + 1)
            code.append(0x7F + n if rng.random() < 0.5 or n == 16 or n == depth else 0x8F + n)
            depth += code[-1] < 0x90
        elif kind < 0.32:
            # a branch around something, by a condition that may come from the input
            operand()
            code.extend((0x61, *(len(code) + 4 + 4).to_bytes(2, "big"), 0x57, 0x60, 5, 0x01, 0x19))
            code.append(0x5B)
        elif kind < 0.38:
            place()
            code.append(0x51)
            depth += 1
        elif kind < 0.46:
            place()
            code.append(rng.choice([0x52, 0x52, 0x53]))
            depth -= 1
        elif kind < 0.52:
            place() if rng.random() < 0.5 else number(rng.choice([0, 1, 32, 33, 64]))
            place()
            code.append(0x20)
            depth += 1
        elif kind < 0.58:
            number(rng.choice([0, 1, 31, 32, 70]))
            operand()
            place()
            code.append(rng.choice([0x37, 0x39]))
        elif kind < 0.66:
            number(rng.randrange(4))
            code.append(0x55)
            depth -= 1
        elif kind < 0.72 and depth >= 4:
            topics = rng.randrange(5)
            place() if rng.random() < 0.5 else number(rng.choice([0, 1, 32, 64]))
            place()
            code.append(0xA0 + topics)
            depth -= topics
        elif kind < 0.74:
            code.append(0x50)
            depth -= 1
        else:
            operation = rng.choice([op for op, takes in TAKES.items() if takes <= depth])
            code.append(operation)
            depth += 1 - TAKES[operation]
    for n in range(depth):
        number(MEMORY_BYTES + 32 * n)
        code.append(0x52)
    number(MEMORY_BYTES + 32 * depth)
    code.extend((0x60, 0, 0xF3))
    return bytes(code)


@pytest.mark.parametrize("seed", range(30))
def test_sound_code_gives_the_same_results(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    pair = Pair(tmp_path, [sound_code(rng)])
    ended = pair.run(CONTRACTS[0], rng.randbytes(100), 3_000_000)
    for _ in range(3):
        data = rng.choice([b"", bytes(100), rng.randbytes(40), rng.randbytes(100), b"\xff" * 100])
        ended = pair.run(CONTRACTS[0], data, 3_000_000)
    assert ended is None
    # and with too little gas, wherever it runs out
    for _ in range(3):
        pair.run(CONTRACTS[0], rng.randbytes(100), rng.randrange(30_000, 150_000))
    pair.compare_roots()


@pytest.mark.parametrize("gas", range(21_000, 60_000, 977))
def test_gas_runs_out_at_the_same_instruction(gas: int, tmp_path: Path) -> None:
    # A loop that adds, stores in memory and in a slot, and logs: wherever it stops, both stop there.
    body = "6001 01 80 80 6020 02 52 80 80 6007 16 55 80 6020 6000 a1".replace(" ", "")
    code = bytes.fromhex("6000 5b".replace(" ", "") + body + "80 60ff 11 6002 57 00".replace(" ", ""))
    pair = Pair(tmp_path, [code])
    pair.run(CONTRACTS[0], b"", 1_000_000)
    pair.run(CONTRACTS[0], b"", gas)
    pair.compare_roots()


def test_a_thousand_nested_calls(tmp_path: Path) -> None:
    # given a contract that calls itself with all its gas
    call = "6000 6000 6000 6000 6000 30 5a f1 00".replace(" ", "")
    pair = Pair(tmp_path, [bytes.fromhex(call)])
    # then both stop at the same depth, by gas or by the limit of 1,024
    assert pair.run(CONTRACTS[0], b"", 30_000_000) is None
    pair.compare_roots()


def test_a_jump_into_data_is_none(tmp_path: Path) -> None:
    assert jump_destinations(bytes.fromhex("605b5b7f" + "5b" * 32 + "5b")) == {2, 36}
    assert jump_destinations(b"\x7f\x5b") == frozenset()
    pair = Pair(tmp_path, [bytes.fromhex("600456605b00")])
    assert pair.run(CONTRACTS[0], b"", 100_000) == "InvalidInstruction"


def test_an_account_is_destroyed_and_made_again(tmp_path: Path) -> None:
    # given a factory that creates by CREATE2 a contract which writes a slot when made and destroys itself when called
    child_runtime = bytes.fromhex("33ff")
    child = bytes.fromhex("6001 6000 55 61 33ff 6000 52 6002 601e f3".replace(" ", ""))
    assert child_runtime in child
    factory = bytes.fromhex(
        f"{0x5F + len(child):02x}{child.hex()} 6000 52 6007 60{len(child):02x} 60{32 - len(child):02x} 6000 f5"
        " 6000 52 6020 6000 f3".replace(" ", "")
    )
    pair = Pair(tmp_path, [factory])
    from eth_hash.auto import keccak

    made = keccak(b"\xff" + CONTRACTS[0] + (7).to_bytes(32, "big") + keccak(child))[12:]
    # when it is made, destroyed, made again
    for to in (CONTRACTS[0], made, CONTRACTS[0], CONTRACTS[0], made):
        pair.run(to, b"", 500_000)
    assert pair.ours.accounts.get_storage(made, 0) == 0
    pair.compare_roots()


def test_the_stack_overflows_at_the_same_depth(tmp_path: Path) -> None:
    pair = Pair(tmp_path, [bytes.fromhex("5b6001600056"), bytes.fromhex("5b600180808080600056")])
    assert pair.run(CONTRACTS[0], b"", 1_000_000) == "FullStack"
    assert pair.run(CONTRACTS[1], b"", 1_000_000) == "FullStack"
    pair.compare_roots()


def test_a_store_needs_more_than_2300_gas(tmp_path: Path) -> None:
    pair = Pair(tmp_path, [bytes.fromhex("600160005500")])
    for _ in range(3):
        pair.run(CONTRACTS[0], b"", 100_000)
    endings = [pair.run(CONTRACTS[0], b"", 21_006 + left) for left in range(2_295, 2_306)]
    assert endings == ["OutOfGas"] * 6 + [None] * 5


def test_much_memory_costs_the_square(tmp_path: Path) -> None:
    # given code that stores at the place its input names
    pair = Pair(tmp_path, [bytes.fromhex("600160003552596000526020 6000f3".replace(" ", ""))])
    for place in (0, 1, 31, 32, 1_000, 22_000, 65_536, 500_000, 2**40, 2**256 - 1):
        for _ in range(2):
            pair.run(CONTRACTS[0], place.to_bytes(32, "big"), 3_000_000)
    pair.compare_roots()


@pytest.mark.parametrize("operation", [*range(0x01, 0x0C), *range(0x10, 0x1E)])
def test_every_operation_on_telling_operands(operation: int, tmp_path: Path) -> None:
    # given code that applies it to words of its input
    code = (
        bytes.fromhex("604035 602035 600035".replace(" ", "")) + bytes([operation]) + bytes.fromhex("60005260206000f3")
    )
    pair = Pair(tmp_path, [code])
    for a in (0, 1, 2, 31, 32, 255, 256, 257, 2**255, 2**256 - 1):
        for b in (0, 1, 3, 0x80, 2**255, 2**256 - 2):
            pair.run(CONTRACTS[0], b"".join(n.to_bytes(32, "big") for n in (a, b, 5)), 100_000)
