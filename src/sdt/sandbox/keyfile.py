"""API keys as a vendor hands them out: made at the first start, kept in files that only their owner reads."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from sdt.sandbox.service import ApiKeys


def open_keys(home: Path, service: str) -> ApiKeys:
    """Return a service's two keys from `SERVICE.key` and `SERVICE.read.key`, making what is missing."""
    return ApiKeys(full=_key(home / f"{service}.key"), read=_key(home / f"{service}.read.key"))


def _key(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        key = secrets.token_urlsafe(32)
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key
