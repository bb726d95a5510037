"""Monitoring killed with -9 at random moments goes on where it was: nothing twice, nothing passed over."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitoring_rig import FAR_S, NOON_S, REGION, Payment, judge_all, noticed, pay, read_all, seen_by
from sdt.domain.monitoring.movements import Pattern
from sdt.domain.monitoring.rules import findings_of
from sdt.store import Store, open_store

pytestmark = pytest.mark.slow
PROGRAM = """
import sys, time
sys.path.insert(0, {tests!r})
from monitoring_rig import NOON_S, read_all
from sdt.store import open_store
store = open_store({url!r})
print("ready", flush=True)
read_all(store, [1], NOON_S)
"""


def test_killed_again_and_again(store: Store, store_url: str) -> None:
    luck = random.Random(7)
    made = [
        Payment(n, luck.randint(1, 3), luck.randint(4, 6), luck.choice([20_00, 1_500_00, 3_000_00]), NOON_S + n)
        for n in range(1, 301)
    ]
    pay(store, made)
    program = PROGRAM.format(tests=str(Path(__file__).parents[1]), url=store_url)
    killed = 0
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": _path()}
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"ready"
        time.sleep(luck.uniform(0.0, 0.08))
        process.send_signal(signal.SIGKILL)
        killed += process.wait(10) == -signal.SIGKILL
    assert killed >= 6, "it was over before it could be killed"
    again = open_store(store_url)
    read_all(again, [50], NOON_S)
    judge_all(again, FAR_S)
    rules = [rule for rule in REGION.monitors if rule.pattern is not Pattern.TRAVEL_RULE]
    expected = sorted(
        (finding.key, finding.cents, finding.count)
        for movements in seen_by(made).values()
        for finding in findings_of(movements, rules, REGION.business_day)
    )
    assert noticed(again) == expected
    assert expected
    assert again.row("SELECT sum(count) FROM movement_days") == (600,)
    recorded = sum(payment.cents >= 3_000_00 for payment in made)
    assert again.row("SELECT count(*) FROM travel_records") == (recorded,)
    again.close()


def _path() -> str:
    return str(Path(__file__).parents[2] / "src")
