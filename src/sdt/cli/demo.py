"""`sdt demo`: the platform on this machine, and one story told with it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdt.cli.chain_option import ChainUrls, Finality, NetworkFolder, chosen_chain
from sdt.cli.options import Home, console, run

if TYPE_CHECKING:
    from sdt.demo.attacks import Attack
    from sdt.local.books import Books
    from sdt.local.platform import Platform

__all__ = ["demo"]


def demo(
    home: Home = Path(".sdt"),
    once: Annotated[
        bool, typer.Option("--once", help="In a temporary folder: tell the story, check the books, stop everything.")
    ] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Delete the demo's folder first and start anew.")] = False,
    network: NetworkFolder = None,
    chain: ChainUrls = None,
    finality: Finality = 1,
) -> None:
    """Start the whole platform on this machine and tell one story with it.

    Chain, three signers, worker, API, bank, depository, vendors and desks run as processes of their own. Alice
    deposits dollars and pays Bob, Carol brings in a gold bar and pays Dan, Bob redeems, and three attacks are refused.
    At the end chain, database, bank and vault are held against each other. It stays up until Ctrl-C; a second run goes
    on from where it was.

    [bold]sdt demo --once[/bold] exits with 0 only if every balance agreed and every attack was refused.
    [bold]--network DIR[/bold] tells it on real chain nodes instead of the embedded chain.
    """
    if once:
        from sdt.local.temporary import temporary_home

        with temporary_home() as folder:
            good = run(_tell(folder, network, chain, finality, stay=False))
        raise typer.Exit(0 if good else 1)
    if reset:
        _reset(home)
    good = run(_tell(home, network, chain, finality, stay=True))
    raise typer.Exit(0 if good else 1)


def _reset(home: Path) -> None:
    """Delete a demo's folder, and nothing that is not one."""
    from sdt.domain.errors import Conflict
    from sdt.supervise import is_locked

    if not home.exists():
        return
    if is_locked(home):
        raise Conflict(f"A platform runs in {home}; stop it first.", code="running")
    if not (home / "secrets.sealed").exists() and any(home.iterdir()):
        raise Conflict(f"{home} is not a platform's folder; it is left alone.", code="not_a_home")
    shutil.rmtree(home)


async def _tell(home: Path, network: Path | None, urls: list[str] | None, finality: int, *, stay: bool) -> bool:
    from sdt.demo.attacks import attack
    from sdt.demo.story import Story
    from sdt.local.books import settled_books
    from sdt.local.platform import running
    from sdt.supervise import Interrupted

    began = time.monotonic()

    def step(title: str, outcome: str = "") -> None:
        at = f"[dim]{time.monotonic() - began:5.1f} s[/dim]"
        console.print(f"{at}  {title}" + (f"\n         [dim]{outcome}[/dim]" if outcome else ""))

    try:
        async with chosen_chain(network, urls, finality) as chain, running(home, step, chain) as platform:
            console.rule("The story")
            story = Story(platform, step)
            try:
                await story.run()
                attacks = await attack(story)
                paid = await story.alices_payment()
            finally:
                await story.close()
            for one in attacks:
                step(f"[{'green' if one.refused else 'red'}]{one.title}[/]", one.answer)
            books = await settled_books(platform.settings, platform.region)
            _print_books(books)
            good = _verdict(books, attacks)
            if stay:
                _print_ways(platform, home, paid, _anchor(network, urls))
                await platform.supervisor.wait()
                console.print("Stopping ...")
            return good
    except Interrupted:
        console.print("Stopped.")
        return False


def _print_books(books: list[Books]) -> None:
    from rich.table import Table

    table = Table(title="The books, held against each other")
    for heading in ("token", "supply on chain", "Σ balances on chain", "Σ in the database", "in the reserve", "", ""):
        table.add_column(heading, justify="right" if heading and heading != "token" else "left")
    for one in books:
        amount = one.token.amount
        table.add_row(
            one.token.symbol,
            str(amount(one.supply)),
            str(amount(one.chain_balances)),
            str(amount(one.database_balances)),
            str(amount(one.reserve)),
            one.reserve_place,
            "[green]equal; supply ≤ reserve[/green]" if one.agree and one.covered else "[red]DIFFERENT[/red]",
        )
    console.print(table)


def _verdict(books: list[Books], attacks: list[Attack]) -> bool:
    agreed, refused = all(one.agree and one.covered for one in books), all(one.refused for one in attacks)
    if agreed and refused:
        console.print("[green]Every balance agrees, every attack was refused.[/green]")
    if not agreed:
        console.print("[red]The books do not agree.[/red]")
    if not refused:
        console.print("[red]An attack was not refused.[/red]")
    return agreed and refused


def _anchor(network: Path | None, urls: list[str] | None) -> str:
    """Return who vouches for a block of this chain: nobody where it is the embedded one."""
    if network is not None:
        return f"--genesis {network / 'genesis.json'}"
    return "--genesis FILE" if urls else "--unsealed"


def _print_ways(platform: Platform, home: Path, paid: str, anchor: str) -> None:
    url = platform.network.url
    where = "" if home == Path(".sdt") else f" --home {home}"
    text = f"""
The platform is up. Everything of it lives in [bold]{home}[/bold].

  API          {url}/v1/region
  its docs     {url}/docs
  pay by hand  [bold].venv/bin/sdt pay bob.tx 1.25 TXD --as alice{where}[/bold]
               [bold].venv/bin/sdt balance --as bob{where}[/bold]
               [bold].venv/bin/sdt status{where}[/bold]
  and prove it [bold].venv/bin/sdt receipt get {paid} --as alice{where}[/bold]
               [bold].venv/bin/sdt receipt verify sdt-receipt-{paid}.json {anchor}{where}[/bold]

Ctrl-C stops everything; the next `make demo` goes on from here."""
    # A command that is cut into two lines cannot be copied.
    console.print(text, soft_wrap=True)
