"""Making the three signer folders and the coordinator's, at first start.

For a demonstration, or where one organisation runs all three. Three organisations each make their own folder and
exchange only certificates and public keys.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec.structs import asdict, replace
from nacl.signing import SigningKey

from sdt.domain.errors import Conflict
from sdt.signing.config import INTENT_KEY_LABEL, Location, Observing
from sdt.signing.pki import Authority, write_secret
from sdt.signing.seal import BoxSealer, new_seal_key
from sdt.signing.tls import COORDINATOR

PARTIES: Final = (1, 2, 3)
FORMER_KEY_FILE: Final = "intent.former.pub"
"""In the folder of a location that took another's place: that one's public key."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where one location listens: for calls, for joint jobs, and for its operator's look at its health (0: not)."""

    host: str
    port: int
    mpc_port: int
    health_port: int = 0


def provision(
    home: Path,
    addresses: Sequence[Address],
    *,
    network: str,
    chain_urls: Sequence[str],
    region_file: Path,
    deployment_file: Path,
    now: datetime,
    finality_blocks: int = 1,
    gas_price_wei: int = 0,
    observing: Observing | None = None,
) -> None:
    """Write `signer-1` to `signer-3` and `coordinator` under `home`, with all keys and certificates fresh.

    Folders that exist keep their keys; only their `signer.toml` is written anew, since ports may change between runs,
    and what its operator chose stays as it is.
    Each location reads a chain node of its own, as far as there are nodes: so one that lies deceives one location.
    Errors: Conflict when only some of the folders exist.
    """
    folders = [home / f"signer-{party}" for party in PARTIES]
    existing = [folder for folder in folders if (folder / "intent.sealed").exists()]
    if existing and len(existing) != len(PARTIES):
        raise Conflict("Only some signer folders exist; restore the others or start anew.", code="signers_incomplete")
    if not existing:
        _make_keys(home, folders, now)
    locations = [
        _location(party, address, folder) for party, address, folder in zip(PARTIES, addresses, folders, strict=True)
    ]
    (home / "counters").mkdir(mode=0o700, exist_ok=True)
    for party, folder, address in zip(PARTIES, folders, addresses, strict=True):
        kept, health_host = _kept_of(folder)
        observed = replace(observing or Observing(), health_host=health_host, health_port=address.health_port)
        settings: dict[str, str | int | list[str]] = {
            "party": party,
            "network": network,
            "chain_url": chain_urls[(party - 1) % len(chain_urls)],
            "region_file": str(region_file.resolve()),
            "deployment_file": str(deployment_file.resolve()),
            "finality_blocks": finality_blocks,
            "gas_price_wei": gas_price_wei,
            "counter_file": f"../counters/{folder.name}",
            **kept,
        }
        (folder / "signer.toml").write_text(
            _toml(settings) + "\n[observing]\n" + _toml(asdict(observed)) + _locations_toml(locations)
        )
    (home / "coordinator" / "signers.toml").write_text(_locations_toml(locations))


def _kept_of(folder: Path) -> tuple[dict[str, str | int | list[str]], str]:
    """Return what whoever runs the location chose: its seal, whom it works with, its counter; and where it has pages.

    A counter under the home, by its whole path, is what earlier versions wrote: it is no choice, and a home may move.
    """
    try:
        said = tomllib.loads((folder / "signer.toml").read_text())
    except FileNotFoundError:
        return {}, Observing().health_host
    chosen = ("seal", "passphrase_file", "seal_command", "counter_file", "attestation", "nsm")
    kept = {name: said[name] for name in chosen if name in said}
    if kept.get("counter_file") == str((folder.parent / "counters" / folder.name).resolve()):
        del kept["counter_file"]
    return kept, said.get("observing", {}).get("health_host", Observing().health_host)


def _location(party: int, address: Address, folder: Path) -> Location:
    return Location(party, address.host, address.port, address.mpc_port, *_keys_of(folder))


def _keys_of(folder: Path) -> tuple[str, str]:
    former = folder / FORMER_KEY_FILE
    return (folder / "intent.pub").read_text(), former.read_text() if former.exists() else ""


def _make_keys(home: Path, folders: Sequence[Path], now: datetime) -> None:
    authority = Authority.open(home / "signing-authority", now)
    authority.issue(COORDINATOR, home / "coordinator", now)
    for party, folder in zip(PARTIES, folders, strict=True):
        make_location(authority, party, folder, now)


def make_location(authority: Authority, party: int, folder: Path, now: datetime) -> None:
    """Make one location's certificate, signing key and sealing key in its folder."""
    authority.issue(party, folder, now)
    seal_key, intent = new_seal_key(), SigningKey.generate()
    write_secret(folder / "intent.sealed", BoxSealer(seal_key).seal(INTENT_KEY_LABEL, bytes(intent)))
    (folder / "intent.pub").write_text(bytes(intent.verify_key).hex())
    write_secret(folder / "seal.key", seal_key)


def write_locations(home: Path, locations: Sequence[Location]) -> None:
    """Write into every folder how the locations are reached and with which keys they sign (`intent.pub`)."""
    renewed = [
        _location(each.party, Address(each.host, each.port, each.mpc_port), home / f"signer-{each.party}")
        for each in locations
    ]
    for party in PARTIES:
        file = home / f"signer-{party}" / "signer.toml"
        settings, _, _ = file.read_text().partition("\n[[location]]\n")
        _replace(file, settings.rstrip("\n") + "\n" + _locations_toml(renewed))
    _replace(home / "coordinator" / "signers.toml", _locations_toml(renewed))


def _replace(file: Path, text: str) -> None:
    """Write a file anew, all of it or nothing."""
    beside = file.with_name(f"{file.name}.new")
    beside.write_text(text)
    beside.replace(file)


def _toml(settings: Mapping[str, str | int | float | list[str]]) -> str:
    """Write plain settings; a JSON string, or a list of them, is a TOML one."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())


def _locations_toml(locations: Sequence[Location]) -> str:
    return "".join(
        "\n[[location]]\n"
        + _toml(
            {
                "party": location.party,
                "host": location.host,
                "port": location.port,
                "mpc_port": location.mpc_port,
                "intent_key": location.intent_key,
                "former_key": location.former_key,
            }
        )
        for location in locations
    )
