"""A user's keys on this machine: one 0600 file a person, under home/wallets."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import nacl.signing

from sdt.adapters.vault.private_file import read_private, write_private
from sdt.client import new_address
from sdt.domain.errors import Conflict, NotFound

__all__ = ["Wallet", "load_wallet", "new_wallet", "shared_wallet", "wallets"]


@dataclass(frozen=True, slots=True)
class Wallet:
    """Who somebody is towards one region, and the key that speaks for them."""

    name: str
    handle: str
    user_id: str
    account: str
    key: nacl.signing.SigningKey = field(repr=False)


def _file(home: Path, name: str) -> Path:
    if not name.isidentifier():
        raise NotFound(f"{name!r} is no name of a wallet: letters, digits and underscores.", code="wallet")
    return home / "wallets" / f"{name}.json"


def new_wallet(home: Path, name: str, handle: str) -> Wallet:
    """Make a key and an address for somebody new. Errors: Conflict when there is one by that name."""
    return _kept(home, Wallet(name, handle, str(uuid.uuid4()), new_address(), nacl.signing.SigningKey.generate()))


def shared_wallet(home: Path, name: str, owner: Wallet) -> Wallet:
    """Make another key for somebody's account, in a wallet of its own. Errors: Conflict."""
    return _kept(home, Wallet(name, owner.handle, owner.user_id, owner.account, nacl.signing.SigningKey.generate()))


def _kept(home: Path, wallet: Wallet) -> Wallet:
    file = _file(home, wallet.name)
    if file.exists():
        raise Conflict(f"There is already a wallet named {wallet.name}.", code="wallet")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = {
        "handle": wallet.handle,
        "user_id": wallet.user_id,
        "account": wallet.account,
        "seed": bytes(wallet.key).hex(),
    }
    write_private(file, json.dumps(record, indent=2).encode())
    return wallet


def load_wallet(home: Path, name: str) -> Wallet:
    """Open somebody's wallet. Errors: NotFound, naming those that exist."""
    file = _file(home, name)
    if not file.exists():
        known = ", ".join(wallets(home)) or "none yet"
        raise NotFound(f"There is no wallet named {name}; there are: {known}.", code="wallet")
    record = json.loads(read_private(file))
    key = nacl.signing.SigningKey(bytes.fromhex(record["seed"]))
    return Wallet(name, record["handle"], record["user_id"], record["account"], key)


def wallets(home: Path) -> list[str]:
    """Return the names of the wallets in a home."""
    return sorted(file.stem for file in (home / "wallets").glob("*.json"))
