"""`python -m sdt.signing.enclave.init`: what an enclave starts, and all of it: the system, the folder, the signer.

The folder's open part comes from the machine around it, which is not believed: what it could do with it is refused here
(a command to run, a seal that it knows), or found out by the peers (other keys, another policy: `agreement`; another
key of KMS: `seal`). The secret part is made here, and leaves sealed under the key that KMS gives to this image alone.
Of the signer's database a copy is kept whenever its shares have changed and else every minute, without any
presignature: an enclave that starts again begins with an empty stock.

The first start makes the keys and shows `intent.pub` and `tls.csr`; once operators have put `tls.pem` and `signer.toml`
into `given/`, the next start signs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

from sdt.domain.errors import Forbidden, SdtError
from sdt.signing import stock
from sdt.signing.config import INTENT_KEY_LABEL, SignerConfig, load_signer_config
from sdt.signing.enclave import system
from sdt.signing.enclave.folder import pack, unpack, write_files
from sdt.signing.enclave.keeper import PORT, Disk
from sdt.signing.enclave.nsm import DEVICE, Nsm
from sdt.signing.pki import new_key, request_of
from sdt.signing.proxy import Proxy, load_routes
from sdt.signing.seal import BoxSealer
from sdt.signing.sockets import PARENT_CID, Endpoint
from sdt.signing.store import Store

HOME: Final = Path("/run/sdt/signer")
FOLDER_LABEL: Final = b"enclave folder"
PARTY_FILE: Final = "party"
ROUTES_FILE: Final = "inner.toml"
DATABASE: Final = "signer.db"
SECRETS: Final = ("tls.key", "intent.sealed", "intent.pub", DATABASE)
"""What no machine around may give."""
_BEGINNINGS: Final = (*SECRETS, "copy.db")
"""Nor anything that begins so: SQLite takes a journal or a log beside a database for the database's own last pages."""
LOOK_S: Final = 2.0
KEEP_S: Final = 60.0
STOP_S: Final = 20.0

_log = logging.getLogger("sdt.signing.enclave")


class NotEnclosed(Forbidden):
    """The machine around gave a configuration with which it would have a hand in the enclave."""

    code = "not_enclosed"


class Enclave:
    """One location's folder inside an enclave, and the signer that works in it."""

    def __init__(self, home: Path, disk: Disk, nsm: Nsm, signer: Sequence[str] = ()) -> None:
        self._home = home
        self._party = 0
        self._disk = disk
        self._nsm = nsm
        self._signer = signer or (sys.executable, "-m", "sdt.signing.signer", "--home", str(home))
        self._sealer: BoxSealer
        self._kept: object = None
        self._kept_s = 0.0

    async def open(self) -> bool:
        """Fetch the folder, open or make its secrets; tell whether the signer can start.

        Errors: KeeperFailed, SealBroken, NotEnclosed, Invalid.
        """
        given, kept = await self._disk.get()
        if found := sorted(name for name in given if name.startswith(_BEGINNINGS)):
            raise NotEnclosed(f"The machine around gives {found[0]}, which is made in here.")
        self._party = _party_of(given)
        write_files(self._home, given)
        self._sealer = await asyncio.to_thread(BoxSealer.from_kms, self._home, self._nsm)
        if kept:
            write_files(self._home, unpack(bytes(self._sealer.unseal(FOLDER_LABEL, kept))))
        else:
            self._make_keys()
            await self.keep()
        await self._disk.show({"intent.pub": self._read("intent.pub"), "tls.csr": self._request()})
        if not {"signer.toml", "tls.pem"} <= set(given):
            _log.info("This enclave has its keys; it waits for its certificate and configuration.")
            return False
        demand_enclosed(load_signer_config(self._home), self._party)
        return True

    def _make_keys(self) -> None:
        intent = SigningKey.generate()
        sealed = self._sealer.seal(INTENT_KEY_LABEL, bytes(intent))
        public = bytes(intent.verify_key).hex().encode()
        write_files(self._home, {"tls.key": new_key(), "intent.sealed": sealed, "intent.pub": public})

    def _request(self) -> bytes:
        return request_of(self._party, self._read("tls.key"))

    def _read(self, name: str) -> bytes:
        return (self._home / name).read_bytes()

    async def keep(self) -> None:
        """Have the secrets and a copy of the database kept outside, sealed. Errors: KeeperFailed."""
        names = [name for name in SECRETS if name != DATABASE]
        files = {name: self._read(name) for name in names}
        standing = self._standing()
        if standing is not None:
            files[DATABASE] = await asyncio.to_thread(copy_of, self._home / DATABASE)
        await self._disk.keep(self._sealer.seal(FOLDER_LABEL, pack(files)))
        self._kept, self._kept_s = standing, time.monotonic()

    def _standing(self) -> tuple[list[object], int] | None:
        """Return which shares there are, and how far the database has come."""
        file = self._home / DATABASE
        if not file.exists():
            return None
        db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            shares: list[object] = db.execute("SELECT job, state FROM key_share ORDER BY job").fetchall()
            return shares, db.execute("SELECT count(*) FROM batch").fetchone()[0]
        except sqlite3.OperationalError:
            return None  # it is being made
        finally:
            db.close()

    async def keep_if_changed(self) -> None:
        """Keep at once when the shares have changed, else once a minute when anything has."""
        now = self._standing()
        shares = now[0] if now else None
        before = self._kept[0] if isinstance(self._kept, tuple) else None
        if shares != before or (now != self._kept and time.monotonic() > self._kept_s + KEEP_S):
            await self.keep()

    async def run(self, stop: asyncio.Event) -> int:
        """Run the signer until it ends or is told to; return how it ended."""
        inner = Proxy(load_routes(self._home / ROUTES_FILE) if (self._home / ROUTES_FILE).exists() else ())
        await inner.start()
        process = await asyncio.create_subprocess_exec(*self._signer)
        waiting = asyncio.create_task(stop.wait())
        ended = asyncio.create_task(process.wait())
        while not ended.done() and not waiting.done():
            await asyncio.wait({waiting, ended}, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            try:
                await self.keep_if_changed()
            except SdtError as error:
                _log.error("The machine around keeps nothing: %s", error.detail)
        waiting.cancel()
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(ended), STOP_S)
        if process.returncode is None:
            process.kill()
        await ended
        await self.keep()
        await inner.close()
        return process.returncode or 0


