"""What tests need from outside the repository: missing by hand it is skipped and named, missing in CI it fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest


def lacking(what_and_how_to_get_it: str) -> NoReturn:
    """Skip the test, or fail it with CI=true, so that CI never passes on what it did not run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have it: {what_and_how_to_get_it}")
    pytest.skip(what_and_how_to_get_it)


def data_folder(name: str = "") -> Path:
    """Return a folder of the outside test data."""
    root = os.environ.get("SDT_DATA")
    if root is None:
        lacking("set SDT_DATA to the folder of outside test data (docs/configuration.md)")
    folder = Path(root, name)
    if not folder.is_dir():
        lacking(f"the outside test data have no folder {folder}")
    return folder
