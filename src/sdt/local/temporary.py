"""A platform's folder that is gone again when the work in it has ended, however it ended."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["temporary_home"]

BANKING_DAY_S = "0.3"


@contextmanager
def temporary_home() -> Iterator[Path]:
    """Make a folder for a home in which a banking day lasts a third of a second, unless settings say otherwise."""
    os.environ.setdefault("SDT_SANDBOX__BANKING_DAY_S", BANKING_DAY_S)
    folder = Path(tempfile.mkdtemp(prefix="sdt-"))
    try:
        yield folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
