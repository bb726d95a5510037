"""Deploying a region's contracts, once: Registry, Tokens, Settlement, at addresses known beforehand.

A throw-away key creates them with consecutive nonces, so each can be told the address of Settlement, which comes
last. What was begun is in the folder: after a crash the same key sends the same transactions again.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coincurve import PrivateKey
from eth_abi.abi import decode, encode
from eth_hash.auto import keccak

from sdt.adapters.chain.deployment import DEPLOYMENT_FILE, Deployment, load_deployment
from sdt.adapters.chain.errors import ChainRefused, ChainUnavailable
from sdt.adapters.chain.reader import ChainReader, Receipt
from sdt.contracts import load
from sdt.domain.chain_tx import ChainTransaction, contract_address
from sdt.domain.errors import Conflict
from sdt.domain.region import Region

__all__ = ["Administrator", "Deployment", "deploy_region", "load_deployment"]

Administrator = tuple[bytes, bytes]
"""A public key and its key word, 32 bytes each."""

_KEY_FILE = "deployer.key"
_INCLUSION_S = 120.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class _Step:
    """One contract to create: with which nonce, what code and arguments, where it will be."""

    name: str
    nonce: int
    data: bytes
    address: str


async def deploy_region(
    reader: ChainReader,
    region: Region,
    *,
    chain_key: str,
    administrators: Sequence[Administrator],
    folder: Path,
    gas_price_wei: int = 0,
    finality_blocks: int = 1,
    deployer: PrivateKey | None = None,
) -> Deployment:
    """Deploy the region's contracts, or find them deployed; return where they are.

    `deployer` is needed only where gas has a price; otherwise a fresh key is made and thrown away at the end.
    Errors: Conflict when the folder's deployment is not on this chain or is another region's; ChainUnavailable,
    ChainRefused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = load_deployment(folder)
    if done is not None:
        await _check(reader, done, region, chain_key)
        return done
    chain_id = await reader.chain_id()
    key = deployer or _throw_away_key(folder / _KEY_FILE)
    owner = "0x" + keccak(key.public_key.format(compressed=False)[1:])[12:].hex()
    first = await _first_nonce(reader, owner, folder, fresh=deployer is None)
    steps = _plan(owner, first, region, chain_key, administrators)
    for step in steps:
        receipt = await _create(reader, step, key, chain_id, gas_price_wei)
    # A block that left the chain before it was final is waited for anew.
    while not await _final(reader, receipt, finality_blocks):
        receipt = await _create(reader, steps[-1], key, chain_id, gas_price_wei)
    found = Deployment(
        chain_id=chain_id,
        region=region.id,
        registry=steps[0].address,
        settlement=steps[-1].address,
        tokens=tuple(step.address for step in steps[1:-1]),
        chain_key=chain_key,
        block_number=receipt.block_number,
        block_hash="0x" + receipt.block_hash.hex(),
        symbols=tuple(token.symbol for token in region.tokens),
    )
    await _check(reader, found, region, chain_key)
    _write(folder / DEPLOYMENT_FILE, json.dumps(asdict(found), indent=2) + "\n", 0o644)
    (folder / _KEY_FILE).unlink(missing_ok=True)
    return found


async def _first_nonce(reader: ChainReader, owner: str, folder: Path, *, fresh: bool) -> int:
    """Return the nonce of the first contract: 0 for a fresh key; for a given one, written down before it is used."""
    if fresh:
        return 0
    path = folder / "deployer.nonce"
    if not path.exists():
        _write(path, str(await reader.nonce(owner)), 0o644)
    return int(path.read_text())


def _throw_away_key(path: Path) -> PrivateKey:
    """Return the key of a deployment that was begun, or a new one, written down before it is used."""
    if not path.exists():
        _write(path, PrivateKey().secret.hex(), 0o600)
    return PrivateKey(bytes.fromhex(path.read_text().strip()))


def _plan(
    owner: str, first: int, region: Region, chain_key: str, administrators: Sequence[Administrator]
) -> list[_Step]:
    places = [contract_address(owner, first + i) for i in range(len(region.tokens) + 2)]
    settlement, tokens = places[-1], places[1:-1]
    region_word = region.id.encode("ascii").ljust(32, b"\0")
    arguments: list[tuple[str, list[Any]]] = [("Registry", [settlement, region_word, list(administrators)])]
    arguments += [
        (
            "Token",
            [
                settlement,
                token.name,
                token.symbol,
                token.asset_scale,
                int(token.domain_number),
                token.fee_account,
                token.mint_per_day_units,
            ],
        )
        for token in region.tokens
    ]
    arguments.append(("Settlement", [chain_key, region_word, places[0], tokens]))
    return [
        _Step(name, first + i, load(name).bytecode + _encoded(name, values), places[i])
        for i, (name, values) in enumerate(arguments)
    ]


