"""What a network is: `network.json` of its folder, from which everything else is derived."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from sdt.domain.errors import Invalid, NotFound

__all__ = ["PLAN_FILE", "ClientName", "Node", "Plan", "load_plan", "save_plan"]

ClientName = Literal["goquorum", "besu", "geth"]
Port = Annotated[int, Meta(ge=1, le=65535)]

PLAN_FILE: Final = "network.json"
GAS_LIMIT_MIN: Final = 5_000_000
GAS_LIMIT_MAX: Final = 700_000_000
PERIOD_MAX_S: Final = 60


class Node(Struct, frozen=True, forbid_unknown_fields=True):
    """One node. Shape: address is 0x hex of 20 bytes, public_key hex of 64: the node's name among its peers."""

    name: Annotated[str, Meta(pattern="^node-[1-9][0-9]?$")]
    validator: bool
    address: Annotated[str, Meta(pattern="^0x[0-9a-f]{40}$")]
    public_key: Annotated[str, Meta(pattern="^[0-9a-f]{128}$")]
    p2p_port: Port
    rpc_port: Port

    @property
    def url(self) -> str:
        """Where it answers JSON-RPC on this machine."""
        return f"http://127.0.0.1:{self.rpc_port}"

    def enode(self, host: str, port: int) -> str:
        """Return how its peers reach it."""
        return f"enode://{self.public_key}@{host}:{port}?discport=0"


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """A network: its client, its rules and its nodes. Units: block_period_s in whole seconds."""

    client: ClientName
    chain_id: Annotated[int, Meta(ge=1, le=2**53)]
    block_gas_limit: Annotated[int, Meta(ge=GAS_LIMIT_MIN, le=GAS_LIMIT_MAX)]
    block_period_s: Annotated[int, Meta(ge=1, le=PERIOD_MAX_S)]
    nodes: Annotated[tuple[Node, ...], Meta(min_length=1)]
    binary: str = ""

    @property
    def validators(self) -> tuple[Node, ...]:
        """The nodes that make blocks."""
        return tuple(node for node in self.nodes if node.validator)

    @property
    def urls(self) -> tuple[str, ...]:
        """Every node's JSON-RPC address."""
        return tuple(node.url for node in self.nodes)

    @property
    def finality_blocks(self) -> int:
        """Blocks after which one counts as final, its own included.

        1 under QBFT, whose blocks are final at once, and where one sealer alone makes them. Clique promises nothing:
        of n sealers a minority makes up to half of n blocks by itself before it must wait for others, and honest
        sealers whose nodes are killed were seen to replace two blocks; this stays clear of both.
        """
        sealers = len(self.validators)
        return 1 if self.client != "geth" or sealers == 1 else sealers // 2 + 3

    def node(self, name: str) -> Node:
        """Return a node by name. Errors: NotFound."""
        for node in self.nodes:
            if node.name == name:
                return node
        names = ", ".join(node.name for node in self.nodes)
        raise NotFound(f"There is no {name} in this network; there are {names}.", code="unknown_node")


def load_plan(folder: Path) -> Plan:
    """Read a network's plan. Errors: NotFound when the folder holds none; Invalid when it cannot be read."""
    try:
        return msgspec.json.decode((folder / PLAN_FILE).read_bytes(), type=Plan)
    except FileNotFoundError:
        raise NotFound(
            f"{folder} is no network; make one with: sdt network create {folder}", code="unknown_network"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise Invalid(f"{folder / PLAN_FILE} cannot be read: {error}", code="bad_network") from None


def save_plan(folder: Path, plan: Plan) -> None:
    """Write the plan, all of it or nothing."""
    beside = folder / f".{PLAN_FILE}.new"
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n")
    beside.replace(folder / PLAN_FILE)
