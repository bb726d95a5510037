"""Making and running a chain network on this machine: GoQuorum or Besu with QBFT, or stock geth with Clique."""

from sdt.network.add import add_validator
from sdt.network.chain import Chain, chain_of
from sdt.network.create import Wanted, create
from sdt.network.errors import NetworkFailed
from sdt.network.plan import Plan, load_plan
from sdt.network.running import NetworkStatus, NodeStatus, start, status, stop

__all__ = [
    "Chain",
    "NetworkFailed",
    "NetworkStatus",
    "NodeStatus",
    "Plan",
    "Wanted",
    "add_validator",
    "chain_of",
    "create",
    "load_plan",
    "start",
    "status",
    "stop",
]
