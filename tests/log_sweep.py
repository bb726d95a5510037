"""Looking through everything that a platform's processes said, for what must not be there."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path

from sdt.backends import open_database, open_vault
from sdt.config import Settings
from sdt.wallet import load_wallet, wallets

_SPOKEN = ("ready", "bank http", "depository http", "kyc http", "aml http")
"""What a process says on its standard output to whoever started it."""
_FIELDS = {"time", "level", "process", "logger", "message"}


def lines(home: Path) -> list[dict[str, object]]:
    """Return every log line of a home's processes; each is one JSON object with the fields that all have."""
    found = []
    for file in sorted((home / "log").iterdir()):
        for line in file.read_text().splitlines():
            if not line.startswith(_SPOKEN):
                event = json.loads(line)
                assert event.keys() >= _FIELDS, (file.name, line)
                found.append(event)
    return found


def secrets_of(settings: Settings) -> dict[str, str]:
    """Return what is secret in a home, in each spelling in which it might be written, by what it is."""
    found: dict[str, str] = {}

    def add(what: str, value: bytes) -> None:
        found[f"{what} in hex"] = value.hex()
        found[f"{what} in base64"] = base64.b64encode(value).decode().rstrip("=")
        found[f"{what} in base64url"] = base64.urlsafe_b64encode(value).decode().rstrip("=")
        if value.isascii() and value.decode().isprintable():
            found[what] = value.decode()

    vault = open_vault(settings)
    for name in vault.list():
        add(f"secret {name}", vault.get(name).reveal())
    for name in wallets(settings.home):
        add(f"key of {name}", bytes(load_wallet(settings.home, name).key))
    for file in (settings.home / "desks").iterdir():
        if file.is_file():
            add(f"key of desk {file.name}", file.read_bytes().strip())
    store = open_database(settings)
    try:
        for id_, raw in store.rows("SELECT id, raw FROM transactions"):
            _, payload, signature = bytes(raw).split(b".")
            found[f"payload of {id_}"] = payload.decode()
            found[f"signature of {id_}"] = signature.decode()
    finally:
        store.close()
    assert len(found) > 20, "there is something to look for"
    return found


def sweep(text: str, forbidden: Iterable[tuple[str, str]]) -> None:
    """Fail when any of these is in a text."""
    lowered = text.lower()
    for what, value in forbidden:
        assert len(value) >= 4, f"{what} is too short to look for"
        assert value.lower() not in lowered, f"{what} was written down"
