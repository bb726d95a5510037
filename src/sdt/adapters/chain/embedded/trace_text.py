"""The text of a trace: its symbolic stack, its stretches of gas, and the ways out of it.

See `translate` for what a trace is.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["HALTED", "STACK_MAX", "TraceText", "Value", "step_from"]

HALTED = -1
STACK_MAX = 1024


def step_from(pc: int) -> int:
    """Return the answer of a trace that asks py-evm to go on at this instruction; it is its own inverse."""
    return -2 - pc


class Value(NamedTuple):
    """A stack entry: Python text over names that never change, which gives an integer or (truth) a condition."""

    text: str
    truth: bool = False
    constant: int | None = None

    @property
    def integer(self) -> str:
        return f"(1 if {self.text} else 0)" if self.truth else self.text


class TraceText:
    """Collects one trace's statements.

    `stack` lies above the entries that are still on the real stack; `popped` of those are used up.
    """

    def __init__(self, code: bytes, destinations: frozenset[int], start: int) -> None:
        self.code = code
        self.destinations = destinations
        self.start = start
        self.lines: list[str] = []
        self.stack: list[Value] = []
        self.popped = 0
        self.loaded: set[int] = set()
        self.need = 0
        self.grow = 0
        self.names = 0
        self.memory_known = 0
        self.segment = 0
        self.segment_gas = 0
        self.refunds: list[tuple[int, int]] = []
        self.leaving: list[str] = []
        self.before = (0, 0)  # of the instruction in hand: its place, and the stretch's gas until then
        self.leave_text: list[str] = []

    # Stack

    def load(self, depth: int) -> Value:
        """Return the entry that lay so deep when the trace began, 1 being the top."""
        self.need = max(self.need, depth)
        if depth not in self.loaded:
            self.loaded.add(depth)
            self.put(f"e{depth} = s[-{depth}]")
        return Value(f"e{depth}")

    def pop(self) -> Value:
        if self.stack:
            return self.stack.pop()
        self.popped += 1
        return self.load(self.popped)

    def pop_integer(self) -> str:
        """Take the top entry as the name or literal of an integer, written once however often it is used."""
        value = self.pop()
        return self.name(value.integer) if value.truth else value.text

    def push(self, value: Value) -> None:
        self.stack.append(value)
        self.grow = max(self.grow, len(self.stack) - self.popped)

    def name(self, text: str) -> str:
        self.names += 1
        self.put(f"v{self.names} = {text}")
        return f"v{self.names}"

    def duplicate(self, n: int) -> None:
        self.push(self.stack[-n] if n <= len(self.stack) else self.load(self.popped + n - len(self.stack)))

    def swap(self, n: int) -> None:
        while len(self.stack) < n + 1:
            self.popped += 1
            self.stack.insert(0, self.load(self.popped))
        self.stack[-1], self.stack[-1 - n] = self.stack[-1 - n], self.stack[-1]

    def flushed(self) -> list[str]:
        """Return the statements that bring the real stack up to date."""
        texts, popped = [value.integer for value in self.stack], self.popped
        while texts and popped and texts[0] == f"e{popped}":
            del texts[0]
            popped -= 1
        listed = "".join(text + ", " for text in texts)
        if popped:
            return [f"s[-{popped}:] = ({listed})"] if texts else [f"del s[-{popped}:]"]
        return [f"s += ({listed})"] if texts else []

    # Text and gas

    def put(self, *statements: str, inside: int = 0) -> None:
        self.lines += ["    " * (1 + inside) + statement for statement in statements]

    def open_segment(self, pc: int) -> None:
        """Begin a stretch whose gas is charged at once; the charge is written when its end is known."""
        self.segment = len(self.lines)
        self.segment_gas = 0
        self.refunds = []
        self.leaving = [*self.flushed(), f"return {step_from(pc)}"]

    def close_segment(self) -> None:
        gas = self.segment_gas
        for line, used in self.refunds:
            self.lines[line] = self.lines[line].replace("@", str(gas - used))
        if gas:
            short = ["    g -= " + str(gas), "    if g < 0:", f"        gm.gas_remaining = g + {gas}"]
            self.lines[self.segment : self.segment] = short + ["        " + text for text in self.leaving]
        self.segment_gas = 0

    def leave(self, inside: int) -> None:
        """Give the instruction in hand to py-evm, as if nothing of it had been done or charged."""
        self.refunds.append((len(self.lines), self.before[1]))
        self.put("gm.gas_remaining = g + @", *self.leave_text, f"return {step_from(self.before[0])}", inside=inside)

    def go(self, where: str, inside: int = 0) -> None:
        """Go on elsewhere; only at the end of a segment."""
        self.put("gm.gas_remaining = g", *self.flushed(), f"return {where}", inside=inside)

    def source(self) -> str:
        """Return the trace as a function."""
        head = [
            "def trace(c, s, gm, db):",
            "    n = len(s)",
            f"    if n < {self.need} or n > {STACK_MAX - self.grow}:",
            f"        return {step_from(self.start)}",
            "    g = gm.gas_remaining",
            "    mem = c._memory._bytes",
        ]
        return "\n".join(head + self.lines) + "\n"
