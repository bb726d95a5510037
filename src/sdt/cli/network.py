"""`sdt network`: a chain network of real nodes on this machine, and how it does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sdt.cli.options import Json, console, run, show

if TYPE_CHECKING:
    from sdt.network import NetworkStatus

__all__ = ["network"]

Folder = Annotated[Path, typer.Argument(help="The network's folder.", file_okay=False, metavar="DIR")]
Names = Annotated[list[str] | None, typer.Argument(help="Only these nodes, such as node-2; all when none is named.")]
Binary = Annotated[
    str, typer.Option("--binary", help="The node's program; else the one named at creation, else on PATH.")
]

network = typer.Typer(
    no_args_is_help=True,
    help="""A chain network of real nodes on this machine.

[bold]GoQuorum[/bold] and [bold]Besu[/bold] run QBFT, as in production: a block is final at once. [bold]geth[/bold]
v1.10.3 runs Clique, for tests: it is the code that GoQuorum is made of, and its blocks may be replaced by others.

sdt network create net --client geth --nodes 4     then     sdt demo --once --network net""",
)


@network.command()
def create(
    folder: Folder,
    client: Annotated[Literal["goquorum", "besu", "geth"], typer.Option("--client", help="Which nodes.")],
    nodes: Annotated[int, typer.Option("--nodes", help="How many nodes.")] = 4,
    validators: Annotated[
        int | None, typer.Option("--validators", help="How many of them make blocks; the others only follow. All.")
    ] = None,
    chain_id: Annotated[int, typer.Option("--chain-id", help="What every chain transaction is signed for.")] = 1337,
    block_gas_limit: Annotated[
        int, typer.Option("--block-gas-limit", help="More than 120 million outlives a QBFT round.")
    ] = 120_000_000,
    block_period_s: Annotated[int, typer.Option("--block-period", help="Seconds between blocks.")] = 1,
    base_port: Annotated[
        int, typer.Option("--base-port", help="Node i listens on base+2i-2 (peers) and base+2i-1 (RPC). 0: free ones.")
    ] = 0,
    binary: Binary = "",
) -> None:
    """Make a network's folder: a key for each node, genesis, peers, settings, and a Docker Compose file of the same.

    Nothing is started, and no program is needed yet.
    """
    from sdt.network import Wanted
    from sdt.network import create as make

    wanted = Wanted(client, nodes, validators, chain_id, block_gas_limit, block_period_s, base_port, binary)
    plan = make(folder, wanted)
    for node in plan.nodes:
        console.print(f"  {node.name}  {'validator' if node.validator else 'full node':9}  {node.address}  {node.url}")
    console.print(
        f"A {client} network with chain id {plan.chain_id} is made in {folder}.\n"
        f"  sdt network start {folder}            as processes of this machine\n"
        f"  docker compose -f {folder}/compose.yaml up    as containers\n"
        f"  sdt demo --once --network {folder}    and a story told on it"
    )


@network.command()
def start(folder: Folder, names: Names = None, binary: Binary = "") -> None:
    """Start the nodes in the background; return once the chain grows. Nodes that run are left alone."""
    from sdt.network import start as begin

    found = run(begin(folder, names or None, binary=binary, say=lambda title: console.print(f"  {title}")))
    _print(found)


@network.command()
def status(folder: Folder, as_json: Json = False) -> None:
    """Show every node, its newest block and its peers. Exit status 1 unless the chain grows in time."""
    from sdt.network import status as look

    found = run(look(folder))
    if as_json:
        show(asdict(found), True, "")
    else:
        _print(found)
    raise typer.Exit(0 if found.state == "ok" else 1)


@network.command("add-validator")
def add_validator(folder: Folder, binary: Binary = "") -> None:
    """Add a node and have the validators vote it in: how another State joins.

    More than half of the validators must run. An interrupted run is gone on with.
    """
    from sdt.network import add_validator as add
    from sdt.network import status as look

    run(add(folder, binary=binary, say=lambda title: console.print(f"  {title}")))
    _print(run(look(folder)))


@network.command()
def stop(folder: Folder, names: Names = None) -> None:
    """Stop the nodes. Their chain stays, and `start` goes on with it."""
    from sdt.network import stop as end

    stopped = run(end(folder, names or None))
    console.print(f"Stopped {', '.join(stopped)}." if stopped else "No node ran.")


def _print(found: NetworkStatus) -> None:
    from rich.table import Table

    table = Table()
    for heading in ("node", "", "pid", "block", "peers", "waiting", "JSON-RPC"):
        table.add_column(heading, justify="right" if heading in ("pid", "block", "peers", "waiting") else "left")
    for node in found.nodes:
        numbers = ("-" if one is None else str(one) for one in (node.pid, node.head, node.peers, node.waiting))
        table.add_row(node.name, "validator" if node.validator else "full node", *numbers, node.url)
    console.print(table)
    colour = {"ok": "green", "slow": "yellow"}.get(found.state, "red")
    age = "" if found.head_age_s is None else f", newest block {found.head} made {found.head_age_s} s ago"
    console.print(f"[{colour}]{found.state}[/{colour}]: {len(found.validators)} validators{age}")
