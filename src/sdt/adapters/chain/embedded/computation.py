"""One frame of execution: py-evm's instructions at first, traces where a contract proves hot."""

from __future__ import annotations

from typing import Any

from eth.exceptions import Halt
from eth.vm.forks.berlin.computation import BerlinComputation
from eth.vm.logic.invalid import InvalidOpcode
from lru import LRU

from sdt.adapters.chain.embedded.trace_text import HALTED, step_from
from sdt.adapters.chain.embedded.translate import Trace, jump_destinations, translate

__all__ = ["Computation"]

_PROGRAMS_KEPT = 128
_HOT = 16  # passes after which translating (some 5 ms a trace) pays
_JUMPDEST = 0x5B


class _Program:
    """What is known of one contract's code."""

    def __init__(self, code: bytes) -> None:
        self.code = code
        self.destinations = jump_destinations(code)
        self.traces: dict[int, Trace] = {}
        self.passes: dict[int, int] = {}
        self.valid: set[int] = set(self.destinations)
        self.invalid: set[int] = set()

    def trace(self, pc: int, opcodes: dict[int, Any]) -> Trace | None:
        """Return the trace from a jump destination (or the first instruction), made when it becomes hot."""
        found = self.traces.get(pc)
        if found is None:
            passes = self.passes[pc] = self.passes.get(pc, 0) + 1
            if passes > _HOT:
                found = self.traces[pc] = translate(self.code, self.destinations, pc, opcodes)
        return found


_programs: LRU[bytes, _Program] = LRU(_PROGRAMS_KEPT)


def _program(code: bytes) -> _Program:
    found = _programs.get(code)
    if found is None:
        found = _programs[code] = _Program(code)
    return found


class Computation(BerlinComputation):  # type: ignore[misc]
    """Berlin's computation with another loop; everything around the loop is py-evm's."""

    @classmethod
    def apply_computation(
        cls, state: Any, message: Any, transaction_context: Any, parent_computation: Any = None
    ) -> Any:
        with cls(state, message, transaction_context) as computation:
            if parent_computation is not None:
                computation.contracts_created = parent_computation.contracts_created
            else:
                computation.contracts_created = []
            if message.is_create:
                computation.contracts_created.append(message.storage_address)
            precompile = cls._precompiles.get(message.code_address)
            if precompile is not None:
                precompile(computation)
            else:
                _run(computation, _program(message.code))
        return computation


def _run(computation: Any, program: _Program) -> None:
    computation.code.valid_positions = program.valid
    computation.code.invalid_positions = program.invalid
    stack = computation._stack.values
    meter = computation._gas_meter
    accounts = computation.state._account_db
    opcodes = computation.opcodes
    pc = 0
    try:
        while pc != HALTED:
            trace = program.trace(pc, opcodes) if pc >= 0 else None
            if trace is not None:
                pc = trace(computation, stack, meter, accounts)
            else:
                pc = _interpret(computation, program, pc if pc >= 0 else step_from(pc))
    except Halt:
        pass


def _interpret(computation: Any, program: _Program, pc: int) -> int:
    """Execute py-evm's instructions, at least one, up to a jump destination that has a trace."""
    stream = computation.code
    code, opcodes = program.code, computation.opcodes
    stream.program_counter = pc
    while True:
        op = code[pc] if pc < len(code) else 0
        stream.program_counter = pc + 1
        instruction = opcodes.get(op)
        (instruction or InvalidOpcode(op))(computation)
        pc = stream.program_counter
        if pc < len(code) and code[pc] == _JUMPDEST and program.trace(pc, opcodes) is not None:
            _to_integers(computation._stack.values)
            return pc


def _to_integers(stack: list[Any]) -> None:
    """py-evm leaves bytes or integers; traces compute with integers."""
    for i, value in enumerate(stack):
        if value.__class__ is bytes:
            stack[i] = int.from_bytes(value, "big")
