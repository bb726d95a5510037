"""Options that several commands share, and how they print."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from sdt.domain.errors import Unprocessable

__all__ = ["As", "Home", "Json", "console", "run", "show", "show_ended"]

T = TypeVar("T")

Home = Annotated[
    Path, typer.Option("--home", help="The platform's folder.", envvar="SDT_HOME", show_default=".sdt", file_okay=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]
As = Annotated[str, typer.Option("--as", help="Whose wallet speaks: a name from `sdt user list`.")]

console = Console(highlight=False)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one asynchronous command."""
    return asyncio.run(work)


def show(found: Any, as_json: bool, text: str) -> None:
    """Print a result: JSON for programs, a sentence for people."""
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        console.print(text)


def show_ended(what: str, found: dict[str, Any], as_json: bool, more: str = "", well: tuple[str, ...] = ()) -> None:
    """Print how a transaction ended; other than `completed`, or as one of `well`, is exit status 1.

    Errors: Unprocessable, under the code of the refusal, for a person who reads.
    """
    ended_well = found["status"] in ("completed", *well)
    if not ended_well and not as_json:
        raise Unprocessable(
            f"{what} is {found['status']}: {found.get('detail') or ''} (transaction {found['transaction_id']})",
            code=found.get("code") or "refused",
        )
    show(found, as_json, f"{what}: {found['status']}\n  transaction {found['transaction_id']}{more}")
    if not ended_well:
        raise typer.Exit(1)
