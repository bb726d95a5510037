"""What a peer makes a joint job hold is counted as it comes and goes, and bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "held_pieces.py"  # not imported: MPyC would change this process


@pytest.mark.slow
@pytest.mark.parametrize("what", ["total", "limit", "cost"])
def test_what_a_peer_makes_us_hold(what: str) -> None:
    result = subprocess.run([sys.executable, str(PROGRAM), what], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
