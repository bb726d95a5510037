"""The options by which `up` and `demo` are told which chain to stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sdt.local.joining import Chain

__all__ = ["ChainUrls", "Finality", "NetworkFolder", "chosen_chain"]

NetworkFolder = Annotated[
    Path | None,
    typer.Option(
        "--network", help="Stand on the network of this folder (sdt network create); started if it is not up."
    ),
]
ChainUrls = Annotated[
    list[str] | None,
    typer.Option("--chain", help="Stand on the chain of this node, such as http://127.0.0.1:8545; once for each node."),
]
Finality = Annotated[
    int, typer.Option("--finality", min=1, max=1000, help="With --chain: blocks after which one is final. QBFT: 1.")
]


@asynccontextmanager
async def chosen_chain(network: Path | None, urls: list[str] | None, finality: int) -> AsyncIterator[Chain | None]:
    """Give the chain that was asked for, None for the home's own; nodes started for it are stopped afterwards."""
    from sdt.cli.options import console
    from sdt.local.joining import chain_at, chain_of
    from sdt.network import load_plan, start, status, stop

    if network is not None and urls:
        raise typer.BadParameter("--network and --chain name the chain twice; give one of them.")
    if urls:
        yield await chain_at(urls, finality)
    elif network is None:
        yield None
    else:
        plan = load_plan(network)
        down = [node.name for node in (await status(network)).nodes if node.pid is None]
        try:
            if down:
                console.print(f"  network {network}: starting {', '.join(down)}")
                await start(network, down)
            yield chain_of(plan)
        finally:
            await stop(network, down)
