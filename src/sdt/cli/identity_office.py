"""`sdt identity waiting | look | paper`: the officers' side of identity checks; every look is on record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sdt.cli.officers import AsOfficer, officer_client
from sdt.cli.options import Home, Json, run, show

__all__ = ["look", "paper", "waiting"]

Account = Annotated[str, typer.Argument(help="The account, 0x and 40 hex digits.")]


async def _get(home: Path, officer: str, path: str, **query: str) -> Any:
    async with officer_client(home, officer) as client:
        return await client.request("GET", f"/v1/office/identities{path}", query=query or None, prove=True)


def waiting(
    status: Annotated[str, typer.Option(help="review, failed, documents_required, pending or passed.")] = "review",
    officer: AsOfficer = "kyc",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """List the identity checks that wait for officers, with the vendor's own reasons."""
    found = run(_get(home, officer, "", status=status))
    lines = [f"{i['account']}  {i['application']}  {', '.join(i['reasons']) or '-'}" for i in found["identities"]]
    show(found, as_json, "\n".join(lines) or f"nobody stands in {status}")


def look(
    account: Account,
    personal: Annotated[bool, typer.Option("--personal", help="Show who it is, too: that is on record.")] = False,
    officer: AsOfficer = "kyc",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Look at one identity check: documents by digest, orders to keep, until when it is kept, who looked.

    [bold]sdt identity look 0x… --personal --as kyc[/bold]
    """
    found = run(_get(home, officer, f"/{account}"))
    if personal:
        who = run(_get(home, officer, f"/{account}/party"))
        found |= {"party": who["party"], "identified": who["identified"]}
    show(found, as_json, json.dumps(found, indent=2, ensure_ascii=False))


def paper(
    account: Account,
    document: Annotated[str, typer.Argument(help="The document's id, as `sdt identity look` shows it.")],
    out: Annotated[Path, typer.Option(help="Where to write it; a file that only you can read.")],
    officer: AsOfficer = "kyc",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Fetch a document into a file. That it was looked at is on record."""
    from sdt.adapters.vault.private_file import write_private

    content = run(_bytes(home, officer, f"/v1/office/identities/{account}/documents/{document}"))
    write_private(out, content)
    show({"file": str(out), "bytes": len(content)}, as_json, f"{len(content)} bytes in {out}")


async def _bytes(home: Path, officer: str, path: str) -> bytes:
    async with officer_client(home, officer) as client:
        return await client.download(path)
