"""A one-process chain for a laptop: Berlin rules, zero gas price, SQLite, JSON-RPC over HTTP.

It speaks to clients as a Quorum node does, so that nothing above it knows which of the two it talks to.
`python -m sdt.adapters.chain.embedded --db chain.sqlite --port 0` prints `ready PORT` when it listens.
"""

from __future__ import annotations

import sys
from typing import Final

import eth.vm.forks.berlin
import py_ecc  # noqa: F401  imported by py-evm too, but late

__all__ = ["RECURSION_LIMIT"]

RECURSION_LIMIT: Final = eth.EVM_RECURSION_LIMIT
# py-ecc raises the limit to 100,000 when imported. Decoders of JSON recurse in C and trust that limit: at 30,000 levels
# they run out of stack and take the process with them.
sys.setrecursionlimit(RECURSION_LIMIT)
