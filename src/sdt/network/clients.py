"""What each client is told: its key, its peers, its command line, and how validators are asked for and voted in.

One command line serves a process on this machine and a container alike; only places and ports differ.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from coincurve import PrivateKey

from sdt.adapters.vault.private_file import write_private
from sdt.network.plan import ClientName, Node, Plan

__all__ = ["Client", "Place", "client_of"]

Call = tuple[str, Sequence[Any]]
"""A JSON-RPC method and its parameters."""

POOL_ACCOUNT_SLOTS: Final = 4096
"""The chain key is one account: a pool that allows an account sixteen transactions would stall it."""
POOL_SLOTS: Final = 8192


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node runs: its program, its folder as it sees it, its addresses."""

    binary: str
    folder: str
    listen: str
    rpc_port: int
    p2p_port: int


class Client(Protocol):
    """One kind of node."""

    binary: str
    """The program's name, as looked for on PATH."""
    image: str
    """The container image of the same version."""
    environment: dict[str, str]

    def prepare(self, folder: Path, key: PrivateKey) -> None:
        """Put the node's secrets into its folder."""

    def peers_file(self) -> str:
        """Return the name, in the node's folder, of the list of its peers."""

    def first_command(self, place: Place) -> list[str]:
        """Return what makes the node's database, nothing when it makes that by itself."""

    def command(self, plan: Plan, node: Node, place: Place) -> list[str]:
        """Return what runs the node."""

    def validators_call(self) -> Call:
        """Return how the addresses of the present validators are asked for."""

    def vote_call(self, address: str, *, add: bool) -> Call:
        """Return how a validator is told to vote for another, or to end that vote."""


class Geth:
    """Stock geth v1.10.3 with Clique: the code that GoQuorum 24.4.1 is made of."""

    binary = "geth"
    image = "ethereum/client-go:v1.10.3"
    environment: dict[str, str] = {}  # noqa: RUF012

    def prepare(self, folder: Path, key: PrivateKey) -> None:
        from eth_account import Account

        write_private(folder / "nodekey", key.secret.hex().encode())
        # Clique seals with an account; the password only guards the file from being copied without its folder.
        password = secrets.token_urlsafe(24)
        write_private(folder / "password", password.encode())
        kept = Account.encrypt(key.secret, password, kdf="pbkdf2", iterations=10_000)
        (folder / "data" / "keystore").mkdir(mode=0o700, parents=True)
        write_private(folder / "data" / "keystore" / "sealer", json.dumps(kept).encode())

    def peers_file(self) -> str:
        return "data/geth/static-nodes.json"

    def first_command(self, place: Place) -> list[str]:
        return [place.binary, "--datadir", f"{place.folder}/data", "init", f"{place.folder}/genesis.json"]

    def command(self, plan: Plan, node: Node, place: Place) -> list[str]:
        sealing = [
            *("--unlock", node.address),
            *("--password", f"{place.folder}/password"),
            "--allow-insecure-unlock",
            *self._mining(plan, node),
        ]
        return [*self._common(plan, place, "clique"), *(sealing if node.validator else [])]

    def _mining(self, plan: Plan, node: Node) -> list[str]:
        return [
            "--mine",
            *("--miner.threads", "1"),
            *("--miner.etherbase", node.address),
            *("--miner.gasprice", "0"),
            *("--miner.gastarget", str(plan.block_gas_limit)),
            *("--miner.gaslimit", str(plan.block_gas_limit)),
        ]

    def _common(self, plan: Plan, place: Place, consensus: str) -> list[str]:
        return [
            place.binary,
            *("--datadir", f"{place.folder}/data"),
            *("--nodekey", f"{place.folder}/nodekey"),
            *("--networkid", str(plan.chain_id)),
            *("--port", str(place.p2p_port)),
            "--nodiscover",
            *("--nat", "none"),
            "--ipcdisable",
            *("--syncmode", "full"),
            # A state a block, on disk at once: a node that is killed goes on from its last block.
            *("--gcmode", "archive"),
            *("--cache", "128"),
            "--http",
            *("--http.addr", place.listen),
            *("--http.port", str(place.rpc_port)),
            *("--http.vhosts", "*"),
            *("--http.api", f"eth,net,web3,txpool,admin,{consensus}"),
            *("--txpool.accountslots", str(POOL_ACCOUNT_SLOTS)),
            *("--txpool.globalslots", str(POOL_SLOTS)),
            *("--txpool.accountqueue", str(POOL_ACCOUNT_SLOTS)),
            *("--txpool.globalqueue", str(POOL_SLOTS)),
        ]

    def validators_call(self) -> Call:
        return "clique_getSigners", []

    def vote_call(self, address: str, *, add: bool) -> Call:
        return ("clique_propose", [address, True]) if add else ("clique_discard", [address])


