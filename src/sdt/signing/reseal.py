"""Exchanging what a location's secrets are sealed under: a new key file, a passphrase, or a command's key.

Done in the folder of a signer that is stopped. The database's transaction is where it takes place; what was made
before lies in `reseal/` until then, and what comes after can be done twice. Run again after a crash, it goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sdt.domain.errors import Conflict
from sdt.signing import keyring, stock
from sdt.signing.config import INTENT_KEY_LABEL, SignerConfig
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.locked import wipe
from sdt.signing.pki import write_secret
from sdt.signing.seal import KEY_FILE, SALT_FILE, SealBroken, Sealer, SealKind, new_salt_text, new_seal_key, open_sealer
from sdt.signing.sockets import Endpoint
from sdt.signing.store import Store

FOLDER: Final = "reseal"
INTENT_FILE: Final = "intent.sealed"
CONNECT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """What to seal under: the passphrase in a file, the key that a command prints or KMS gives, or a new key file."""

    passphrase_file: Path | None = None
    command: tuple[str, ...] = ()
    kms: Nsm | None = None

    @property
    def kind(self) -> SealKind:
        """As signer.toml says it."""
        return "kms" if self.kms else "command" if self.command else "passphrase" if self.passphrase_file else "file"

    @property
    def file(self) -> str:
        """The file that this kind of seal needs in the folder, if any."""
        return {"file": KEY_FILE, "passphrase": SALT_FILE, "command": "", "kms": ""}[self.kind]

    def open(self, folder: Path) -> Sealer:
        """Open the new sealer. Errors: SealBroken."""
        return open_sealer(self.kind, folder, self.passphrase_file, self.command, self.kms)

    def settings(self) -> str:
        """Return the lines of signer.toml that name it."""
        lines = f'seal = "{self.kind}"\n'
        if self.passphrase_file:
            lines += f"passphrase_file = {json.dumps(str(self.passphrase_file.resolve()))}\n"
        return lines + (f"seal_command = {json.dumps(list(self.command))}\n" if self.command else "")


def reseal(config: SignerConfig, target: Target) -> int:
    """Seal every secret of a location anew.

    Returns how many secrets there are, the signing key included.
    Errors: Conflict while the signer runs; SealBroken.
    """
    _demand_stopped(config)
    store = Store(config.home / "signer.db")
    try:
        new = _resumed(config, store, target)
        if new is None:
            new = _prepare(config, target)
            old = config.sealer(target.kms)
            with store.write() as db:
                keyring.reseal(db, old, new)
                stock.reseal(db, old, new)
        store.checkpoint()
        _demand_opens(store, new)
        secrets = keyring.sealed_count(store.db) + stock.sealed_count(store.db) + 1
    finally:
        store.close()
    _finish(config.home, target)
    return secrets


def _demand_stopped(config: SignerConfig) -> None:
    with contextlib.suppress(OSError), Endpoint.of(config.me.host, config.me.port).dial(CONNECT_S):
        raise Conflict(f"Signer {config.party} runs; stop it first.", code="signer_running")


def _prepare(config: SignerConfig, target: Target) -> Sealer:
    """Make the new key or salt, and the signing key sealed under it, beside what is in use; whole, or not at all."""
    making = config.home / f"{FOLDER}.new"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if target.kind == "file":
        write_secret(making / KEY_FILE, new_seal_key())
    elif target.kind == "passphrase":
        write_secret(making / SALT_FILE, new_salt_text().encode())
    new = target.open(making if target.file else config.home)
    secret = config.sealer(target.kms).unseal(INTENT_KEY_LABEL, (config.home / INTENT_FILE).read_bytes())
    write_secret(making / INTENT_FILE, new.seal(INTENT_KEY_LABEL, secret))
    wipe(secret)
    _sync(making)
    making.rename(config.home / FOLDER)
    _sync(config.home)
    return new


def _resumed(config: SignerConfig, store: Store, target: Target) -> Sealer | None:
    """Return the new sealer when a run before this one got as far as the database; clear away one that did not.

    Errors: SealBroken when neither opens what the database holds, or that run was for another kind of seal.
    """
    folder = config.home / FOLDER
    if not folder.exists():
        return None
    made = {path.name for path in folder.iterdir()}
    if made & {KEY_FILE, SALT_FILE} - {target.file}:
        raise SealBroken("An unfinished run was for another kind of seal: end that one first.", code="other_reseal")
    new = target.open(folder if target.file in made else config.home)
    try:
        _demand_opens(store, new)
        wipe(
            new.unseal(INTENT_KEY_LABEL, ((folder if INTENT_FILE in made else config.home) / INTENT_FILE).read_bytes())
        )
    except SealBroken:
        _demand_opens(store, config.sealer(target.kms))  # else the passphrase is wrong, and nothing may be thrown away
        shutil.rmtree(folder)
        return None
    return new


def _demand_opens(store: Store, sealer: Sealer) -> None:
    """Errors: SealBroken when the database is sealed under something else."""
    keyring.check_sealed(store.db, sealer)
    stock.check_sealed(store.db, sealer)


def _finish(home: Path, target: Target) -> None:
    """Put the new files in the place of the old; each step may be done again."""
    folder = home / FOLDER
    for name in (INTENT_FILE, target.file):
        if name and (folder / name).exists():
            (folder / name).replace(home / name)
    write_settings(home / "signer.toml", target)
    for name in {KEY_FILE, SALT_FILE} - {target.file}:
        (home / name).unlink(missing_ok=True)
    _sync(home)
    folder.rmdir()


def write_settings(file: Path, target: Target) -> None:
    """Change what signer.toml says of the seal, all or nothing."""
    kept = re.sub(r"(?m)^(seal|passphrase_file|seal_command) *=.*\n?", "", file.read_text())
    beside = file.with_name("signer.toml.new")
    beside.write_text(target.settings() + kept)  # at the head, where no table has begun
    beside.replace(file)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
