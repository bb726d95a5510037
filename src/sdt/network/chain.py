"""A chain as a platform joins it: its nodes and its rules, and the settings that say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sdt.network.plan import Plan

__all__ = ["Chain", "chain_of"]

POLL_MS: Final = 150
"""How often a network's head is asked for."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain to join. Shape: nodes are JSON-RPC addresses by name."""

    nodes: Mapping[str, str]
    chain_id: int
    finality_blocks: int
    block_gas_limit: int

    def settings(self) -> str:
        """Return the settings that join it, as TOML."""
        nodes = "".join(f'{name} = "{url}"\n' for name, url in sorted(self.nodes.items()))
        return (
            "[default.chain]\n"
            f"chain_id = {self.chain_id}\n"
            f"finality_blocks = {self.finality_blocks}\n"
            f"block_gas_limit = {self.block_gas_limit}\n"
            # Two blocks' worth: fed with more, a QBFT network's rounds time out and double.
            f"gas_in_flight_max = {2 * self.block_gas_limit}\n"
            # Blocks come by the second, and a node that is asked more often has less time for them.
            f"poll_ms = {POLL_MS}\n"
            f"\n[default.chain.nodes]\n{nodes}"
        )


def chain_of(plan: Plan) -> Chain:
    """Return the chain of a network that was made here."""
    nodes = {node.name: node.url for node in plan.nodes}
    return Chain(nodes, plan.chain_id, plan.finality_blocks, plan.block_gas_limit)
