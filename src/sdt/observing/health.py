"""How a process is: a list of checks, each `ok`, `degraded` or `failed`, with a sentence and what was measured.

Failed: what the process is there for does not go on. Degraded: it goes on, and somebody must look before it does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sdt.observing.figures import Sample, gauge

__all__ = ["Check", "State", "check", "health_figures", "overall", "shown"]


class State(StrEnum):
    """From well to not at all."""

    OK = "ok"
    """Nothing to do."""
    DEGRADED = "degraded"
    """It works; somebody must look."""
    FAILED = "failed"
    """It does not do its work."""


_ORDER: Final = {State.OK: 0, State.DEGRADED: 1, State.FAILED: 2}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. Shape: `value` is what was measured, in the unit that its name says."""

    name: str
    state: State
    detail: str
    value: float | None = None


def check(
    name: str, value: float, unit: str, *, degraded: float, failed: float | None = None, low: bool = False
) -> Check:
    """Hold a measured value against the levels from which it is degraded, and failed. `low`: little is bad."""

    def beyond(level: float) -> bool:
        return value < level if low else value > level

    level, state = degraded, State.OK
    if failed is not None and beyond(failed):
        level, state = failed, State.FAILED
    elif beyond(degraded):
        state = State.DEGRADED
    sign = "at least" if low else "at most"
    bound = "" if state is State.OK else f"; {sign} {level:g} is right"
    return Check(name, state, f"{value:g} {unit}{bound}", value)


def overall(checks: Iterable[Check]) -> State:
    """Return the worst of all."""
    return max((each.state for each in checks), key=_ORDER.__getitem__, default=State.OK)


def shown(checks: Sequence[Check]) -> dict[str, object]:
    """Return checks as they are told in JSON: the state, what is wrong, and each check."""
    return {
        "state": overall(checks).value,
        "problems": [f"{each.name}: {each.detail}" for each in checks if each.state is not State.OK],
        "checks": {each.name: _one(each) for each in checks},
    }


def _one(each: Check) -> Mapping[str, object]:
    told: dict[str, object] = {"state": each.state.value, "detail": each.detail}
    return told if each.value is None else told | {"value": each.value}


def health_figures(checks: Sequence[Check]) -> list[Sample]:
    """Return checks as figures: 0 ok, 1 degraded, 2 failed."""
    about = "What a check of this process's health found: 0 ok, 1 degraded, 2 failed."
    return [gauge("sdt_health_state", about, [({"check": each.name}, _ORDER[each.state]) for each in checks])]
