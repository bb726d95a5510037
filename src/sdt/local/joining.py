"""Joining a chain that runs elsewhere: its nodes, its id and its rules become the home's own settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sdt.adapters.chain.deploy import load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.config.load import HOME_FILE
from sdt.domain.errors import Conflict
from sdt.network import Chain, chain_of

__all__ = ["Chain", "chain_at", "chain_of", "join"]

_FIRST_LINE: Final = "# Written by sdt: the chain that this platform joined.\n"


async def chain_at(urls: Sequence[str], finality_blocks: int) -> Chain:
    """Return the chain behind some nodes, asked for its id and its block's gas limit. Errors: ChainUnavailable."""
    async with ChainReader(urls) as reader:
        newest = await reader.block()
        nodes = {f"node-{number}": url for number, url in enumerate(urls, 1)}
        return Chain(nodes, await reader.chain_id(), finality_blocks, newest.gas_limit)


def join(home: Path, chain: Chain) -> None:
    """Write the home's settings for a chain; nodes may change from start to start, the chain may not.

    Errors: Conflict when the home has contracts on another chain, or settings that somebody wrote.
    """
    deployment = load_deployment(home)
    if deployment is not None and deployment.chain_id != chain.chain_id:
        raise Conflict(
            f"The contracts of {home} are on the chain with id {deployment.chain_id}, not {chain.chain_id}; "
            "use another --home for another chain.",
            code="deployment_other_chain",
        )
    file = home / HOME_FILE
    if file.exists() and not file.read_text().startswith(_FIRST_LINE):
        raise Conflict(f"{file} was written by hand: put the chain's nodes there.", code="settings_by_hand")
    beside = file.with_name(f".{HOME_FILE}.new")
    beside.write_text(_FIRST_LINE + chain.settings())
    beside.replace(file)
