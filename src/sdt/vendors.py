"""The vendors that settings name, with their keys from the vault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from sdt.adapters.ach import ApiAchFiles, FolderAchFiles, SftpAchFiles, sftp_command
from sdt.adapters.aml.http import HttpAml
from sdt.adapters.bank.http import HttpBank
from sdt.adapters.depository.http import HttpDepository
from sdt.adapters.kyc.http import HttpKyc
from sdt.adapters.vendor.errors import VendorFolderInvalid
from sdt.adapters.vendor.folder import SPEC_FILE, Folder, load_folder
from sdt.adapters.vendor.kinds import Kind
from sdt.adapters.vendor.mapped import MappedVendor, VendorHealth
from sdt.adapters.vendor.shipped import SHIPPED, shipped
from sdt.backends import open_vault
from sdt.config import Settings
from sdt.config.model import Vendor
from sdt.domain.errors import NotFound
from sdt.ports.ach_files import AchFiles
from sdt.ports.aml import Aml
from sdt.ports.bank import Bank
from sdt.ports.depository import Depository
from sdt.ports.kyc import Kyc

__all__ = [
    "READ_ONLY",
    "SANDBOX_SERVICES",
    "Purpose",
    "Vendors",
    "bank_account",
    "find_folder",
    "open_ach_files",
    "open_vendor",
    "open_vendors",
    "trace_folder",
    "vendor_url",
]


READ_ONLY: Final = "-read"
"""Behind a vendor key's name in the vault: the key of the same vendor that can only look."""


@dataclass(frozen=True, slots=True)
class Vendors:
    """Connections to all of them; `async with` lets go of them."""

    bank: Bank
    kyc: Kyc
    aml: Aml
    depository: Depository
    mapped: tuple[MappedVendor, ...] = ()

    def health(self) -> list[VendorHealth]:
        """Return how each of them does, as this process sees it."""
        return [vendor.health() for vendor in self.mapped]

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


def open_vendors(settings: Settings, *, read_only: bool = False) -> Vendors:
    """Return every vendor, reached as settings say. No connection is made before the first call.

    `read_only`: with the keys that can look and order nothing, for a desk that only checks.
    Errors: VendorFolderInvalid; NotFound for a folder that is nowhere; SecretNotFound.
    """
    vault = open_vault(settings)

    def opened(kind: Kind) -> MappedVendor:
        name = _of(settings, kind).key_secret + READ_ONLY * read_only
        vault.get(name)
        # Read anew for each use, so that a rotated secret counts at once.
        return open_vendor(settings, kind, secret=lambda: vault.get(name).text())

    ach, treasury, kyc, aml, depository = (opened(kind) for kind in _KINDS)
    return Vendors(
        HttpBank(ach, treasury),
        HttpKyc(kyc),
        HttpAml(aml),
        HttpDepository(depository),
        (ach, treasury, kyc, aml, depository),
    )


_KINDS: Final[tuple[Kind, ...]] = ("ach", "treasury", "kyc", "aml", "depository")


def open_vendor(settings: Settings, kind: Kind, *, secret: Callable[[], str]) -> MappedVendor:
    """Return the vendor that settings name for a kind.

    Errors: VendorFolderInvalid; NotFound for a folder that is nowhere.
    """
    path = find_folder(settings.home, _of(settings, kind).folder)
    # Traces may lie beside: they are no part of it.
    files = [file for file in path.iterdir() if file.suffix in (".toml", ".jmespath", ".json")]
    folder = _compiled(path, max(file.stat().st_mtime_ns for file in files))
    if folder.spec.kind != kind:
        raise VendorFolderInvalid(
            [f"{folder.path / SPEC_FILE}: kind: settings want one for {kind}, and this is one for {folder.spec.kind}"]
        )
    return MappedVendor(
        folder,
        vendor_url(settings, kind, folder.spec.url),
        secret,
        trace_folder=trace_folder(settings.home, folder.spec.name),
    )


@lru_cache(maxsize=16)
def _compiled(path: Path, changed_ns: int) -> Folder:
    """Compile a folder once for each state of its files: whoever opens vendors often need not wait each time."""
    return load_folder(path)


def find_folder(home: Path, named: str) -> Path:
    """Return a vendor's folder: a path, or a name looked up in home/vendors and among those that ship.

    Errors: NotFound.
    """
    places = [home / named] if "/" in named else [home / "vendors" / named, SHIPPED / named]
    for place in places:
        if (place / SPEC_FILE).is_file():
            return place
    known = ", ".join(folder.name for folder in shipped())
    raise NotFound(f"There is no vendor folder {named!r}. Shipped are: {known}.", code="vendor_folder_unknown")


def trace_folder(home: Path, name: str) -> Path:
    """Return where a vendor's traces are kept."""
    return home / "vendors" / name


def vendor_url(settings: Settings, kind: Kind, url: str) -> str:
    """Return where a vendor is: as settings say, else as its folder does, else the sandbox on this machine."""
    return _of(settings, kind).url or url or settings.sandbox.url(SANDBOX_SERVICES[kind])


SANDBOX_SERVICES: Final[dict[Kind, Literal["bank", "kyc", "aml", "depository"]]] = {
    "ach": "bank",
    "ach_files": "bank",
    "treasury": "bank",
    "kyc": "kyc",
    "aml": "aml",
    "depository": "depository",
}
"""Which service of the sandbox stands in for a kind."""


def _of(settings: Settings, kind: Kind) -> Vendor:
    vendor: Vendor = getattr(settings.vendors, kind)
    return vendor


def open_ach_files(settings: Settings) -> AchFiles:
    """Return how ACH files travel, as settings say: by the bank's API, a folder or SFTP."""
    ach, vault = settings.ach, open_vault(settings)
    if ach.delivery == "folder":
        return FolderAchFiles(ach.folders.outgoing_folder, ach.folders.incoming_folder, ach.marks_folder)
    if ach.delivery == "sftp":
        sftp = ach.sftp
        command = sftp_command(sftp.host, sftp.port, sftp.user, sftp.identity_file, sftp.known_hosts_file)
        return SftpAchFiles(command, sftp.outgoing, sftp.incoming, ach.marks_folder, timeout_s=sftp.timeout_s)
    name = settings.vendors.ach_files.key_secret
    return ApiAchFiles(open_vendor(settings, "ach_files", secret=lambda: vault.get(name).text()))


Purpose = Literal["clearing", "reserve", "blocked"]


def bank_account(token: str, purpose: Purpose) -> str:
    """Return the bank's id of a token's account.

    Clearing takes every ACH entry, reserve only book transfers; what the law blocks is set apart in blocked.
    """
    return f"{token}-{purpose}"