def _party_of(given: Mapping[str, bytes]) -> int:
    """Return which location this is: one image serves all three, and only the certificate makes it one of them."""
    said = given.get(PARTY_FILE, b"").strip()
    if said not in (b"1", b"2", b"3"):
        raise NotEnclosed("The machine around does not say which location this is.")
    return int(said)


def demand_enclosed(config: SignerConfig, party: int) -> None:
    """Refuse a configuration that would let the machine around in. Errors: NotEnclosed."""
    if config.party != party:
        raise NotEnclosed("That is the configuration of another location.")
    if config.seal != "kms" or config.seal_command or config.passphrase_file is not None:
        raise NotEnclosed("In an enclave the seal is KMS: nothing that the machine around knows, or has run in here.")
    if config.nsm is None or config.attestation is None:
        raise NotEnclosed("In an enclave a signer attests itself and demands the same of its peers.")
    if not config.attestation.seals:
        raise NotEnclosed("The policy names no seals: nobody would find out a key of KMS that another account holds.")
    if config.counter_file is not None or any(
        path.parent != config.home for path in (config.region_file, config.deployment_file)
    ):
        raise NotEnclosed("In an enclave every file lies in its folder, and none outside is written.")


def copy_of(database: Path) -> bytes:
    """Return a copy of a signer's database with its shares and what it signed, and without a presignature.

    A presignature that came back would be one used twice: the copy's are burnt before it is sealed.
    """
    copy = database.with_name("copy.db")
    copy.unlink(missing_ok=True)
    source = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        source.execute("VACUUM INTO ?", (str(copy),))
    finally:
        source.close()
    store = Store(copy)
    try:
        with store.write() as db:
            stock.burn_everything(db)
        store.db.execute("VACUUM")
        store.checkpoint()
        assert not stock.sealed_count(store.db), "a copy holds no presignature"
    finally:
        store.close()
    content = copy.read_bytes()
    for left in copy.parent.glob("copy.db*"):
        left.unlink()
    return content


async def start(enclave: Enclave) -> int:
    """Open the folder and run the signer until SIGTERM or SIGINT; return how it ended."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    return await enclave.run(stop) if await enclave.open() else 0


def main() -> None:
    """Prepare the system, seed it, and start."""
    parser = argparse.ArgumentParser(prog="python -m sdt.signing.enclave.init", description=__doc__.splitlines()[0])
    parser.add_argument("--keeper", default=f"vsock://{PARENT_CID}:{PORT}", help="where the folder is kept")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    os.umask(0o077)
    nsm = Nsm(DEVICE)
    system.mount_all()
    system.loopback_up()
    _log.info("%d bytes of the security module's randomness are in.", system.seed(nsm))
    sys.exit(asyncio.run(start(Enclave(HOME, Disk(Endpoint.parse(arguments.keeper)), nsm))))


if __name__ == "__main__":
    main()
