"""Real sandbox processes for tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdt.adapters.aml import HttpAml
from sdt.adapters.bank import HttpBank
from sdt.adapters.depository import HttpDepository
from sdt.adapters.kyc import HttpKyc
from sdt.adapters.vendor.client import VendorClient

DAY_S = 0.05


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox and the clients for it."""

    home: Path

    def url(self, service: str) -> str:
        return (self.home / f"{service}.url").read_text().strip()

    def key(self, service: str, *, read_only: bool = False) -> str:
        return (self.home / f"{service}{'.read' if read_only else ''}.key").read_text().strip()

    def client(self, service: str) -> VendorClient:
        return VendorClient(service, self.url(service), self.key(service))

    def bank(self, *, read_only: bool = False, timeout_s: float = 5) -> HttpBank:
        return HttpBank(self.url("bank"), self.key("bank", read_only=read_only), timeout_s=timeout_s)

    def depository(self, *, timeout_s: float = 5) -> HttpDepository:
        return HttpDepository(self.url("depository"), self.key("depository"), timeout_s=timeout_s)

    def kyc(self) -> HttpKyc:
        return HttpKyc(self.url("kyc"), self.key("kyc"))

    def aml(self) -> HttpAml:
        return HttpAml(self.url("aml"), self.key("aml"))


@contextmanager
def sandbox(home: Path, *arguments: str) -> Iterator[tuple[Sandbox, subprocess.Popen[str]]]:
    """Start `python -m sdt.sandbox` and wait until it says that it is ready; stop it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sdt.sandbox", *arguments, "--home", str(home)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert any(line.strip() == "ready" for line in process.stdout), "the sandbox ended before it was ready"
        yield Sandbox(home), process
    finally:
        process.terminate()
        process.wait(10)
