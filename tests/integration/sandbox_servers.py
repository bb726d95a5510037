"""Real sandbox processes for tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdt.adapters.aml.http import HttpAml
from sdt.adapters.bank.http import HttpBank
from sdt.adapters.depository.http import HttpDepository
from sdt.adapters.kyc.http import HttpKyc
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

    def client(self, service: str, *, read_only: bool = False, timeout_s: float = 5) -> VendorClient:
        key = self.key(service, read_only=read_only)
        return VendorClient(service, self.url(service), key, timeout_s=timeout_s, pause_s=0.05)

    def bank(self, program: str = "TXD", *, read_only: bool = False, timeout_s: float = 5) -> HttpBank:
        client = self.client("bank", read_only=read_only, timeout_s=timeout_s)
        return HttpBank(
            client,
            {
                "clearing": f"{program}-clearing",
                "reserve": f"{program}-reserve",
                "operating": f"{program}-operating",
            },
        )

    def depository(self, *, timeout_s: float = 5) -> HttpDepository:
        return HttpDepository(self.client("depository", timeout_s=timeout_s))

    def kyc(self) -> HttpKyc:
        return HttpKyc(self.client("kyc"))

    def aml(self) -> HttpAml:
        return HttpAml(self.client("aml"))


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
