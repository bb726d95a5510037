"""The first block of a network: its rules, and who its first validators are. Berlin for every client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sdt.domain import rlp
from sdt.domain.qbft import QBFT_MIX_HASH, SEAL_BYTES, VANITY_BYTES
from sdt.domain.registry import account_bytes
from sdt.network.plan import ClientName

__all__ = ["genesis"]

EPOCH_BLOCKS: Final = 30_000
ROUND_TIMEOUT_S: Final = 4
ROUND_TIMEOUT_MAX_S: Final = 8
"""Rounds double their time-out; uncapped, a network that had lost its quorum was not back two minutes later.

GoQuorum's genesis takes a cap. Besu's knows none.
"""

_VANITY: Final = bytes(VANITY_BYTES)
_SEAL: Final = bytes(SEAL_BYTES)
_BERLIN: Final = (
    "homesteadBlock",
    "eip150Block",
    "eip155Block",
    "eip158Block",
    "byzantiumBlock",
    "constantinopleBlock",
    "petersburgBlock",
    "istanbulBlock",
    "muirGlacierBlock",
    "berlinBlock",
)


def genesis(
    client: ClientName, *, chain_id: int, block_gas_limit: int, block_period_s: int, validators: Sequence[str]
) -> dict[str, Any]:
    """Return the genesis file of a client, as JSON data.

    Shape: validators are 0x addresses; the file holds them sorted.
    Source: the clients' documentation of QBFT; EIP-225 for Clique.
    """
    addresses = sorted(validators)
    clique = client == "geth"
    consensus = {"geth": _clique_config, "goquorum": _goquorum_config, "besu": _besu_config}[client]
    config = {"chainId": chain_id} | dict.fromkeys(_BERLIN, 0) | consensus(block_period_s, addresses)
    return {
        "config": config,
        "nonce": "0x0",
        "timestamp": "0x0",
        "gasLimit": hex(block_gas_limit),
        "difficulty": "0x1",
        "mixHash": "0x" + (bytes(32) if clique else QBFT_MIX_HASH).hex(),
        "coinbase": "0x" + bytes(20).hex(),
        "extraData": "0x" + (_clique_extra(addresses) if clique else _qbft_extra(addresses)).hex(),
        "alloc": {},
    }


def _clique_config(period_s: int, _: Sequence[str]) -> dict[str, Any]:
    return {"clique": {"period": period_s, "epoch": EPOCH_BLOCKS}}


def _goquorum_config(period_s: int, validators: Sequence[str]) -> dict[str, Any]:
    return {
        "isQuorum": True,
        "txnSizeLimit": 128,
        "maxCodeSizeConfig": [{"block": 0, "size": 32}],
        "qbft": {
            "epochlength": EPOCH_BLOCKS,
            "blockperiodseconds": period_s,
            "requesttimeoutseconds": ROUND_TIMEOUT_S,
            "maxRequestTimeoutSeconds": ROUND_TIMEOUT_MAX_S,
            "policy": 0,
            "ceil2Nby3Block": 0,
            "validators": list(validators),
        },
    }


def _besu_config(period_s: int, _: Sequence[str]) -> dict[str, Any]:
    return {
        "qbft": {
            "epochlength": EPOCH_BLOCKS,
            "blockperiodseconds": period_s,
            "requesttimeoutseconds": ROUND_TIMEOUT_S,
        }
    }


def _clique_extra(validators: Sequence[str]) -> bytes:
    return _VANITY + b"".join(account_bytes(one) for one in validators) + _SEAL


def _qbft_extra(validators: Sequence[str]) -> bytes:
    """Return [vanity, validators, no vote, round 0, no seals]."""
    return rlp.encode([_VANITY, [account_bytes(one) for one in validators], [], 0, []])
