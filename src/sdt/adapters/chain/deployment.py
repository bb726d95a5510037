"""Where a region's contracts are, as the deployment wrote it down: every process reads it, few deploy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["DEPLOYMENT_FILE", "Deployment", "load_deployment"]

DEPLOYMENT_FILE: Final = "deployment.json"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where a region's contracts are; every process reads it from `deployment.json`.

    Shape: tokens in the order of the region's file, which is the order in which items name them; symbols are what they
    are called, empty in a file from before they were written. Addresses are lower-case 0x hex; block_hash is 0x hex of
    the block that holds Settlement.
    """

    chain_id: int
    region: str
    registry: str
    settlement: str
    tokens: tuple[str, ...]
    chain_key: str
    block_number: int
    block_hash: str
    symbols: tuple[str, ...] = ()


def load_deployment(folder: Path) -> Deployment | None:
    """Return what `deploy_region` wrote, None before it finished."""
    path = folder / DEPLOYMENT_FILE
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    lists = {name: tuple(found.get(name, ())) for name in ("tokens", "symbols")}
    return Deployment(**{**found, **lists})
