"""A signer's folder: `signer.toml`, its certificates, its sealing key, its sealed Ed25519 key, its database."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from nacl.signing import SigningKey, VerifyKey

from sdt.domain.attestation import ImagePolicy
from sdt.domain.errors import Invalid
from sdt.signing.attestation_policy import agreement_of, load_policy
from sdt.signing.enclave.kms import load_kms_settings
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.locked import wipe
from sdt.signing.pki import TlsFiles, ends_s
from sdt.signing.seal import Sealer, SealKind, open_sealer

Port = Annotated[int, Meta(ge=1, le=65535)]
PartyNumber = Annotated[int, Meta(ge=1, le=3)]

INTENT_KEY_LABEL = b"intent key"


class Location(Struct, frozen=True, forbid_unknown_fields=True):
    """How one of the three locations is reached. Shape: intent_key is its Ed25519 public key in hex.

    former_key is the one of the location that it replaced: certificates of the epoch before still carry its signature.
    """

    party: PartyNumber
    host: str
    port: Port
    mpc_port: Port
    intent_key: str
    former_key: str = ""


class Observing(Struct, frozen=True, forbid_unknown_fields=True):
    """What a location tells its operator, and where: `[observing]` in signer.toml.

    Without `health_port` it has no pages, without `trace_endpoint` it sends no traces.
    """

    health_host: str = "127.0.0.1"
    health_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    trace_endpoint: str = ""
    trace_sample: Annotated[float, Meta(ge=0, le=1)] = 0.0


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    party: PartyNumber
    network: str
    chain_url: str
    region_file: str
    deployment_file: str
    location: tuple[Location, ...]
    finality_blocks: Annotated[int, Meta(ge=1)] = 1
    gas_price_wei: Annotated[int, Meta(ge=0)] = 0
    seal: SealKind = "file"
    passphrase_file: str = ""
    seal_command: tuple[str, ...] = ()
    counter_file: str = ""
    observing: Observing = Observing()
    attestation: str = ""
    nsm: str = ""


@dataclass(frozen=True)
class SignerConfig:
    """Everything a signer is told; it is told nothing else by anybody."""

    home: Path
    party: int
    network: str
    chain_url: str
    region_file: Path
    deployment_file: Path
    locations: tuple[Location, Location, Location]
    finality_blocks: int
    """Blocks after which one is final, itself included: 1 on QBFT."""
    gas_price_wei: int
    seal: SealKind = "file"
    passphrase_file: Path | None = None
    seal_command: tuple[str, ...] = ()
    counter_file: Path | None = None
    """On other storage than the folder, so that no copy of the one restores the other."""
    observing: Observing = field(default_factory=Observing)
    attestation: ImagePolicy | None = None
    """Which enclaves this location works with; without one it asks nobody what they run."""
    nsm: Path | None = None
    """The security module's device, in an enclave."""
    agreement: str = ""
    """The digest of what the three must be configured with alike, where attestation is demanded; see `attested`."""

    @property
    def me(self) -> Location:
        """This location."""
        return self.locations[self.party - 1]

    @property
    def peers(self) -> tuple[Location, ...]:
        """The other two."""
        return tuple(location for location in self.locations if location.party != self.party)

    @property
    def tls(self) -> TlsFiles:
        """This location's certificate files."""
        return TlsFiles(str(self.home / "tls.pem"), str(self.home / "tls.key"), str(self.home / "authority.pem"))

    def certificate_ends_s(self) -> float:
        """Return when this location's certificate ends, 0 when it cannot tell. Units: unix seconds."""
        return ends_s(self.tls)

    def intent_keys(self) -> dict[int, VerifyKey]:
        """Return the keys with which the locations sign intents and certificates."""
        return intent_keys(self.locations)

    def sealer(self, nsm: Nsm | None = None) -> Sealer:
        """Open this location's sealer; `nsm` in the place of the enclave's own.

        Errors: SealBroken.
        """
        nsm = nsm or (Nsm(self.nsm) if self.nsm else None)
        return open_sealer(self.seal, self.home, self.passphrase_file, self.seal_command, nsm)

    def seal_name(self) -> str:
        """Return what the secrets are sealed under, as an attestation says it."""
        return f"kms {load_kms_settings(self.home).name}" if self.seal == "kms" else self.seal

    def intent_key(self, sealer: Sealer) -> SigningKey:
        """Unseal this location's own signing key.

        Errors: SealBroken.
        """
        seed = sealer.unseal(INTENT_KEY_LABEL, (self.home / "intent.sealed").read_bytes())
        try:
            return SigningKey(bytes(seed))
        finally:
            wipe(seed)


def intent_keys(locations: tuple[Location, ...]) -> dict[int, VerifyKey]:
    """Return the verifying keys of locations by party."""
    return {location.party: VerifyKey(bytes.fromhex(location.intent_key)) for location in locations}


def former_keys(locations: tuple[Location, ...]) -> dict[int, VerifyKey]:
    """Return the verifying keys of locations as they were before a replacement."""
    return {each.party: VerifyKey(bytes.fromhex(each.former_key or each.intent_key)) for each in locations}


def _agreement(home: Path, file: _File) -> str:
    keys = {location.party: location.intent_key for location in file.location}
    return agreement_of(file.network, keys, (home / file.attestation).read_bytes())


def load_signer_config(home: Path) -> SignerConfig:
    """Read `signer.toml`; relative paths in it start at the folder.

    Errors: Invalid, naming what is wrong.
    """
    try:
        file = msgspec.convert(tomllib.loads((home / "signer.toml").read_text()), _File)
        first, second, third = sorted(file.location, key=lambda location: location.party)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise Invalid(f"signer.toml in {home.name} is not usable: {error}.", code="signer_config") from None
    if (first.party, second.party, third.party) != (1, 2, 3):
        raise Invalid("signer.toml must name the locations 1, 2 and 3, once each.", code="signer_config")
    return SignerConfig(
        home,
        file.party,
        file.network,
        file.chain_url,
        home / file.region_file,
        home / file.deployment_file,
        (first, second, third),
        file.finality_blocks,
        file.gas_price_wei,
        file.seal,
        home / file.passphrase_file if file.passphrase_file else None,
        file.seal_command,
        home / file.counter_file if file.counter_file else None,
        file.observing,
        load_policy(home / file.attestation) if file.attestation else None,
        Path(file.nsm) if file.nsm else None,
        _agreement(home, file) if file.attestation else "",
    )