class GoQuorum(Geth):
    """GoQuorum 24.4.1 with QBFT, without private transactions."""

    image = "quorumengineering/quorum:24.4.1"
    environment: dict[str, str] = {"PRIVATE_CONFIG": "ignore"}  # noqa: RUF012

    def prepare(self, folder: Path, key: PrivateKey) -> None:
        write_private(folder / "nodekey", key.secret.hex().encode())

    def peers_file(self) -> str:
        return "data/static-nodes.json"

    def command(self, plan: Plan, node: Node, place: Place) -> list[str]:
        common = self._common(plan, place, "istanbul")
        return [*common, *(self._mining(plan, node) if node.validator else [])]

    def validators_call(self) -> Call:
        return "istanbul_getValidators", ["latest"]

    def vote_call(self, address: str, *, add: bool) -> Call:
        return ("istanbul_propose", [address, True]) if add else ("istanbul_discard", [address])


class Besu:
    """Hyperledger Besu with QBFT."""

    binary = "besu"
    image = "hyperledger/besu:24.12.2"
    environment: dict[str, str] = {}  # noqa: RUF012

    def prepare(self, folder: Path, key: PrivateKey) -> None:
        write_private(folder / "nodekey", f"0x{key.secret.hex()}".encode())

    def peers_file(self) -> str:
        return "static-nodes.json"

    def first_command(self, place: Place) -> list[str]:
        return []

    def command(self, plan: Plan, node: Node, place: Place) -> list[str]:
        return [
            place.binary,
            f"--data-path={place.folder}/data",
            f"--genesis-file={place.folder}/genesis.json",
            f"--network-id={plan.chain_id}",
            f"--node-private-key-file={place.folder}/nodekey",
            f"--static-nodes-file={place.folder}/static-nodes.json",
            "--discovery-enabled=false",
            f"--p2p-host={place.listen}",
            f"--p2p-port={place.p2p_port}",
            "--sync-mode=FULL",
            "--sync-min-peers=1",
            "--data-storage-format=FOREST",
            "--rpc-http-enabled",
            f"--rpc-http-host={place.listen}",
            f"--rpc-http-port={place.rpc_port}",
            "--rpc-http-api=ETH,NET,WEB3,TXPOOL,ADMIN,QBFT",
            "--host-allowlist=*",
            "--min-gas-price=0",
            f"--target-gas-limit={plan.block_gas_limit}",
            "--tx-pool=sequenced",
            f"--tx-pool-max-size={POOL_SLOTS}",
            "--tx-pool-limit-by-account-percentage=1",
        ]

    def validators_call(self) -> Call:
        return "qbft_getValidatorsByBlockNumber", ["latest"]

    def vote_call(self, address: str, *, add: bool) -> Call:
        if add:
            return "qbft_proposeValidatorVote", [address, True]
        return "qbft_discardValidatorVote", [address]


_CLIENTS: Final[dict[ClientName, Client]] = {"geth": Geth(), "goquorum": GoQuorum(), "besu": Besu()}


def client_of(name: ClientName) -> Client:
    """Return a client by name."""
    return _CLIENTS[name]
