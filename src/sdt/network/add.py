"""A State joins: a new node that follows the chain, voted in by the validators that are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from sdt.adapters.chain.errors import ChainRefused, ChainUnavailable
from sdt.network.clients import client_of
from sdt.network.create import NODES_MAX, free_ports, new_node, write_peers, write_settings
from sdt.network.errors import NetworkFailed
from sdt.network.plan import Node, Plan, load_plan, save_plan
from sdt.network.running import ask, running_pid, start, validators_of

__all__ = ["add_validator"]

VOTE_S: Final = 120.0
POLL_S: Final = 0.5


async def add_validator(folder: Path, *, binary: str = "", say: Callable[[str], None] = lambda _: None) -> Node:
    """Make one more node, start it, and have more than half of the running validators vote it in.

    A newcomer that was made and not voted in, by an interrupted run, is voted in before another is made.
    Errors: NetworkFailed when the vote does not pass in time; NotFound.
    """
    plan = load_plan(folder)
    present = set(await _present(folder, plan))
    newcomer = next((node for node in plan.validators if node.address not in present), None)
    if newcomer is None:
        newcomer, plan = _extend(folder, plan)
        say(f"{newcomer.name} is new: key, folder, ports {newcomer.p2p_port} and {newcomer.rpc_port}")
    # It is not yet a validator of the chain, and follows it as any node does.
    await start(folder, [newcomer.name], binary=binary, wait=False)
    await _introduce(folder, plan, newcomer)
    say(f"{newcomer.name} follows the chain; the validators vote")
    await _vote_in(folder, plan, newcomer, present)
    write_settings(folder, plan)
    say(f"{newcomer.name} seals blocks")
    return newcomer


def _extend(folder: Path, plan: Plan) -> tuple[Node, Plan]:
    number = len(plan.nodes) + 1
    if number > NODES_MAX:
        raise NetworkFailed(f"A network made here has at most {NODES_MAX} nodes.", code="network_full")
    p2p_port, rpc_port = free_ports(2)
    newcomer = new_node(folder, plan.client, number, validator=True, ports=(p2p_port, rpc_port))
    plan = msgspec.structs.replace(plan, nodes=(*plan.nodes, newcomer))
    save_plan(folder, plan)
    write_peers(folder, plan)
    return newcomer, plan


async def _present(folder: Path, plan: Plan) -> tuple[str, ...]:
    for node in plan.nodes:
        if running_pid(folder, node) is not None:
            found = await validators_of(plan, node)
            if found:
                return found
    raise NetworkFailed("No node of the network runs; start it first: sdt network start", code="network_down")


async def _introduce(folder: Path, plan: Plan, newcomer: Node) -> None:
    """Tell the running nodes of the newcomer; those that start later read of it in their files."""
    enode = newcomer.enode("127.0.0.1", newcomer.p2p_port)
    for node in plan.nodes:
        if node.name != newcomer.name and running_pid(folder, node) is not None:
            with suppress(ChainUnavailable, ChainRefused):
                await ask(node, "admin_addPeer", enode)


async def _vote_in(folder: Path, plan: Plan, newcomer: Node, present: set[str]) -> None:
    client = client_of(plan.client)
    voters = [node for node in plan.nodes if node.address in present and running_pid(folder, node) is not None]
    method, params = client.vote_call(newcomer.address, add=True)
    for node in voters:
        await ask(node, method, *params)
    deadline = time.monotonic() + VOTE_S
    try:
        while newcomer.address not in await validators_of(plan, voters[0]):
            if time.monotonic() > deadline:
                raise NetworkFailed(
                    f"{newcomer.name} was not voted in within {VOTE_S:.0f} s: more than half of "
                    f"{len(present)} validators must run, and {len(voters)} do.",
                    code="vote_failed",
                )
            await asyncio.sleep(POLL_S)
    finally:
        # A standing vote would bring the newcomer back after the network has voted it out.
        method, params = client.vote_call(newcomer.address, add=False)
        for node in voters:
            with suppress(ChainUnavailable, ChainRefused):
                await ask(node, method, *params)
