"""Real sandbox processes for tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from sdt.adapters.aml import HttpAml
from sdt.adapters.bank import HttpBank
from sdt.adapters.depository import HttpDepository
from sdt.adapters.kyc import HttpKyc
from sdt.adapters.vendor.auth import needs_id
from sdt.adapters.vendor.folder import load_folder
from sdt.adapters.vendor.mapped import MappedVendor
from sdt.adapters.vendor.shipped import SHIPPED
from sdt.sandbox.control import SandboxControl

DAY_S = 0.05


FAMILIES = ("sandbox", "plains")
"""The two families of vendors: one sandbox spoken to in two quite different ways."""


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox and the clients for it."""

    home: Path
    family: str = "sandbox"

    def url(self, service: str) -> str:
        return (self.home / f"{service}.url").read_text().strip()

    def key(self, service: str, *, read_only: bool = False) -> str:
        return (self.home / f"{service}{'.read' if read_only else ''}.key").read_text().strip()

    def client(self, service: str) -> SandboxControl:
        return SandboxControl(self.url(service), self.key(service))

    def vendor(
        self, kind: str, service: str, *, read_only: bool = False, timeout_s: float = 5, trace: Path | None = None
    ) -> MappedVendor:
        folder = load_folder(SHIPPED / f"{self.family}-{kind}")
        folder = replace(folder, spec=msgspec.structs.replace(folder.spec, timeout_s=timeout_s))
        who = ("read:" if read_only else "full:") * needs_id(folder.spec.auth)
        secret = who + self.key(service, read_only=read_only)
        return MappedVendor(folder, self.url(service), lambda: secret, trace_folder=trace)

    def bank(self, *, read_only: bool = False, timeout_s: float = 5) -> HttpBank:
        return HttpBank(
            self.vendor("ach", "bank", read_only=read_only, timeout_s=timeout_s),
            self.vendor("treasury", "bank", read_only=read_only, timeout_s=timeout_s),
        )

    def depository(self, *, timeout_s: float = 5) -> HttpDepository:
        return HttpDepository(self.vendor("depository", "depository", timeout_s=timeout_s))

    def kyc(self) -> HttpKyc:
        return HttpKyc(self.vendor("kyc", "kyc"))

    def aml(self, *, timeout_s: float = 5) -> HttpAml:
        return HttpAml(self.vendor("aml", "aml", timeout_s=timeout_s))


@contextmanager
def sandbox(home: Path, *arguments: str, family: str = "sandbox") -> Iterator[tuple[Sandbox, subprocess.Popen[str]]]:
    """Start `python -m sdt.sandbox` and wait until it says that it is ready; stop it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sdt.sandbox", *arguments, "--home", str(home)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert any(line.strip() == "ready" for line in process.stdout), "the sandbox ended before it was ready"
        yield Sandbox(home, family), process
    finally:
        process.terminate()
        process.wait(10)
