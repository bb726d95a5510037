"""A private PostgreSQL cluster for one test run, on a free loopback port, gone afterwards."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ports import free_port

HOW_TO_GET_IT = "PostgreSQL is not installed. On Debian or Ubuntu: apt-get install postgresql"
USER = "sdt"
_START_TRIES = 5
_START_WAIT_S = 30
# A database for tests outlives nothing: without these it would wait for the disk for no one's sake.
_QUICK = ("fsync=off", "full_page_writes=off", "shared_buffers=64MB", "max_connections=50")


def binaries() -> Path | None:
    """Return the folder of the newest installed server, or None."""
    installed = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "initdb").exists()]
    if installed:
        return max(installed, key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@dataclass
class Cluster:
    """A server of a test's own, that can be stopped, started again and reconfigured."""

    url: str
    data: Path
    port: int
    bin_folder: Path
    as_owner: dict[str, object]
    options: tuple[str, ...]
    server: subprocess.Popen[bytes]

    def write(self, name: str, text: str) -> Path:
        """Put a file of the server's into its data folder."""
        path = self.data / name
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, self.data.stat().st_uid, self.data.stat().st_gid)
        return path

    def stop(self, how: int = signal.SIGINT) -> None:
        """End the server: by SIGINT at once and in order, by SIGQUIT as a power cut would."""
        self.server.send_signal(how)
        try:
            self.server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.server.send_signal(signal.SIGQUIT)
            self.server.wait()

    def start(self, *options: str) -> None:
        """Start it again on its port, with further options."""
        folder, options = self.data.parent, (*self.options, *options)
        self.server, _ = _started(self.bin_folder, folder, self.as_owner, options, self.port, self.data)


@contextmanager
def cluster(bin_folder: Path, options: tuple[str, ...] = _QUICK) -> Iterator[str]:
    """Run a cluster for the length of a `with`; its address names a superuser and asks for no password."""
    with own_cluster(bin_folder, options) as made:
        yield made.url


@contextmanager
def own_cluster(bin_folder: Path, options: tuple[str, ...] = _QUICK) -> Iterator[Cluster]:
    """Run a cluster that a test may do things to."""
    folder = Path(tempfile.mkdtemp(prefix="sdt-postgres-"))
    data = folder / "data"
    # initdb refuses root; the distribution's package made this user for the server.
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    as_owner: dict[str, object] = {}
    if os.geteuid() == 0:
        as_owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    try:
        subprocess.run(
            [bin_folder / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
            check=True, capture_output=True, cwd=folder, **as_owner,
        )  # fmt: skip
        server, port = _started(bin_folder, folder, as_owner, options)
        url = f"postgresql://{USER}@127.0.0.1:{port}/{USER}"
        made = Cluster(url, data, port, bin_folder, as_owner, options, server)
        try:
            _psql(bin_folder, port, f"CREATE DATABASE {USER}")
            yield made
        finally:
            # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(server_url: str, name: str, template: str = "template1") -> str:
    """Create a database in the cluster, empty or a copy of another, and return its address."""
    bin_folder = binaries()
    assert bin_folder is not None
    base, _, _ = server_url.rpartition("/")
    _psql(bin_folder, int(base.rpartition(":")[2]), f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{base}/{name}"


def drop_database(server_url: str, name: str) -> None:
    """Remove a database, whoever is still connected."""
    bin_folder = binaries()
    assert bin_folder is not None
    _psql(bin_folder, int(server_url.rpartition("/")[0].rpartition(":")[2]), f"DROP DATABASE {name} WITH (FORCE)")


def _started(
    bin_folder: Path,
    folder: Path,
    as_owner: dict[str, object],
    options: tuple[str, ...],
    fixed_port: int | None = None,
    data: Path | None = None,
) -> tuple[subprocess.Popen[bytes], int]:
    log = folder / "log"
    for _ in range(_START_TRIES):
        port = fixed_port or free_port()
        settings = [*options, "listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}"]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [bin_folder / "postgres", "-D", data or folder / "data", *(w for s in settings for w in ("-c", s))],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder,
                preexec_fn=_die_with_the_tests, start_new_session=True, **as_owner,
            )  # fmt: skip
        until = time.monotonic() + _START_WAIT_S
        while server.poll() is None and time.monotonic() < until:
            ready = [bin_folder / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", USER]
            if subprocess.run(ready, check=False).returncode == 0:
                return server, port
            time.sleep(0.05)
        server.kill()
        server.wait()
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")


def _die_with_the_tests() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG, PostgreSQL's immediate shutdown


def _psql(bin_folder: Path, port: int, statement: str) -> None:
    command = [bin_folder / "psql", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", USER, "-d", "postgres"]
    subprocess.run([*command, "-c", statement], check=True, capture_output=True)
