"""What settings name outside this process: vault, database, and the vendors, with their keys from the vault."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from sdt.adapters.aml.http import HttpAml
from sdt.adapters.bank.http import HttpBank
from sdt.adapters.depository.http import HttpDepository
from sdt.adapters.kyc.http import HttpKyc
from sdt.adapters.vault import SealedFile
from sdt.config import Settings
from sdt.config.model import Vendor
from sdt.ports import Aml, Bank, Depository, Kyc
from sdt.store import Store, open_store

__all__ = ["READ_ONLY", "Vendors", "bank_account", "open_database", "open_vault", "open_vendors"]


READ_ONLY: Final = "-read"
"""Behind a vendor key's name in the vault: the key of the same vendor that can only look."""


@dataclass(frozen=True, slots=True)
class Vendors:
    """Connections to all of them; `async with` lets go of them."""

    bank: Bank
    kyc: Kyc
    aml: Aml
    depository: Depository

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of connections."""
        for close in (self.bank.close, self.kyc.close, self.aml.close, self.depository.close):
            await close()


def open_vault(settings: Settings) -> SealedFile:
    """Open the vault of a home."""
    return SealedFile.open(settings.vault.sealed_file, settings.vault.key_file, settings.vault.passphrase_file)


def open_database(settings: Settings, *, migrate: bool = False) -> Store:
    """Open the main store, with its password from the vault if settings name one.

    Errors: Unavailable; SecretNotFound for a name that the vault does not have.
    """
    named = settings.database.password_secret
    password = open_vault(settings).get(named).reveal().decode() if named else None
    return open_store(settings.database.url, migrate=migrate, password=password)


def open_vendors(settings: Settings, *, read_only: bool = False) -> Vendors:
    """Return every vendor, reached as settings say. No connection is made before the first call.

    `read_only`: with the keys that can look and order nothing, for a desk that only checks.
    """
    vault = open_vault(settings)

    def reached(vendor: Vendor) -> tuple[str, str]:
        return vendor.url, vault.get(vendor.key_secret + READ_ONLY * read_only).text()

    of = settings.vendors
    return Vendors(
        HttpBank(*reached(of.bank), timeout_s=of.bank.timeout_s),
        HttpKyc(*reached(of.kyc), timeout_s=of.kyc.timeout_s),
        HttpAml(*reached(of.aml), timeout_s=of.aml.timeout_s),
        HttpDepository(*reached(of.depository), timeout_s=of.depository.timeout_s),
    )


def bank_account(token: str, purpose: Literal["clearing", "reserve"]) -> str:
    """Return the bank's id of a token's account: clearing takes every ACH entry, reserve only book transfers."""
    return f"{token}-{purpose}"
