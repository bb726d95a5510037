"""Secrets of a fresh home: made once, in the vault or in files that only their owner reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nacl.signing

from sdt.adapters.vault import made_once
from sdt.adapters.vault.private_file import write_private
from sdt.adapters.vendor.auth import needs_id
from sdt.adapters.vendor.folder import load_folder
from sdt.backends import PERSONAL_KEY, open_persons_key, open_vault
from sdt.config import Settings
from sdt.desk.desk import desk_key
from sdt.vendors import READ_ONLY, SANDBOX_SERVICES, find_folder

__all__ = ["DESKS", "Official", "make_platform_keys", "make_secrets", "officials", "take_vendor_keys"]

DESKS: Final = {
    "kyc": ("kyc_desk", ""),
    "treasury": ("custodian", "TXD"),
    "vault": ("custodian", "TXG"),
    "issuer": ("issuer", ""),
    "approver": ("approver", ""),
    "compliance": ("compliance_officer", ""),
    "compliance-2": ("compliance_officer", ""),
}
"""Each official of the sandbox region: the role its key holds, and for which token (empty: every one)."""

ADMINISTRATORS: Final = ("administrator-1", "administrator-2")


@dataclass(frozen=True, slots=True)
class Official:
    """A person with a role: their name in this home, and their key."""

    name: str
    key: nacl.signing.SigningKey


def make_secrets(settings: Settings) -> None:
    """Make what is missing: the platform's own keys, and a key for every official."""
    make_platform_keys(settings)
    folder = settings.desks.keys_folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (*DESKS, *ADMINISTRATORS):
        file = folder / f"{name}.key"
        if not file.exists():
            write_private(file, bytes(nacl.signing.SigningKey.generate()).hex().encode())


def make_platform_keys(settings: Settings) -> None:
    """Make what the vault lacks of the platform's own keys; none of them is a person's."""
    made_once(open_vault(settings), PERSONAL_KEY)
    open_persons_key(settings)


def take_vendor_keys(settings: Settings, sandbox: Path) -> None:
    """Put the keys that the sandbox vendors handed out into the vault, under the names that settings give."""
    vault = open_vault(settings)
    for kind, service in SANDBOX_SERVICES.items():
        vendor = getattr(settings.vendors, kind)
        with_id = needs_id(load_folder(find_folder(settings.home, vendor.folder)).spec.auth)
        for name, who, file in (
            (vendor.key_secret, "full", f"{service}.key"),
            (vendor.key_secret + READ_ONLY, "read", f"{service}.read.key"),
        ):
            key = (f"{who}:" * with_id + (sandbox / file).read_text().strip()).encode()
            made_once(vault, name, lambda key=key: key)  # type: ignore[misc]
            vault.rotate(name, key)


def officials(settings: Settings) -> list[Official]:
    """Return the two administrators of this home."""
    return [Official(name, desk_key(settings, name)) for name in ADMINISTRATORS]
