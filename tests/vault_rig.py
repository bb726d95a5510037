"""One vault as several processes see it, for each kind of vault: what the conformance tests ask of all of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aws_rig import aws_settings
from sdt.adapters.aws import client
from sdt.adapters.vault import SealedFile, VaultProtocol
from sdt.adapters.vault.secrets_manager import SecretsManager

SEEN_WITHIN_S = 30.0
SERVICES = ("localstack", "ministack", "moto_server")
KINDS = ("sealed_file", *(pytest.param(name, marks=pytest.mark.slow) for name in SERVICES))


@dataclass
class Clock:
    """The time of every vault of a test."""

    s: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.s


@dataclass
class Rig:
    """`open()` is the vault as one more process sees it."""

    open: Callable[[], VaultProtocol]
    clock: Clock = field(default_factory=Clock)


def sealed_file(folder: Path) -> Rig:
    """A vault in a file."""
    return Rig(lambda: SealedFile.open(folder / "secrets.sealed", folder / "secrets.key"))


def service(url: str, seen_within_s: float = SEEN_WITHIN_S, prefix: str = "") -> Rig:
    """A vault at an emulator of Secrets Manager, empty."""
    asked = client("secretsmanager", aws_settings(url), read_s=5)
    prefix, clock = prefix or f"sdt-{uuid.uuid4().hex}/texas/", Clock()
    return Rig(lambda: SecretsManager(asked, prefix, seen_within_s=seen_within_s, now_s=clock), clock)


def rig_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path, seen_within_s: float = SEEN_WITHIN_S) -> Rig:
    """Return an empty vault of this kind."""
    if kind == "sealed_file":
        return sealed_file(tmp_path)
    return service(request.getfixturevalue(kind), seen_within_s)