def _encoded(name: str, values: list[Any]) -> bytes:
    constructor = next(entry for entry in load(name).abi if entry["type"] == "constructor")
    return encode([_abi_type(one) for one in constructor["inputs"]], values)


def _abi_type(entry: dict[str, Any]) -> str:
    """Return an argument's type, a struct's written out as a tuple."""
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    return "(" + ",".join(_abi_type(one) for one in entry["components"]) + ")" + kind.removeprefix("tuple")


async def _create(reader: ChainReader, step: _Step, key: PrivateKey, chain_id: int, gas_price_wei: int) -> Receipt:
    """Create one contract unless it is there; return its receipt."""
    unsigned = ChainTransaction(chain_id, step.nonce, None, step.data, _gas(step.data), gas_price_wei)
    signature = key.sign_recoverable(unsigned.signing_hash(), hasher=None)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    raw = unsigned.raw(r, s, signature[64])
    tx_hash = keccak(raw)
    deadline = asyncio.get_running_loop().time() + _INCLUSION_S
    while asyncio.get_running_loop().time() < deadline:
        receipt = await reader.receipt(tx_hash)
        if receipt is not None:
            if not receipt.succeeded or receipt.contract != step.address:
                raise Conflict(f"The chain refused to create {step.name}.", code="deployment_failed")
            return receipt
        await _send(reader, raw)
        await asyncio.sleep(_POLL_S)
    raise ChainUnavailable(f"{step.name} was in no block after {_INCLUSION_S:.0f} s.")


async def _final(reader: ChainReader, receipt: Receipt, finality_blocks: int) -> bool:
    """Wait until a block could be final; tell whether it still stands then."""
    deadline = asyncio.get_running_loop().time() + _INCLUSION_S
    while await reader.block_number() < receipt.block_number + finality_blocks - 1:
        if asyncio.get_running_loop().time() > deadline:
            raise ChainUnavailable("The chain does not grow: the contracts are in it and not final.")
        await asyncio.sleep(_POLL_S)
    again = await reader.receipt(receipt.tx_hash)
    return again is not None and again.block_hash == receipt.block_hash


def _gas(data: bytes) -> int:
    """Return the gas limit of a creation: a function of its bytes alone, so that a repeat is the same transaction.

    Source: 16 a byte of input, 200 a byte of code kept, and the constructor's own.
    """
    return 1_500_000 + 250 * len(data)


async def _send(reader: ChainReader, raw: bytes) -> None:
    """Send to every node, for nodes relay transactions of price zero poorly. Errors: ChainRefused, ChainUnavailable."""
    answers = await reader.call_each("eth_sendRawTransaction", "0x" + raw.hex())
    refused = [answer["error"] for answer in answers if isinstance(answer, dict) and answer.get("error")]
    if any(isinstance(answer, dict) and not answer.get("error") for answer in answers):
        return
    for error in refused:
        message = str(error.get("message", ""))
        # On its way or already in a block; the receipt will tell which.
        if not message.lower().startswith(("already known", "known transaction", "nonce too low")):
            raise ChainRefused("eth_sendRawTransaction", int(error.get("code", 0)), message[:500])
    if not refused:
        raise ChainUnavailable("No chain node took the transaction.")


async def _check(reader: ChainReader, found: Deployment, region: Region, chain_key: str) -> None:
    """Make sure that these contracts are on this chain and are this region's. Errors: Conflict."""
    if found.region != region.id or found.chain_key != chain_key or len(found.tokens) != len(region.tokens):
        raise Conflict("The folder holds another region's deployment.", code="deployment_other_region")
    if await reader.chain_id() != found.chain_id or not await reader.code(found.settlement):
        raise Conflict("The folder's deployment is not on this chain.", code="deployment_other_chain")
    answers = await reader.eth_calls(
        [(found.settlement, _selector("registry()")), (found.settlement, _selector("tokens()"))]
    )
    registry = decode(["address"], answers[0])[0].lower()
    tokens = tuple(one.lower() for one in decode(["address[]"], answers[1])[0])
    if registry != found.registry or tokens != found.tokens:
        raise Conflict("Settlement names other contracts than the folder.", code="deployment_differs")


def _selector(signature: str) -> bytes:
    return bytes(keccak(signature.encode())[:4])


def _write(path: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all, on disk before this returns."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
