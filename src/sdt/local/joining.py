"""Joining a chain that runs elsewhere: its nodes, its id and its rules become the home's own settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sdt.adapters.chain.deploy import load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.config.load import HOME_FILE
from sdt.domain.errors import Conflict
from sdt.network import Plan

__all__ = ["Chain", "chain_at", "chain_of", "join"]

_FIRST_LINE: Final = "# Written by sdt: the chain that this platform joined.\n"


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain to join. Shape: nodes are JSON-RPC addresses by name."""

    nodes: Mapping[str, str]
    chain_id: int
    finality_blocks: int
    block_gas_limit: int


def chain_of(plan: Plan) -> Chain:
    """Return the chain of a network that was made here."""
    nodes = {node.name: node.url for node in plan.nodes}
    return Chain(nodes, plan.chain_id, plan.finality_blocks, plan.block_gas_limit)


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
    nodes = "".join(f'{name} = "{url}"\n' for name, url in sorted(chain.nodes.items()))
    beside = file.with_name(f".{HOME_FILE}.new")
    beside.write_text(
        f"{_FIRST_LINE}[default.chain]\n"
        f"chain_id = {chain.chain_id}\n"
        f"finality_blocks = {chain.finality_blocks}\n"
        f"block_gas_limit = {chain.block_gas_limit}\n"
        # Two blocks' worth: fed with more, a QBFT network's rounds time out and double.
        f"gas_in_flight_max = {2 * chain.block_gas_limit}\n"
        f"\n[default.chain.nodes]\n{nodes}"
    )
    beside.replace(file)
