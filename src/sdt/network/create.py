"""Making a network's folder: keys, genesis, peers, the settings that join it, and a Compose file of the same."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coincurve import PrivateKey
from eth_hash.auto import keccak

from sdt.domain.errors import Conflict, Invalid
from sdt.network.chain import chain_of
from sdt.network.clients import client_of
from sdt.network.compose import compose_file, container_peers
from sdt.network.genesis import genesis
from sdt.network.plan import (
    GAS_LIMIT_MAX,
    GAS_LIMIT_MIN,
    PERIOD_MAX_S,
    ClientName,
    Node,
    Plan,
    load_plan,
    save_plan,
)

__all__ = ["NODES_MAX", "Wanted", "create", "new_node", "write_peers", "write_settings"]

NODES_MAX: Final = 20
SETTINGS_FILE: Final = "settings.toml"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A network as somebody asks for it. `base_port` 0 takes free ports; else node i gets base+2i and base+2i+1."""

    client: ClientName
    nodes: int = 4
    validators: int | None = None
    chain_id: int = 1337
    block_gas_limit: int = 120_000_000
    block_period_s: int = 1
    base_port: int = 0
    binary: str = ""


def create(folder: Path, wanted: Wanted) -> Plan:
    """Make a network's folder. Nothing is started.

    Errors: Conflict when the folder is in use; Invalid for a network that cannot be.
    """
    validators = wanted.nodes if wanted.validators is None else wanted.validators
    if not 1 <= validators <= wanted.nodes <= NODES_MAX:
        raise Invalid(f"A network has 1 to {NODES_MAX} nodes, and at least one of them validates.", code="bad_network")
    if not (GAS_LIMIT_MIN <= wanted.block_gas_limit <= GAS_LIMIT_MAX and 1 <= wanted.block_period_s <= PERIOD_MAX_S):
        raise Invalid(
            f"A block's gas limit lies between {GAS_LIMIT_MIN:,} and {GAS_LIMIT_MAX:,}, its period between 1 and "
            f"{PERIOD_MAX_S} s.",
            code="bad_network",
        )
    if wanted.chain_id < 1:
        raise Invalid("A chain id is at least 1.", code="bad_network")
    if wanted.base_port and not 1024 <= wanted.base_port <= 65535 - 2 * NODES_MAX:
        raise Invalid("A base port lies between 1024 and 65,495.", code="bad_network")
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty; name another folder.", code="folder_in_use")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ports = _ports(2 * wanted.nodes, wanted.base_port)
    nodes = [
        new_node(
            folder,
            wanted.client,
            number,
            validator=number <= validators,
            ports=(ports[2 * number - 2], ports[2 * number - 1]),
        )
        for number in range(1, wanted.nodes + 1)
    ]
    plan = Plan(
        wanted.client,
        wanted.chain_id,
        wanted.block_gas_limit,
        wanted.block_period_s,
        tuple(nodes),
        wanted.binary,
    )
    first = genesis(
        plan.client,
        chain_id=plan.chain_id,
        block_gas_limit=plan.block_gas_limit,
        block_period_s=plan.block_period_s,
        validators=[node.address for node in plan.validators],
    )
    (folder / "genesis.json").write_text(json.dumps(first, indent=2) + "\n")
    write_peers(folder, plan)
    write_settings(folder, plan)
    # Last: a folder with a plan is whole.
    save_plan(folder, plan)
    return load_plan(folder)


def new_node(folder: Path, client: ClientName, number: int, *, validator: bool, ports: tuple[int, int]) -> Node:
    """Make a node's key and folder."""
    key = PrivateKey()
    public = key.public_key.format(compressed=False)[1:]
    name = f"node-{number}"
    (folder / name / "data").mkdir(mode=0o700, parents=True)
    client_of(client).prepare(folder / name, key)
    return Node(name, validator, "0x" + keccak(public)[12:].hex(), public.hex(), *ports)


def write_peers(folder: Path, plan: Plan) -> None:
    """Write for every node whom it connects to; and what of the network a container reads."""
    enodes = json.dumps([node.enode("127.0.0.1", node.p2p_port) for node in plan.nodes], indent=1)
    for node in plan.nodes:
        file = folder / node.name / client_of(plan.client).peers_file()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(enodes)
        first_block = folder / node.name / "genesis.json"
        if not first_block.exists():
            first_block.write_bytes((folder / "genesis.json").read_bytes())
    (folder / "peers.compose.json").write_text(json.dumps(container_peers(plan), indent=1))
    (folder / "compose.yaml").write_text(compose_file(plan))


def write_settings(folder: Path, plan: Plan) -> None:
    """Write the settings by which a platform joins this network."""
    head = "# Joins this network: sdt up --network DIR, or SDT_SETTINGS=DIR/settings.toml for every part.\n"
    (folder / SETTINGS_FILE).write_text(head + chain_of(plan).settings())


def _ports(count: int, base: int) -> list[int]:
    if base:
        return list(range(base, base + count))
    return free_ports(count)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now, all different."""
    with ExitStack() as held:
        found = []
        for _ in range(count):
            holder = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            holder.bind(("127.0.0.1", 0))
            found.append(int(holder.getsockname()[1]))
        return found
