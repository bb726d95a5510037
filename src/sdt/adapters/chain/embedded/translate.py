"""Hot stretches of EVM code as Python functions.

Interpreting costs two microseconds an instruction, nearly all of it dispatch, stack and gas bookkeeping. A
*trace* runs from a jump destination along the straight path (static jumps followed, conditional ones as exits),
with the stack in local variables and gas charged once per stretch. It does only what is common: whatever could
fail (gas, stack, a bad jump, a write in a static call) leaves the trace *before* the instruction in question, and
py-evm's own instruction decides. So errors, their order and the gas burnt stay py-evm's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sdt.adapters.chain.embedded import fast_ops
from sdt.adapters.chain.embedded.trace_text import HALTED, TraceText, Value, step_from

__all__ = ["Trace", "jump_destinations", "translate"]

Trace = Callable[[Any, list[Any], Any, Any], int]
"""(computation, stack, gas meter, accounts) -> where to go on: a trace's start, HALTED, or `step_from(pc)`."""

_INSTRUCTIONS_MAX = 400

_STOP, _SHA3, _JUMP, _JUMPI, _PC, _MSIZE, _GAS, _JUMPDEST = 0x00, 0x20, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x5B
_MLOAD, _MSTORE, _SLOAD, _SSTORE, _RETURN = 0x51, 0x52, 0x54, 0x55, 0xF3
_CALLDATALOAD, _CALLDATACOPY, _CODECOPY = 0x35, 0x37, 0x39

# Operands: a is the top of the stack. M is 2**256 - 1, S the sign bit.
_INTEGERS = {
    0x01: ("({a} + {b}) & M", 3),
    0x02: ("({a} * {b}) & M", 5),
    0x03: ("({a} - {b}) & M", 3),
    0x04: ("{a} // {b} if {b} else 0", 5),
    0x06: ("{a} % {b} if {b} else 0", 5),
    0x16: ("{a} & {b}", 3),
    0x17: ("{a} | {b}", 3),
    0x18: ("{a} ^ {b}", 3),
    0x1B: ("({b} << {a}) & M if {a} < 256 else 0", 3),
    0x1C: ("{b} >> {a} if {a} < 256 else 0", 3),
}
_TRUTHS = {
    0x10: "{a} < {b}",
    0x11: "{a} > {b}",
    0x12: "({a} ^ S) < ({b} ^ S)",
    0x13: "({a} ^ S) > ({b} ^ S)",
    0x14: "{a} == {b}",
}
_FACTS = {
    0x30: "int.from_bytes(c.msg.storage_address, 'big')",
    0x33: "int.from_bytes(c.msg.sender, 'big')",
    0x34: "c.msg.value",
    0x36: "len(c.msg.data)",
    0x3D: "len(c.return_data)",
    0x42: "c.state.timestamp",
    0x43: "c.state.block_number",
    _MSIZE: "len(mem)",
}
# Left to py-evm, which also charges them: how many operands they take and results they leave.
_FOREIGN = {
    0x05: (2, 1), 0x07: (2, 1), 0x08: (3, 1), 0x09: (3, 1), 0x0A: (2, 1), 0x0B: (2, 1), 0x1A: (2, 1),
    0x1D: (2, 1), 0x31: (1, 1), 0x32: (0, 1), 0x38: (0, 1), 0x3A: (0, 1), 0x3B: (1, 1), 0x3C: (4, 0),
    0x3E: (3, 0), 0x3F: (1, 1), 0x40: (1, 1), 0x41: (0, 1), 0x44: (0, 1), 0x45: (0, 1), 0x46: (0, 1),
    0x47: (0, 1), 0x53: (2, 0), 0xF0: (3, 1), 0xF1: (7, 1), 0xF2: (7, 1), 0xF4: (6, 1), 0xF5: (4, 1),
    0xFA: (6, 1),
}  # fmt: skip


def jump_destinations(code: bytes) -> frozenset[int]:
    """Return where jumps may land: JUMPDEST bytes that are instructions, not data."""
    found = []
    at = 0
    while at < len(code):
        instruction = code[at]
        if instruction == _JUMPDEST:
            found.append(at)
        at += instruction - 0x5E if 0x60 <= instruction <= 0x7F else 1
    return frozenset(found)


