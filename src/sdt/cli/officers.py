"""An officer at the command line: the key that speaks, by name in the keys folder or by key file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdt.domain.errors import NotFound

if TYPE_CHECKING:
    from sdt.client import Client

__all__ = ["AsOfficer", "officer_client"]

AsOfficer = Annotated[
    str,
    typer.Option("--as", help="Which officer signs: a name in the keys folder (compliance, issuer …) or a key file."),
]


@asynccontextmanager
async def officer_client(home: Path, name: str) -> AsyncIterator[Client]:
    """A client of the running platform that speaks with an officer's key. Errors: NotFound, Unavailable."""
    from nacl.signing import SigningKey

    from sdt.adapters.vault.private_file import read_private
    from sdt.client import Client
    from sdt.local.platform import network_of, settings_of

    folder = settings_of(home).desks.keys_folder
    file = Path(name) if Path(name).suffix == ".key" else folder / f"{name}.key"
    if not file.is_file():
        known = ", ".join(sorted(key.stem for key in folder.glob("*.key")))
        raise NotFound(f"There is no key {file}. Known officers: {known}.", code="key_file_missing")
    key = SigningKey(bytes.fromhex(read_private(file).decode().strip()))
    async with Client(await network_of(home), key) as client:
        yield client


def told(act: dict[str, Any]) -> str:
    """Say in a sentence where an act stands."""
    waits = "waits for a second officer: sdt office agree" if act["status"] == "waiting" else act["status"]
    return f"{act['type']} {act['act_id']}: {waits}{' ' + act['act_id'] if act['status'] == 'waiting' else ''}"
