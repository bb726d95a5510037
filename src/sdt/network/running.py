"""Nodes as processes of this machine: started in the background, watched through their RPC, stopped.

A node's process belongs to nobody's terminal: `start` returns once the network makes blocks, and `stop` ends it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from sdt.adapters.chain.answers import integer_of
from sdt.adapters.chain.errors import ChainRefused, ChainUnavailable
from sdt.adapters.chain.transport import Transport
from sdt.network.clients import Place, client_of
from sdt.network.errors import NetworkFailed
from sdt.network.plan import Node, Plan, load_plan

__all__ = ["NetworkStatus", "NodeStatus", "find_binary", "kill", "start", "status", "stop"]

START_S: Final = 60.0
STOP_S: Final = 20.0
POLL_S: Final = 0.2
ANSWER_S: Final = 3.0
SLOW_PERIODS: Final = 8
STALLED_PERIODS: Final = 30
LOG_TAIL_LINES: Final = 12

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node: whether it runs, and what it says of itself, if it answers."""

    name: str
    validator: bool
    url: str
    pid: int | None
    head: int | None
    peers: int | None
    waiting: int | None
    """Transactions in its pool that a block may take."""


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """The network as its nodes show it. `stalled`: no block for so long that it has stopped, its quorum lost perhaps.

    Units: head_age_s in seconds.
    """

    state: Literal["ok", "slow", "stalled", "down"]
    head: int | None
    head_age_s: int | None
    validators: tuple[str, ...]
    nodes: tuple[NodeStatus, ...]


def find_binary(plan: Plan, named: str = "") -> str:
    """Return the program of a network's nodes: as named now, as named when it was made, or on PATH.

    Errors: NetworkFailed.
    """
    wanted = named or plan.binary or client_of(plan.client).binary
    found = shutil.which(wanted)
    if found is None:
        raise NetworkFailed(
            f"There is no program {wanted} on PATH for a {plan.client} node; name it with --binary FILE, "
            "or run the network's compose.yaml with Docker.",
            code="no_binary",
        )
    return str(Path(found).absolute())


async def start(
    folder: Path,
    names: Collection[str] | None = None,
    *,
    binary: str = "",
    say: Progress = lambda _: None,
    wait: bool = True,
) -> NetworkStatus:
    """Start the named nodes that do not run (None: all); return once they answer and the chain grows.

    Errors: NetworkFailed with the node's last words; NotFound.
    """
    plan = load_plan(folder)
    program = find_binary(plan, binary)
    chosen = _chosen(plan, names)
    for node in chosen:
        if running_pid(folder, node) is None:
            say(f"{node.name} ({'validator' if node.validator else 'full node'}) at {node.url}")
            await asyncio.to_thread(_spawn, folder, plan, node, program)
    deadline = time.monotonic() + START_S
    for node in chosen:
        await _until_answers(folder, node, deadline)
    if not wait:
        return await status(folder)
    return await _until_grows(folder, chosen, deadline)


def _chosen(plan: Plan, names: Collection[str] | None) -> list[Node]:
    return list(plan.nodes) if names is None else [plan.node(name) for name in names]


