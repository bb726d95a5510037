"""What is known of documents that people handed in; their contents are sealed files beside the database."""

from __future__ import annotations

from typing import Final, NamedTuple

from sdt.store.bulk import insert_rows
from sdt.store.database import Store
from sdt.store.tables.people import Document

__all__ = ["DocumentRow", "add", "forget_all", "get", "known", "mark_forwarded", "of_account"]


class DocumentRow(NamedTuple):
    """One document. `digest` is SHA-256 of its plain bytes, in hex; `round` the application it was for."""

    id: str
    account: str
    kind: str
    subject: str
    media_type: str
    size_bytes: int
    digest: str
    round: int
    forwarded: bool
    received_at_ms: int


_COLUMNS: Final = ", ".join(DocumentRow._fields)


def add(store: Store, row: DocumentRow) -> None:
    """Note a document."""
    insert_rows(store, Document, DocumentRow._fields, [row])


def get(store: Store, id: str) -> DocumentRow | None:
    """Return a document by its id."""
    found = store.row(f"SELECT {_COLUMNS} FROM documents WHERE id = ?", (id,))  # noqa: S608
    return DocumentRow(*found) if found else None


def of_account(store: Store, account: str) -> list[DocumentRow]:
    """Return the documents of an account, oldest first."""
    found = store.rows(
        f"SELECT {_COLUMNS} FROM documents WHERE account = ? ORDER BY received_at_ms, id",  # noqa: S608
        (account,),
    )
    return [DocumentRow(*row) for row in found]


def known(store: Store) -> set[str]:
    """Return the ids of all documents."""
    return {id for (id,) in store.rows("SELECT id FROM documents")}


def mark_forwarded(store: Store, id: str) -> None:
    """Note that the vendor has a document."""
    with store.transaction():
        store.execute("UPDATE documents SET forwarded = ? WHERE id = ?", (True, id))


def forget_all(store: Store, account: str) -> list[str]:
    """Forget the documents of an account; return their ids, for their files to be removed."""
    ids = [row.id for row in of_account(store, account)]
    store.execute("DELETE FROM documents WHERE account = ?", (account,))
    return ids
