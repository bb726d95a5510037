"""What a reader of receipts trusts: read from the files that a region and its network publish."""

from __future__ import annotations

import json
from typing import Any

import pytest

from receipt_rig import CHAIN_ID, CHAIN_KEY, SETTLEMENT, VALIDATORS
from sdt.domain import rlp
from sdt.domain.errors import Invalid
from sdt.domain.receipt_trust import Signers, Trust, Validators, read_deployment, read_genesis
from sdt.network.genesis import genesis

ADDRESSES = [key.raw_address for key in VALIDATORS]
EXTRA = "0x" + rlp.encode([bytes(32), sorted(ADDRESSES), [], b"", []]).hex()


@pytest.mark.parametrize(("client", "kind"), [("goquorum", Validators), ("besu", Validators), ("geth", Signers)])
def test_the_genesis_of_each_client_that_we_make_networks_of_is_read(client: Any, kind: type) -> None:
    validators = ["0x" + address.hex() for address in ADDRESSES]
    made = genesis(client, chain_id=10, block_gas_limit=1, block_period_s=1, validators=validators)
    assert read_genesis(made) == (10, kind(frozenset(ADDRESSES)))


def goquorum() -> dict[str, Any]:
    listed = ["0x" + address.hex().upper() for address in ADDRESSES]
    return {"config": {"chainId": 10, "isQuorum": True, "qbft": {"validators": listed}}, "extraData": EXTRA}


def besu() -> dict[str, Any]:
    return {"config": {"chainId": 10, "qbft": {"blockperiodseconds": 1}}, "extraData": EXTRA}


def clique() -> dict[str, Any]:
    extra = bytes(32) + b"".join(ADDRESSES) + bytes(65)
    return {"config": {"chainId": 10, "clique": {"period": 1}}, "extraData": "0x" + extra.hex()}


@pytest.mark.parametrize(("found", "kind"), [(goquorum(), Validators), (besu(), Validators), (clique(), Signers)])
def test_a_genesis_names_who_may_seal(found: dict[str, Any], kind: type) -> None:
    assert read_genesis(found) == (10, kind(frozenset(ADDRESSES)))


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"config": None},
        {"config": {"chainId": "10", "qbft": {}}},
        {"config": {"chainId": True, "qbft": {}}, "extraData": EXTRA},
        {"config": {"chainId": 10}, "extraData": EXTRA},
        {"config": {"chainId": 10, "qbft": None}, "extraData": EXTRA},
        {"config": {"chainId": 10, "qbft": {}}},
        {"config": {"chainId": 10, "qbft": {}}, "extraData": "0x"},
        {"config": {"chainId": 10, "qbft": {}}, "extraData": "0xzz"},
        {"config": {"chainId": 10, "qbft": {}}, "extraData": "0x" + rlp.encode([bytes(32), [], [], b"", []]).hex()},
        {"config": {"chainId": 10, "qbft": {"validators": ["0x12"]}}},
        {"config": {"chainId": 10, "clique": {}}, "extraData": "0x" + "00" * 97},
        {"config": {"chainId": 10, "clique": {}}, "extraData": "0x" + "00" * 110},
        {"config": {"chainId": 10, "clique": {}}, "extraData": 7},
    ],
)
def test_a_genesis_that_names_nobody_is_refused(found: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        read_genesis(found)


def test_nobody_cannot_be_trusted_to_seal() -> None:
    for kind in (Validators, Signers):
        for addresses in (frozenset(), frozenset({b"short"})):
            with pytest.raises(Invalid):
                kind(addresses)


def deployment(**changes: Any) -> dict[str, Any]:
    return {
        "chain_id": CHAIN_ID, "region": "US-TX", "registry": "0x" + "11" * 20, "settlement": SETTLEMENT,
        "tokens": ["0x" + "22" * 20], "chain_key": CHAIN_KEY.address, "block_number": 4, "block_hash": "0x00",
        "symbols": ["TXD"],
    } | changes  # fmt: skip


def test_a_deployment_is_the_regions_own_facts() -> None:
    expected = Trust(CHAIN_ID, SETTLEMENT, CHAIN_KEY.address, "US-TX", ("TXD",))
    assert read_deployment(json.loads(json.dumps(deployment()))) == expected
    # one from before symbols were written leaves the tokens open
    assert read_deployment({k: v for k, v in deployment().items() if k != "symbols"}).tokens is None


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": "1"},
        {"chain_id": True},
        {"settlement": None},
        {"settlement": "0x12"},
        {"chain_key": "nobody"},
        {"region": 5},
        {"symbols": "TXD"},
        {"symbols": [1]},
    ],
)
def test_a_file_that_is_no_deployment_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        read_deployment(deployment(**changes))
