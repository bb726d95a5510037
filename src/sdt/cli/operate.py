"""Running a platform: up."""

from __future__ import annotations

from pathlib import Path

from sdt.cli.chain_option import ChainUrls, Finality, NetworkFolder, chosen_chain
from sdt.cli.options import Home, console, run

__all__ = ["up"]


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