def _spawn(folder: Path, plan: Plan, node: Node, program: str) -> None:
    client, place = client_of(plan.client), _place(folder, node, program)
    home = folder / node.name
    environment = os.environ | client.environment
    first = client.first_command(place)
    if first and not (home / "data" / "geth" / "chaindata").exists():
        made = subprocess.run(first, env=environment, capture_output=True, text=True, check=False)
        if made.returncode:
            raise NetworkFailed(f"{node.name} could not be made ready: {made.stderr[-800:]}", code="node_failed")
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(
            client.command(plan, node, place),
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (home / "pid").write_text(f"{process.pid}\n")


def _place(folder: Path, node: Node, program: str) -> Place:
    return Place(program, str((folder / node.name).absolute()), "127.0.0.1", node.rpc_port, node.p2p_port)


async def stop(folder: Path, names: Collection[str] | None = None) -> list[str]:
    """End the named nodes (None: all), each in order; return which ones ran. Errors: NotFound."""
    plan = load_plan(folder)
    running = [(node, pid) for node in _chosen(plan, names) if (pid := running_pid(folder, node)) is not None]
    for _, pid in running:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    for node, pid in running:
        await _until_ended(folder, node, pid, deadline)
        (folder / node.name / "pid").unlink(missing_ok=True)
    return [node.name for node, _ in running]


async def _until_ended(folder: Path, node: Node, pid: int, deadline: float) -> None:
    while running_pid(folder, node) is not None:
        if time.monotonic() > deadline:
            _signal(pid, signal.SIGKILL)
        await asyncio.sleep(POLL_S)


def kill(folder: Path, name: str) -> None:
    """End a node without warning, as a power cut does. Errors: NotFound."""
    node = load_plan(folder).node(name)
    pid = running_pid(folder, node)
    if pid is not None:
        _signal(pid, signal.SIGKILL)
        while running_pid(folder, node) is not None:
            time.sleep(0.02)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def running_pid(folder: Path, node: Node) -> int | None:
    """Return a node's process, None when it does not run; another process that got its number is none of ours."""
    try:
        pid = int((folder / node.name / "pid").read_text())
    except (FileNotFoundError, ValueError):
        return None
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # if it is a child of this process, so that it does not linger as a zombie
    home = str((folder / node.name).absolute())
    seen = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return pid if home in seen.stdout else None


async def ask(node: Node, method: str, *params: Any) -> Any:
    """Ask one node. Errors: ChainUnavailable, ChainRefused."""
    async with Transport([node.url], timeout_s=ANSWER_S) as transport:
        return await transport.call(method, *params)


async def _until_answers(folder: Path, node: Node, deadline: float) -> None:
    while True:
        try:
            await ask(node, "eth_blockNumber")
        except ChainUnavailable:
            gone = await asyncio.to_thread(running_pid, folder, node) is None
            if gone or time.monotonic() > deadline:
                reason = "ended" if gone else "does not answer"
                raise NetworkFailed(
                    f"{node.name} {reason}. The end of its log:\n{_tail(folder / node.name / 'log')}",
                    code="node_failed",
                ) from None
        else:
            return
        await asyncio.sleep(POLL_S)


async def _until_grows(folder: Path, chosen: Collection[Node], deadline: float) -> NetworkStatus:
    """Wait until every chosen node has peers and the newest block."""
    names = {node.name for node in chosen}
    first: int | None = None
    while True:
        found = await status(folder)
        running = [node for node in found.nodes if node.pid is not None]
        heads = {node.name: node.head for node in running if node.head is not None}
        first = found.head if first is None else first
        lonely = [node.name for node in running if node.name in names and not node.peers] if len(running) > 1 else []
        grown = found.head is not None and first is not None and found.head > first
        near = found.head is not None and all(heads.get(name, -9) >= found.head - 2 for name in names)
        if grown and near and not lonely:
            return found
        if time.monotonic() > deadline:
            raise NetworkFailed(
                f"The network makes no blocks: {', '.join(lonely) or 'no validator'} has no peers or no quorum is up.",
                code="network_stalled",
            )
        await asyncio.sleep(POLL_S)


async def status(folder: Path) -> NetworkStatus:
    """Ask every node how it does. Errors: NotFound when there is no network."""
    plan = load_plan(folder)
    looked = await asyncio.gather(*(_look(folder, node) for node in plan.nodes))
    nodes = tuple(node for node, _ in looked)
    heads = [(node.head, timestamp_s) for node, timestamp_s in looked if node.head is not None]
    if not heads:
        return NetworkStatus("down", None, None, (), nodes)
    head, timestamp_s = max(heads)
    age_s = max(0, int(time.time()) - timestamp_s)
    slow, stalled = SLOW_PERIODS * plan.block_period_s, STALLED_PERIODS * plan.block_period_s
    state: Literal["ok", "slow", "stalled"] = "stalled" if age_s > stalled else "slow" if age_s > slow else "ok"
    answering = plan.node(next(seen.name for seen in nodes if seen.head == head))
    return NetworkStatus(state, head, age_s, await validators_of(plan, answering), nodes)


async def validators_of(plan: Plan, node: Node) -> tuple[str, ...]:
    """Return the present validators' addresses as a node knows them; none when it cannot say."""
    method, params = client_of(plan.client).validators_call()
    try:
        return tuple(sorted(str(address).lower() for address in await ask(node, method, *params)))
    except (ChainUnavailable, ChainRefused):
        return ()


async def _look(folder: Path, node: Node) -> tuple[NodeStatus, int]:
    pid = await asyncio.to_thread(running_pid, folder, node)
    head = peers = waiting = None
    timestamp_s = 0
    async with Transport([node.url], timeout_s=ANSWER_S) as transport:
        with suppress(ChainUnavailable, ChainRefused, KeyError, TypeError, ValueError):
            block = await transport.call("eth_getBlockByNumber", "latest", False)
            head, timestamp_s = integer_of(block["number"]), integer_of(block["timestamp"])
            peers = integer_of(await transport.call("net_peerCount"))
            waiting = integer_of((await transport.call("txpool_status"))["pending"])
    return NodeStatus(node.name, node.validator, node.url, pid, head, peers, waiting), timestamp_s


def _tail(log: Path) -> str:
    with suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
    return "(no log)"
