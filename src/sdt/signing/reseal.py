"""Exchanging what a location's secrets are sealed under: a new key file, or a passphrase in place of one.

Done in the folder of a signer that is stopped. The database's transaction is where it takes place; what was made
before lies in `reseal/` until then, and what comes after can be done twice. Run again after a crash, it goes on.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
from pathlib import Path
from typing import Final

from sdt.domain.errors import Conflict
from sdt.signing import keyring, stock
from sdt.signing.config import INTENT_KEY_LABEL, SignerConfig
from sdt.signing.locked import wipe
from sdt.signing.pki import write_secret
from sdt.signing.seal import KEY_FILE, SALT_FILE, SealBroken, Sealer, SealKind, new_salt_text, new_seal_key, open_sealer
from sdt.signing.store import Store

FOLDER: Final = "reseal"
INTENT_FILE: Final = "intent.sealed"
CONNECT_S: Final = 1.0


def reseal(config: SignerConfig, passphrase_file: Path | None) -> int:
    """Seal every secret of a location anew: under the passphrase in a file, or without one under a new key file.

    Returns how many secrets there are, the signing key included.
    Errors: Conflict while the signer runs; SealBroken.
    """
    _demand_stopped(config)
    kind: SealKind = "passphrase" if passphrase_file else "file"
    store = Store(config.home / "signer.db")
    try:
        new = _resumed(config, store, kind, passphrase_file)
        if new is None:
            new = _prepare(config, kind, passphrase_file)
            old = config.sealer()
            with store.write() as db:
                keyring.reseal(db, old, new)
                stock.reseal(db, old, new)
        store.checkpoint()
        _demand_opens(store, new)
        secrets = keyring.sealed_count(store.db) + stock.sealed_count(store.db) + 1
    finally:
        store.close()
    _finish(config.home, kind, passphrase_file)
    return secrets


def _demand_stopped(config: SignerConfig) -> None:
    with contextlib.suppress(OSError), socket.create_connection((config.me.host, config.me.port), CONNECT_S):
        raise Conflict(f"Signer {config.party} runs; stop it first.", code="signer_running")


def _prepare(config: SignerConfig, kind: SealKind, passphrase_file: Path | None) -> Sealer:
    """Make the new key or salt, and the signing key sealed under it, beside what is in use; whole, or not at all."""
    making = config.home / f"{FOLDER}.new"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if kind == "file":
        write_secret(making / KEY_FILE, new_seal_key())
    else:
        write_secret(making / SALT_FILE, new_salt_text().encode())
    new = open_sealer(kind, making, passphrase_file)
    secret = config.sealer().unseal(INTENT_KEY_LABEL, (config.home / INTENT_FILE).read_bytes())
    write_secret(making / INTENT_FILE, new.seal(INTENT_KEY_LABEL, secret))
    wipe(secret)
    _sync(making)
    making.rename(config.home / FOLDER)
    _sync(config.home)
    return new


def _resumed(config: SignerConfig, store: Store, kind: SealKind, passphrase_file: Path | None) -> Sealer | None:
    """Return the new sealer when a run before this one got as far as the database; clear away one that did not.

    Errors: SealBroken when neither opens what the database holds, or that run was for another kind of seal.
    """
    folder = config.home / FOLDER
    if not folder.exists():
        return None
    made = {path.name for path in folder.iterdir()}
    file = KEY_FILE if kind == "file" else SALT_FILE
    if made & {KEY_FILE, SALT_FILE} - {file}:
        raise SealBroken("An unfinished run was for another kind of seal: end that one first.", code="other_reseal")
    new = open_sealer(kind, folder if file in made else config.home, passphrase_file)
    try:
        _demand_opens(store, new)
        wipe(
            new.unseal(INTENT_KEY_LABEL, ((folder if INTENT_FILE in made else config.home) / INTENT_FILE).read_bytes())
        )
    except SealBroken:
        _demand_opens(store, config.sealer())  # else the passphrase is wrong, and nothing may be thrown away
        shutil.rmtree(folder)
        return None
    return new


def _demand_opens(store: Store, sealer: Sealer) -> None:
    """Errors: SealBroken when the database is sealed under something else."""
    keyring.check_sealed(store.db, sealer)
    stock.check_sealed(store.db, sealer)


def _finish(home: Path, kind: SealKind, passphrase_file: Path | None) -> None:
    """Put the new files in the place of the old; each step may be done again."""
    folder = home / FOLDER
    file = KEY_FILE if kind == "file" else SALT_FILE
    for name in (INTENT_FILE, file):
        if (folder / name).exists():
            (folder / name).replace(home / name)
    _write_settings(home / "signer.toml", kind, passphrase_file)
    (home / (SALT_FILE if kind == "file" else KEY_FILE)).unlink(missing_ok=True)
    _sync(home)
    folder.rmdir()


def _write_settings(file: Path, kind: SealKind, passphrase_file: Path | None) -> None:
    """Change `seal` and `passphrase_file` in signer.toml, all or nothing."""
    settings, mark, locations = file.read_text().partition("\n[[location]]\n")
    kept = re.sub(r"(?m)^(seal|passphrase_file) *=.*\n?", "", settings).rstrip("\n")
    words = f'\nseal = "{kind}"\n' + (f'passphrase_file = "{passphrase_file.resolve()}"\n' if passphrase_file else "")
    beside = file.with_name("signer.toml.new")
    beside.write_text(kept + words + mark + locations)
    beside.replace(file)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
