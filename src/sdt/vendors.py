"""The outside parties as settings name them, each behind its port, with its key from the vault."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sdt.adapters.aml.http import HttpAml
from sdt.adapters.bank.http import HttpBank
from sdt.adapters.depository.http import HttpDepository
from sdt.adapters.kyc.http import HttpKyc
from sdt.adapters.vault import SealedFile
from sdt.adapters.vendor.client import VendorClient
from sdt.config import Settings
from sdt.config.model import Vendor
from sdt.domain.region import Region
from sdt.ports import Aml, Bank, Depository, Kyc

__all__ = ["Vendors", "open_vault", "open_vendors"]


@dataclass(frozen=True, slots=True)
class Vendors:
    """Connections to all of them; `async with` lets go of them. A dollar token has its own accounts at the bank."""

    banks: dict[str, Bank]
    kyc: Kyc
    aml: Aml
    depository: Depository

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bank in self.banks.values():
            await bank.close()
        for vendor in (self.kyc.close, self.aml.close, self.depository.close):
            await vendor()


def open_vault(settings: Settings) -> SealedFile:
    """Open the vault of a home."""
    return SealedFile.open(settings.vault.sealed_file, settings.vault.key_file, settings.vault.passphrase_file)


def open_vendors(settings: Settings, region: Region) -> Vendors:
    """Return every vendor, reached as settings say. No connection is made before the first call."""
    vault = open_vault(settings)

    def client(name: str, vendor: Vendor) -> VendorClient:
        return VendorClient(name, vendor.url, vault.get(vendor.key_secret).text(), timeout_s=vendor.timeout_s)

    of = settings.vendors
    banks: dict[str, Bank] = {
        token.symbol: HttpBank(
            client("bank", of.bank), {"clearing": f"{token.symbol}-clearing", "reserve": f"{token.symbol}-reserve"}
        )
        for token in region.tokens
        if token.domain == "dollar"
    }
    return Vendors(
        banks,
        HttpKyc(client("kyc", of.kyc)),
        HttpAml(client("aml", of.aml)),
        HttpDepository(client("depository", of.depository)),
    )


def _key(vault: SealedFile, name: str) -> Callable[[], str]:
    return lambda: vault.get(name).text()
