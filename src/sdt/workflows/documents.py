"""Documents: each sealed with its person's key, as a file of its own beside the database."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
import uuid
from pathlib import Path
from typing import Final

from sdt.adapters.vault.private_file import read_private, write_private
from sdt.domain import sealing
from sdt.domain.errors import NotFound
from sdt.store import Store, documents
from sdt.store.documents import DocumentRow
from sdt.workflows.people import People

__all__ = ["Documents"]

STRAY_S: Final = 3_600


class Documents:
    """The folder of documents. Nothing in a file or its name says whose it is."""

    def __init__(self, store: Store, people: People, folder: Path) -> None:
        self._store = store
        self._people = people
        self._folder = folder

    def digest(self, content: bytes) -> str:
        """Return the digest that stands for a document as evidence."""
        return hashlib.sha256(content).hexdigest()

    async def write(self, account: str, content: bytes, at_ms: int) -> str:
        """Seal a document into a file and return its id; it counts once a row of it is committed."""
        key = await self._store.run(self._people.key, account, at_ms)
        id = str(uuid.uuid4())
        sealed = sealing.seal(content, f"{account} document {id}", key, secrets.token_bytes(sealing.NONCE_BYTES))
        await asyncio.to_thread(self._write, id, sealed)
        return id

    async def content(self, row: DocumentRow) -> bytes:
        """Return a document's plain bytes. Errors: NotFound (erased)."""
        key = await self._store.run(self._people.key, row.account, row.received_at_ms)
        sealed = await asyncio.to_thread(self._read, row.id)
        plain = sealing.unseal(sealed, f"{row.account} document {row.id}", key)
        assert self.digest(plain) == row.digest, "a document is another one than was handed in"
        return plain

    def remove(self, id: str) -> None:
        """Remove a file. What is left of it on the disk is sealed with a key that is gone."""
        (self._folder / id).unlink(missing_ok=True)

    async def sweep(self) -> int:
        """Remove files that no row names: of requests that were cut off, and of people who were erased."""
        named = await self._store.read(documents.known)
        return await asyncio.to_thread(self._sweep, named)

    def _sweep(self, named: set[str]) -> int:
        stray = [
            file
            for file in (self._folder.iterdir() if self._folder.exists() else ())
            if file.name not in named and time.time() - file.stat().st_mtime > STRAY_S
        ]
        for file in stray:
            file.unlink(missing_ok=True)
        return len(stray)

    def _write(self, id: str, sealed: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._folder / id, sealed)

    def _read(self, id: str) -> bytes:
        if not (self._folder / id).exists():
            raise NotFound("What was known of this person has been erased.", code="erased")
        return read_private(self._folder / id)
