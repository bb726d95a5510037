"""Running a platform: up, database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sdt.cli.chain_option import ChainUrls, Finality, NetworkFolder, chosen_chain
from sdt.cli.options import Home, Json, console, run, show

__all__ = ["database", "up"]

database = typer.Typer(no_args_is_help=True, help="The database.")


def up(
    home: Home = Path(".sdt"), network: NetworkFolder = None, chain: ChainUrls = None, finality: Finality = 1
) -> None:
    """Start the platform of a folder, making it at the first start, and keep it up until Ctrl-C.

    Like `sdt demo`, without the story. A folder stays on the chain that it was first started with.
    """
    run(_up(home, network, chain, finality))


async def _up(home: Path, network: Path | None, urls: list[str] | None, finality: int) -> None:
    from sdt.local.platform import running
    from sdt.supervise import Interrupted

    try:
        async with (
            chosen_chain(network, urls, finality) as chain,
            running(home, lambda title: console.print(f"  {title}"), chain) as platform,
        ):
            console.print(f"The platform is up: {platform.network.url} (docs at /docs). Ctrl-C stops it.")
            await platform.supervisor.wait()
    except Interrupted:
        console.print("Stopped.")


@database.command("ddl")
def database_ddl(
    kind: Annotated[str, typer.Argument(help="sqlite or postgresql")] = "postgresql",
) -> None:
    """Print the SQL that makes the database, for a database administrator to read."""
    from sdt.store.ddl import ddl

    known: dict[str, Literal["sqlite", "postgresql"]] = {"sqlite": "sqlite", "postgresql": "postgresql"}
    if kind not in known:
        raise typer.BadParameter("sqlite or postgresql", param_hint="kind")
    typer.echo(ddl(known[kind]))


@database.command("migrate")
def database_migrate(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Bring the database up to this version. `sdt up` does so by itself; elsewhere do it before starting the parts."""
    from sdt.local.platform import settings_of
    from sdt.store import migrate

    applied = migrate(settings_of(home).database.url)
    show({"applied": applied}, as_json, f"Applied: {', '.join(applied) or 'nothing, it is up to date'}.")


@database.command("verify")
def database_verify(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Recompute the seals over the event log: any changed, missing or added event breaks one.

    Adds up every account of the ledger anew, too.
    """
    from sdt.backends import open_database
    from sdt.local.platform import settings_of
    from sdt.store import events, ledger

    store = open_database(settings_of(home))
    try:
        count = events.verify_seals(store)
        wrong = ledger.discrepancies(store)
    finally:
        store.close()
    text = f"The event log is whole under its {count} seals; the ledger adds up."
    show({"seals": count, "discrepancies": wrong}, as_json, "\n".join(wrong) or text)
    raise typer.Exit(1 if wrong else 0)
