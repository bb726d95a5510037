"""The worker looks quickly while something moves, and seldom while nothing does."""

from __future__ import annotations

import asyncio
import time

import pytest

from sdt.worker import pace


async def _rested(quick_s: float, *, outside: bool = False) -> float:
    begun_s = time.monotonic()
    await pace.rest(quick_s, outside=outside)
    return time.monotonic() - begun_s


async def test_quick_while_something_moves_and_seldom_in_the_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    pace.stir(outside=False)
    assert await _rested(0.02) < 0.06
    monkeypatch.setattr(pace, "_stirred_s", time.monotonic() - pace.ACTIVE_S - 1)
    assert await _rested(0.02) > 0.08


async def test_what_moves_wakes_whoever_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_stirred_s", time.monotonic() - pace.ACTIVE_S - 1)
    resting = asyncio.create_task(_rested(0.2))
    await asyncio.sleep(0.1)
    pace.stir(outside=False)
    assert await resting < 0.5


async def test_who_pays_whom_hurries_nobody_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_stirred_outside_s", time.monotonic() - pace.ACTIVE_S - 1)
    pace.stir(outside=False)
    assert await _rested(0.02, outside=True) > 0.08
    pace.stir(outside=True)
    assert await _rested(0.02, outside=True) < 0.06
    assert await _rested(0.02) < 0.06


async def test_a_long_pause_is_no_longer_for_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "QUIET_MAX_S", 0.05)
    monkeypatch.setattr(pace, "_stirred_s", time.monotonic() - pace.ACTIVE_S - 1)
    assert await _rested(0.1) < 0.19
