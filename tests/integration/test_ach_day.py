"""A day with fifty thousand deposits becomes its file, from the database on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_fifty_thousand_deposits_fit_in_ten_seconds_of_work_and_300_mb() -> None:
    command = [sys.executable, "-m", "bench.ach_day", "--deposits", "50000"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=300)
    found = json.loads(done.stdout)

    assert found["entries"] == 50_000
    assert found["debits"] == sum(100 + n for n in range(50_000))
    # Processor time, not the wall's: other tests share the machine.
    assert found["cpu_seconds"] < 10
    assert found["memory_mb"] < 300
