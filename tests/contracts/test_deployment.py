"""Deployment: what the constructors refuse, what readers find, and that the artifacts are what the sources say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from region_on_chain import (
    ADMINISTRATORS,
    DAILY_ALLOWANCE,
    FEES,
    REGION,
    TOKENS,
    RegionOnChain,
)

import sdt.contracts
from sdt.contracts import NAMES, build, load
from sdt.domain.registry import NOBODY, KeyStatus, KeyWord, Role, pack_key_word, unpack_key_word

CODE_BYTES_MAX = 24_576
DOORS = {
    "Registry": {"register", "set_key", "identify", "set_rules"},
    "Token": {
        *("settle", "attest", "fund", "release", "set_eligible", "freeze", "seize", "set_mint_allowance", "set_paused"),
        *("transfer", "transferFrom", "approve"),
    },
    "Settlement": {
        *("settle", "administer", "exchange", "propose_chain_key", "accept_chain_key"),
        *("carry_out", "pay"),
    },
}
"""Every function that could change anything. Whoever adds one shows here and below who may use it."""


def administrator(roles: Role = Role.ADMINISTRATOR, **other: Any) -> bytes:
    return pack_key_word(KeyWord(NOBODY, roles, **other))


@pytest.mark.slow
def test_the_committed_artifacts_are_what_the_sources_compile_to() -> None:
    assert build.main(["--check"]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_fits_what_a_chain_takes(name: str) -> None:
    artifact = json.loads((Path(sdt.contracts.__file__).parent / f"{name}.json").read_text())

    assert len(bytes.fromhex(artifact["bytecode_runtime"][2:])) <= CODE_BYTES_MAX
    assert load(name).bytecode.hex() == artifact["bytecode"][2:]
    assert artifact["compiler"]["version"] == "0.4.3"


def test_readers_find_the_region_and_its_parts(fresh: RegionOnChain) -> None:
    def ask(contract: str, address: str, function: str) -> Any:
        return fresh.read(contract, address, function)

    assert ask("Settlement", fresh.settlement, "chain_key") == fresh.chain_key.address
    assert ask("Settlement", fresh.settlement, "registry") == fresh.registry
    assert list(ask("Settlement", fresh.settlement, "tokens")) == fresh.tokens
    assert ask("Settlement", fresh.settlement, "region") == REGION
    assert ask("Settlement", fresh.settlement, "number") == 0
    assert ask("Settlement", fresh.settlement, "head") == bytes(32)
    assert ask("Registry", fresh.registry, "settlement") == fresh.settlement
    assert ask("Registry", fresh.registry, "region") == REGION
    for key in ADMINISTRATORS:
        word = unpack_key_word(fresh.read("Registry", fresh.registry, "key_of", key))
        assert word.may(Role.ADMINISTRATOR, fresh.now_s)


@pytest.mark.parametrize("place", range(len(TOKENS)))
def test_a_token_reads_as_erc20(fresh: RegionOnChain, place: int) -> None:
    name, symbol, decimals, domain = TOKENS[place]

    assert fresh.token(place, "name") == name
    assert fresh.token(place, "symbol") == symbol
    assert fresh.token(place, "decimals") == decimals
    assert fresh.token(place, "totalSupply") == 0
    assert fresh.token(place, "domain") == domain
    assert fresh.token(place, "settlement") == fresh.settlement
    assert fresh.token(place, "fee_account") == FEES
    assert fresh.token(place, "is_eligible", FEES) is True
    assert fresh.token(place, "mint_allowance") == (DAILY_ALLOWANCE, DAILY_ALLOWANCE)
    assert fresh.token(place, "paused") is False


@pytest.mark.parametrize(
    ("place", "value", "error"),
    [
        (0, NOBODY, "token: no settlement"),
        (1, "", "token: no name"),
        (2, "", "token: no name"),
        (3, 19, "token: decimals"),
        (4, 0, "token: unknown domain"),
        (4, 3, "token: unknown domain"),
        (5, NOBODY, "token: no fee account"),
    ],
)
def test_a_token_is_not_made_of_nonsense(fresh: RegionOnChain, place: int, value: Any, error: str) -> None:
    values = fresh.token_arguments(*TOKENS[0])
    values[place] = value

    with pytest.raises(AssertionError, match=error):
        fresh.create("Token", *values)


@pytest.mark.parametrize(
    ("administrators", "error"),
    [
        ([], "no administrators"),
        ([(bytes(32), administrator())], "no key"),
        ([(b"\1" * 32, administrator(Role.ISSUER))], "not an administrator"),
        ([(b"\1" * 32, administrator(Role.ADMINISTRATOR | Role.CLIENT))], "bad key word"),
        ([(b"\1" * 32, bytes(32))], "bad key word"),
        ([(b"\1" * 32, administrator(status=KeyStatus.REVOKED))], "key not active"),
        ([(b"\1" * 32, administrator(expires_s=5))], "key expired"),
        ([(b"\1" * 32, administrator())] * 2, "key twice"),
    ],
)
def test_a_registry_needs_sound_administrators(
    fresh: RegionOnChain, administrators: list[tuple[bytes, bytes]], error: str
) -> None:
    with pytest.raises(AssertionError, match=error):
        fresh.create("Registry", fresh.settlement, REGION, administrators)


def test_a_registry_needs_a_settlement_and_a_region(fresh: RegionOnChain) -> None:
    _, _, first = fresh.registry_arguments()

    with pytest.raises(AssertionError, match="no settlement"):
        fresh.create("Registry", NOBODY, REGION, first)
    with pytest.raises(AssertionError, match="no region"):
        fresh.create("Registry", fresh.settlement, bytes(32), first)


def test_a_settlement_takes_only_a_registry_and_tokens_made_for_it(fresh: RegionOnChain) -> None:
    """These belong to the first Settlement, at another address than this second one."""
    with pytest.raises(AssertionError, match="not this registry"):
        fresh.create("Settlement", *fresh.settlement_arguments())


@pytest.mark.parametrize(
    ("chain_key", "region_id", "tokens", "error"),
    [
        (NOBODY, REGION, "own", "no chain key"),
        (FEES, b"US-NM".ljust(32, b"\0"), "own", "another region"),
        (FEES, REGION, "none", "no tokens"),
        (FEES, REGION, "twice", "token twice"),
        (FEES, REGION, "other", "not this token"),
    ],
)
def test_a_settlement_is_not_made_of_nonsense(
    fresh: RegionOnChain, chain_key: str, region_id: bytes, tokens: str, error: str
) -> None:
    other = fresh.tokens[0]
    fresh.settlement = fresh.address_after(2)
    registry = fresh.create("Registry", *fresh.registry_arguments())
    own = fresh.create("Token", *fresh.token_arguments(*TOKENS[0]))
    listed = {"own": [own], "none": [], "twice": [own, own], "other": [own, other]}[tokens]

    with pytest.raises(AssertionError, match=error):
        fresh.create("Settlement", chain_key, region_id, registry, listed)


@pytest.mark.parametrize("name", NAMES)
def test_every_door_is_known_and_none_takes_value(name: str) -> None:
    functions = [entry for entry in load(name).abi if entry["type"] == "function"]

    assert {e["name"] for e in functions if e["stateMutability"] == "nonpayable"} == DOORS[name]
    assert {e["stateMutability"] for e in functions} == {"nonpayable", "view"}


@pytest.mark.parametrize("name", NAMES)
def test_no_door_opens_to_a_stranger(region: RegionOnChain, name: str) -> None:
    """Nor to the deployer, nor, but for batches and succession, to the chain key."""
    to = {"Registry": region.registry, "Token": region.tokens[0], "Settlement": region.settlement}[name]
    for entry in load(name).abi:
        if entry["type"] != "function" or entry["name"] not in DOORS[name]:
            continue
        values = [_some(one["type"]) for one in entry["inputs"]]
        for key in (region.stranger, region.deployer, region.chain_key):
            if name == "Settlement" and key is region.chain_key and entry["name"] != "carry_out":
                continue
            outcome = region.write(key, name, to, entry["name"], *values)
            assert outcome.logs == []
            assert outcome.error or entry["name"] == "pay", entry["name"]


def _some(kind: str) -> Any:
    return {"address": FEES, "bytes32": b"\1" * 32, "bool": True, "bytes": bytes(128)}.get(kind, 1)
