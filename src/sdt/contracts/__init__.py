"""The contracts of a region, compiled: Registry, Token, Settlement.

The sources are the `.vy` files here; the artifacts beside them are committed, so that nothing that deploys or reads
a contract needs a compiler. `python -m sdt.contracts.build` makes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

__all__ = ["NAMES", "Artifact", "load"]

NAMES: Final = ("Registry", "Token", "Settlement")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract: its interface, and the code that creates it."""

    abi: list[dict[str, Any]]
    bytecode: bytes


@cache
def load(name: str) -> Artifact:
    """Return the compiled contract of this name.

    Shape: constructor arguments are ABI-encoded and appended to the bytecode.
    """
    assert name in NAMES, f"there is no contract {name}"
    artifact = json.loads(files(__name__).joinpath(f"{name}.json").read_text())
    return Artifact(artifact["abi"], bytes.fromhex(artifact["bytecode"][2:]))
