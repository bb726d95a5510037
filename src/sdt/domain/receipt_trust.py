"""What whoever checks a receipt already believes: which region it must come from, and who may seal a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sdt.domain.clique import genesis_signers
from sdt.domain.errors import Invalid
from sdt.domain.qbft import Extra
from sdt.domain.registry import account_bytes

__all__ = ["Anchor", "KnownBlock", "Signers", "Trust", "Validators", "read_deployment", "read_genesis"]


@dataclass(frozen=True, slots=True)
class Validators:
    """The validators of a QBFT chain in force at the block: two thirds of them must have sealed it.

    Errors: Invalid when there are none: two thirds of nobody is nobody.
    """

    addresses: frozenset[bytes]

    def __post_init__(self) -> None:
        _somebody(self.addresses)


@dataclass(frozen=True, slots=True)
class Signers:
    """The signers of a Clique chain: one of them must have sealed the block. Errors: Invalid when there are none."""

    addresses: frozenset[bytes]

    def __post_init__(self) -> None:
        _somebody(self.addresses)


@dataclass(frozen=True, slots=True)
class KnownBlock:
    """The hash of the block, learnt from somebody who is trusted: one's own node, an explorer, a newspaper."""

    hash: bytes


Anchor = Validators | Signers | KnownBlock | None
"""What makes a header believed; None where nothing does, and the result says so."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The region's own facts, as its deployment.json publishes them, and the anchor of the block.

    Shape: addresses are lower-case 0x hex; region and tokens (symbols in Settlement's order) are None where unknown.
    """

    chain_id: int
    settlement: str
    chain_key: str
    region: str | None = None
    tokens: tuple[str, ...] | None = None
    anchor: Anchor = None

    def __post_init__(self) -> None:
        account_bytes(self.settlement)
        account_bytes(self.chain_key)


def read_deployment(found: Mapping[str, Any]) -> Trust:
    """Return what a deployment.json says of its region; it names nobody who seals.

    Errors: Invalid.
    """
    texts = [found.get(name) for name in ("settlement", "chain_key", "region")]
    chain_id, symbols = found.get("chain_id"), found.get("symbols", [])
    good = all(isinstance(text, str) for text in texts) and type(chain_id) is int and isinstance(symbols, list)
    if not good or not all(isinstance(symbol, str) for symbol in symbols):
        raise Invalid("This is no deployment.json of a region.", code="deployment_file")
    settlement, chain_key, region = (str(text) for text in texts)
    return Trust(int(str(chain_id)), settlement.lower(), chain_key.lower(), region, tuple(symbols) or None)


_FORM: Final = "This is no genesis file of a QBFT or Clique network"


def read_genesis(genesis: Mapping[str, Any]) -> tuple[int, Validators | Signers]:
    """Return the chain id and who may seal, as a genesis file of GoQuorum, Besu or geth names them.

    Errors: Invalid.
    """
    config = genesis.get("config")
    if not isinstance(config, dict) or type(config.get("chainId")) is not int:
        raise Invalid(f"{_FORM}: it has no config.chainId.", code="genesis")
    chain_id = config["chainId"]
    if "clique" in config:
        return chain_id, Signers(genesis_signers(_extra(genesis)))
    if isinstance(config.get("qbft"), dict):
        listed = config["qbft"].get("validators")
        if isinstance(listed, list) and listed and all(isinstance(one, str) for one in listed):
            return chain_id, Validators(frozenset(account_bytes(one.lower()) for one in listed))
        return chain_id, Validators(frozenset(Extra.decode(_extra(genesis)).validators))
    raise Invalid(f"{_FORM}: it names no validators and no signers.", code="genesis")


def _somebody(addresses: frozenset[bytes]) -> None:
    if not addresses or any(len(address) != 20 for address in addresses):
        raise Invalid("Trust at least one validator or signer, by an address of 20 bytes.", code="trust")


def _extra(genesis: Mapping[str, Any]) -> bytes:
    extra = genesis.get("extraData")
    try:
        return bytes.fromhex(str(extra).removeprefix("0x"))
    except ValueError:
        raise Invalid(f"{_FORM}: its extraData is not hexadecimal.", code="genesis") from None
