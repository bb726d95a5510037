"""The same network as a Docker Compose file: one container a node, the same keys, genesis and commands."""

from __future__ import annotations

import shlex
from typing import Any, Final

import yaml

from sdt.network.clients import Place, client_of
from sdt.network.plan import Node, Plan

__all__ = ["compose_file", "container_peers"]

SUBNET: Final = "172.16.239"
FIRST_HOST: Final = 11
RPC_PORT: Final = 8545
P2P_PORT: Final = 30303


def container_peers(plan: Plan) -> list[str]:
    """Return how the nodes reach each other inside Compose's own network."""
    return [node.enode(_address(plan, node), P2P_PORT) for node in plan.nodes]


def compose_file(plan: Plan) -> str:
    """Return the Compose file. It keeps its chain in volumes of its own, apart from the one that `start` makes."""
    services = {node.name: _service(plan, node) for node in plan.nodes}
    made = {
        "services": services,
        "networks": {"chain": {"driver": "bridge", "ipam": {"config": [{"subnet": f"{SUBNET}.0/24"}]}}},
        "volumes": {f"{node.name}-data": {} for node in plan.nodes},
    }
    head = f"# {plan.client} network with chain id {plan.chain_id}: docker compose -f compose.yaml up\n"
    return head + yaml.safe_dump(made, sort_keys=False)


def _service(plan: Plan, node: Node) -> dict[str, Any]:
    client = client_of(plan.client)
    place = Place(client.binary, "/node", "0.0.0.0", RPC_PORT, P2P_PORT)
    first, run = client.first_command(place), client.command(plan, node, place)
    # The database of a node that ran before is kept; making it anew is refused by geth only for another genesis.
    steps = [shlex.join(first)] if first else []
    steps.append(f"exec {shlex.join(run)}")
    folder = f"./{node.name}"
    mounts = [f"{node.name}-data:/node/data", f"{folder}/genesis.json:/node/genesis.json:ro"]
    mounts += [f"{folder}/nodekey:/node/nodekey:ro", f"./peers.compose.json:/node/{client.peers_file()}:ro"]
    if plan.client == "geth":
        mounts += [f"{folder}/password:/node/password:ro", f"{folder}/data/keystore:/node/data/keystore:ro"]
    return {
        "image": client.image,
        "user": "0:0",
        "restart": "unless-stopped",
        "entrypoint": ["/bin/sh", "-c"],
        "command": [" && ".join(steps)],
        "environment": dict(client.environment),
        "volumes": mounts,
        "ports": [f"127.0.0.1:{node.rpc_port}:{RPC_PORT}"],
        "networks": {"chain": {"ipv4_address": _address(plan, node)}},
    }


def _address(plan: Plan, node: Node) -> str:
    return f"{SUBNET}.{FIRST_HOST + plan.nodes.index(node)}"
