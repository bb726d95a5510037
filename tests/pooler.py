"""PgBouncer before a test's PostgreSQL, giving each transaction any session: the nearest thing here to RDS Proxy."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ports

HOW_TO_GET_IT = "PgBouncer is not installed. On Debian or Ubuntu: apt-get install pgbouncer"
USER = "sdt"


def binary() -> str | None:
    """Return the program, or None."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pooler(program: str, server_url: str, sessions: int) -> Iterator[str]:
    """Run one before the database of an address, with so many sessions for everybody; the address to reach it by."""
    address, _, name = server_url.rpartition("/")
    port, target = ports.free_port(), address.rpartition(":")[2]
    folder = Path(tempfile.mkdtemp(prefix="sdt-pooler-"))
    (folder / "users").write_text(f'"{USER}" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n{name} = host=127.0.0.1 port={target} dbname={name}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {folder}/users\npool_mode = transaction\n"
        f"default_pool_size = {sessions}\nmax_client_conn = 100\n"
    )
    # It refuses to run as root.
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    as_owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen([program, folder / "ini"], stdout=log, stderr=log, cwd=folder, **as_owner)  # type: ignore[call-overload]
    try:
        until_s = time.monotonic() + 20
        while "process up" not in (folder / "log").read_text():
            assert running.poll() is None and time.monotonic() < until_s, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"postgresql://{USER}@127.0.0.1:{port}/{name}"
    finally:
        running.kill()
        running.wait()
        shutil.rmtree(folder, ignore_errors=True)