class _Builder(TraceText):
    """Writes the instructions of one trace."""

    def build(self) -> str:
        """Return the trace's source."""
        pc = self.start
        seen: set[int] = set()
        self.open_segment(pc)
        for _ in range(_INSTRUCTIONS_MAX):
            if pc in seen:
                break
            seen.add(pc)
            following = self.instruction(pc)
            if following is None:
                return self.source()
            pc = following
        self.close_segment()
        # A trace may not end where it began without having moved.
        self.go(str(pc) if pc in self.destinations else str(step_from(pc)))
        return self.source()

    def instruction(self, pc: int) -> int | None:
        """Write one instruction; return where the straight path goes on, None where it ends."""
        op = self.code[pc] if pc < len(self.code) else _STOP
        self.before = (pc, self.segment_gas)
        self.leave_text = self.flushed()
        if 0x60 <= op <= 0x7F:
            return self.push_constant(pc, op)
        if op in _INTEGERS:
            text, gas = _INTEGERS[op]
            a, b = self.pop_integer(), self.pop_integer()
            self.push(Value(self.name(text.format(a=a, b=b))))
            self.segment_gas += gas
        elif op in _TRUTHS:
            a, b = self.pop_integer(), self.pop_integer()
            self.push(Value(f"({_TRUTHS[op].format(a=a, b=b)})", truth=True))
            self.segment_gas += 3
        elif op in _FACTS:
            self.push(Value(self.name(_FACTS[op])))
            self.segment_gas += 2
        elif 0x80 <= op <= 0x8F:
            self.duplicate(op - 0x7F)
            self.segment_gas += 3
        elif 0x90 <= op <= 0x9F:
            self.swap(op - 0x8F)
            self.segment_gas += 3
        else:
            return self.other(pc, op)
        return pc + 1

    def push_constant(self, pc: int, op: int) -> int:
        size = op - 0x5F
        value = int.from_bytes(self.code[pc + 1 : pc + 1 + size].ljust(size, b"\0"), "big")
        self.push(Value(hex(value), constant=value))
        self.segment_gas += 3
        return pc + 1 + size

    def other(self, pc: int, op: int) -> int | None:
        if op == 0x15:
            value = self.pop()
            self.push(Value(f"(not {value.text})" if value.truth else f"({value.text} == 0)", truth=True))
            self.segment_gas += 3
        elif op == 0x19:
            self.push(Value(self.name(f"{self.pop_integer()} ^ M")))
            self.segment_gas += 3
        elif op == 0x50:
            self.pop()
            self.segment_gas += 2
        elif op == _PC:
            self.push(Value(hex(pc), constant=pc))
            self.segment_gas += 2
        elif op == _JUMPDEST:
            self.segment_gas += 1
        elif op in (_JUMP, _JUMPI, _STOP, _RETURN):
            return self.flow(pc, op)
        elif op in _FOREIGN:
            self.foreign(pc, op)
        elif op in _MEMORY_AND_STATE:
            _MEMORY_AND_STATE[op](self, pc)
        elif 0xA0 <= op <= 0xA4:
            self.log(op - 0xA0)
        else:
            # REVERT, SELFDESTRUCT, invalid: rare, and the end of the frame.
            self.leave(0)
            self.close_segment()
            return None
        return pc + 1

    def flow(self, pc: int, op: int) -> int | None:
        if op == _STOP:
            self.close_segment()
            self.put("gm.gas_remaining = g", f"return {HALTED}")
            return None
        if op == _RETURN:
            at, size = self.pop_integer(), self.pop_integer()
            self.extend(at, size)
            self.close_segment()
            self.put(f"c._output = bytes(mem[{at}:{at} + {size}])", "gm.gas_remaining = g", f"return {HALTED}")
            return None
        target = self.pop()
        if op == _JUMP:
            return self.jump(target)
        self.segment_gas += 10
        condition = self.pop()
        if target.constant is None or target.constant not in self.destinations:
            # Only compilers' jump tables do this; let py-evm do the jump.
            self.leave(0)
            self.close_segment()
            return None
        self.close_segment()
        self.put(f"if {condition.text}:")
        self.go(str(target.constant), inside=1)
        self.open_segment(pc + 1)
        return pc + 1

    def jump(self, target: Value) -> int | None:
        if target.constant is not None and target.constant in self.destinations:
            self.segment_gas += 8
            return target.constant
        self.put(f"if {target.text} not in J:")
        self.leave(1)
        self.segment_gas += 8
        self.close_segment()
        self.go(target.text)
        return None

    def foreign(self, pc: int, op: int) -> None:
        """Let py-evm execute an instruction on the real stack, with the exact gas."""
        takes, leaves = _FOREIGN[op]
        operands = [self.pop_integer() for _ in range(takes)]
        self.close_segment()
        if operands:
            self.put(f"s += ({', '.join(reversed(operands))},)")
        self.put("gm.gas_remaining = g", f"O{op}(c)", "g = gm.gas_remaining", "mem = c._memory._bytes")
        if leaves:
            name = self.name("s.pop()")
            self.put(f"if {name}.__class__ is bytes: {name} = int.from_bytes({name}, 'big')")
            self.push(Value(name))
        self.open_segment(pc + 1)

    # Memory and state

    def extend(self, at: str, size: str) -> None:
        """Make sure that memory reaches to at + size, charging for what is added.

        Comes before any other charge of its instruction: memory that was paid for stays if py-evm takes over.
        """
        if at.startswith("0x") and size.startswith("0x"):
            start, length = int(at, 16), int(size, 16)
            if not length or start + length <= self.memory_known:
                return
            self.put(f"if len(mem) < {start + length}:")
            if start + length < 1 << 20:
                self.memory_known = start + length
        else:
            self.put(f"if {size} and len(mem) < {at} + {size}:")
        self.put(f"x = grow(mem, {at} + {size}, g)", "if x < 0:", inside=1)
        self.leave(2)
        self.put("g = x", inside=1)

    def mload(self, pc: int) -> None:
        at = self.pop_integer()
        self.extend(at, "0x20")
        self.push(Value(self.name(f"int.from_bytes(mem[{at}:{at} + 32], 'big')")))
        self.segment_gas += 3

    def mstore(self, pc: int) -> None:
        at, value = self.pop_integer(), self.pop_integer()
        self.extend(at, "0x20")
        self.put(f"mem[{at}:{at} + 32] = ({value}).to_bytes(32, 'big')")
        self.segment_gas += 3

    def sha3(self, pc: int) -> None:
        at, size = self.pop_integer(), self.pop_integer()
        self.extend(at, size)
        self.charge_words(size, 6)
        self.push(Value(self.name(f"int.from_bytes(keccak(bytes(mem[{at}:{at} + {size}])), 'big')")))
        self.segment_gas += 30

    def charge_words(self, size: str, gas_per_word: int) -> None:
        """Charge for each 32 bytes begun; part of the stretch when the size is a constant."""
        if size.startswith("0x"):
            self.segment_gas += gas_per_word * ((int(size, 16) + 31) // 32)
            return
        price = self.name(f"{gas_per_word} * (({size} + 31) // 32)")
        self.put(f"if g < {price}:")
        self.leave(1)
        self.put(f"g -= {price}")

    def calldataload(self, pc: int) -> None:
        at = self.pop_integer()
        self.push(Value(self.name(f"int.from_bytes(c.msg.data[{at}:{at} + 32].ljust(32, Z), 'big')")))
        self.segment_gas += 3

    def copy(self, source: str) -> None:
        to, at, size = self.pop_integer(), self.pop_integer(), self.pop_integer()
        self.extend(to, size)
        self.charge_words(size, 3)
        self.put(f"if {size}: mem[{to}:{to} + {size}] = {source}[{at}:{at} + {size}].ljust({size}, Z)")
        self.segment_gas += 3

    def gas(self, pc: int) -> None:
        self.segment_gas += 2
        self.close_segment()
        self.push(Value(self.name("g")))
        self.open_segment(pc + 1)

    def sload(self, pc: int) -> None:
        slot = self.pop_integer()
        self.put(f"x = sload_gas(db, c.msg.storage_address, {slot})", "if g < x:")
        self.leave(1)
        self.put("g -= x", f"if x != 100: db.mark_storage_warm(c.msg.storage_address, {slot})")
        self.push(Value(self.name(f"db.get_storage(c.msg.storage_address, {slot})")))

    def sstore(self, pc: int) -> None:
        slot, value = self.pop_integer(), self.pop_integer()
        # EIP-2200 looks at the exact gas left, so what comes after may not have been charged yet.
        self.close_segment()
        self.segment_gas, self.before = 0, (self.before[0], 0)
        self.refunds = []
        self.put(f"x = sstore(c, db, {slot}, {value}, g)", "if x < 0:")
        self.leave(1)
        self.put("g = x")
        for line, _ in self.refunds:
            self.lines[line] = self.lines[line].replace("@", "0")
        self.open_segment(pc + 1)

    def log(self, topics: int) -> None:
        at, size = self.pop_integer(), self.pop_integer()
        listed = "".join(self.pop_integer() + ", " for _ in range(topics))
        self.put("if c.msg.is_static:")
        self.leave(1)
        self.extend(at, size)
        if size.startswith("0x"):
            self.segment_gas += 8 * int(size, 16)
        else:
            self.put(f"if g < 8 * {size}:")
            self.leave(1)
            self.put(f"g -= 8 * {size}")
        self.put(f"log(c, ({listed}), bytes(mem[{at}:{at} + {size}]))")
        self.segment_gas += 375 + 375 * topics


_MEMORY_AND_STATE: dict[int, Callable[[_Builder, int], None]] = {
    _MLOAD: _Builder.mload,
    _MSTORE: _Builder.mstore,
    _SLOAD: _Builder.sload,
    _SSTORE: _Builder.sstore,
    _SHA3: _Builder.sha3,
    _GAS: _Builder.gas,
    _CALLDATALOAD: _Builder.calldataload,
    _CALLDATACOPY: lambda builder, _: builder.copy("c.msg.data"),
    _CODECOPY: lambda builder, _: builder.copy("c.msg.code"),
}


def translate(code: bytes, destinations: frozenset[int], start: int, opcodes: dict[int, Any]) -> Trace:
    """Return the trace that starts at a jump destination."""
    source = _Builder(code, destinations, start).build()
    names: dict[str, Any] = {
        **fast_ops.NAMES,
        **{f"O{op}": opcodes[op] for op in _FOREIGN},
        "M": (1 << 256) - 1,
        "S": 1 << 255,
        "Z": b"\0",
        "J": destinations,
    }
    # The source is made of this module's own text and of integers read from the code.
    exec(compile(source, f"<evm at {start}>", "exec"), names)  # noqa: S102
    trace: Trace = names["trace"]
    return trace
