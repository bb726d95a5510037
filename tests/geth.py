"""The geth program for tests on a real network: GoQuorum's own base, installed by `make geth`."""

from __future__ import annotations

import shutil
from pathlib import Path

import outside

HOW_TO_GET_IT = "geth v1.10.3, which `make geth` installs with Go into .tools/bin"


def binary() -> str:
    """Return the program, or skip the test; in CI it must be there."""
    installed = Path(__file__).resolve().parents[1] / ".tools" / "bin" / "geth"
    return shutil.which(str(installed)) or shutil.which("geth") or outside.lacking(HOW_TO_GET_IT)
