"""The geth program for tests on a real network: GoQuorum's own base, installed by `make geth`."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import outside
from chain_node import ChainNode
from sdt.network import Wanted, create, start, stop

HOW_TO_GET_IT = "geth v1.10.3, which `make geth` installs with Go into .tools/bin"


def binary() -> str:
    """Return the program, or skip the test; in CI it must be there."""
    installed = Path(__file__).resolve().parents[1] / ".tools" / "bin" / "geth"
    return shutil.which(str(installed)) or shutil.which("geth") or outside.lacking(HOW_TO_GET_IT)


class GethNode:
    """One geth node that seals as soon as there is something to seal; `url` is where it answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "network"
        self._plan = create(self._folder, Wanted("geth", nodes=1, binary=binary()))
        for file in (self._folder / "genesis.json", self._folder / "node-1" / "genesis.json"):
            first = json.loads(file.read_text())
            first["config"]["clique"]["period"] = 0
            file.write_text(json.dumps(first))

    @property
    def url(self) -> str:
        return self._plan.nodes[0].url

    def __enter__(self) -> GethNode:
        asyncio.run(start(self._folder, ["node-1"], wait=False))
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run(stop(self._folder))


@contextmanager
def node_of(kind: str, folder: Path, *embedded_options: str) -> Iterator[ChainNode | GethNode]:
    """Run a node of a kind: the embedded chain, or geth."""
    with GethNode(folder) if kind == "geth" else ChainNode(folder / "chain.sqlite", *embedded_options) as running:
        yield running
