"""`sdt region`: opening a region whose parts run already, wherever they do."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdt.cli.options import Home, Json, console, run, show

if TYPE_CHECKING:
    from sdt.local.region_opening import Outcome

__all__ = ["region"]

region = typer.Typer(
    no_args_is_help=True,
    help="""A region whose parts are run by somebody else than `sdt up`: on AWS, or on machines of your own.""",
)

_COLOURS = {"done": "green", "to do": "yellow", "done before": "dim"}


class Until(StrEnum):
    """The steps, in their order."""

    KEYS = "keys"
    DATABASE = "database"
    SANCTIONS = "sanctions"
    CHAIN_KEY = "chain-key"
    CONTRACTS = "contracts"
    ADMINISTRATORS = "administrators"
    ROLES = "roles"
    RULES = "rules"
    ATTESTATION = "attestation"


@region.command("open")
def open_(
    administrator: Annotated[
        list[str] | None,
        typer.Option(help="Key file of an administrator, once for each of the two; else those of the keys folder."),
    ] = None,
    officer: Annotated[
        list[str] | None,
        typer.Option(
            help="ROLE=FILE or ROLE:TOKEN=FILE with an official's public key, once for each; else NAME.key or NAME.pub "
            "of the keys folder."
        ),
    ] = None,
    sanctions: Annotated[
        Path | None, typer.Option(help="Folder of the first sanctions list, as OFAC publishes it.", file_okay=False)
    ] = None,
    sanctions_date: Annotated[
        str | None, typer.Option(help="The list's day, where its files carry none (CSV): 2026-11-26.")
    ] = None,
    until: Annotated[Until, typer.Option(help="The last step to take.")] = Until.ATTESTATION,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done.")] = False,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Open a region on parts that run: vault, database, locations, chain; API, settlement and desks from `roles` on.

    [bold]sdt region open --plan --administrator ann.key --administrator ben.key --sanctions ofac/[/bold]

    Each step says whether it was done before; a run that stopped, or was killed, is begun again with the same command.
    Nobody's key is made here. Both administrators are present: each grant is signed by one and approved by the other.
    """
    from sdt.adapters.vault.private_file import alone_with
    from sdt.deployed import load_deployed
    from sdt.domain.region import load_region
    from sdt.local.appointments import read_administrators, read_appointments
    from sdt.local.region_opening import Given, open_region

    def say(outcome: Outcome) -> None:
        if not as_json:
            colour = _COLOURS[outcome.state]
            console.print(f"  [{colour}]{outcome.state:<12}[/{colour}] {outcome.name:<15} {outcome.title}")

    settings = load_deployed(home)
    found = load_region(settings.region_file(next(iter(settings.regions))).read_bytes())
    given = Given(
        settings,
        found,
        read_administrators(settings, administrator or ()),
        read_appointments(settings, found, officer or ()),
        sanctions,
        _day(sanctions_date),
    )
    with nullcontext() if plan else alone_with(settings.home / "opening"):
        outcomes = run(open_region(given, say, until=until, plan=plan))
    if as_json:
        show({"steps": [asdict(one) for one in outcomes]}, as_json, "")


@region.command("public-key")
def public_key(
    file: Annotated[Path, typer.Argument(help="A key file that only its owner can read.", dir_okay=False)],
    as_json: Json = False,
) -> None:
    """Print the public key of a key file, to be handed to whoever opens the region; it is no secret.

    [bold]sdt region public-key treasury.key > treasury.pub[/bold]
    """
    from sdt.domain.envelope import b64url
    from sdt.local.appointments import public_key_in

    text = b64url(public_key_in(file)).decode()
    if as_json:
        show({"public_key": text}, as_json, "")
    else:
        typer.echo(text)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise typer.BadParameter("write the day as 2026-11-26", param_hint="--sanctions-date") from None
