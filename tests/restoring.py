"""A PostgreSQL cluster's backup, log archive and restore, as a drill uses them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from postgres import USER, Cluster

SYNCHRONOUS = "drill"


class Archive:
    """The log of a cluster as it is written, beside it: a commit is answered when it is here too.

    What RDS does by a standby that commits with it, and by its archive of the log.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self.base, self.log = folder / "base", folder / "log"
        for each in (folder, self.base, self.log):
            each.mkdir(parents=True, exist_ok=True)
            _own(cluster, each)
        self._receiving: subprocess.Popen[bytes] | None = None

    def receive(self) -> None:
        """Begin to take the log, and let commits wait for it."""
        where = f"host=127.0.0.1 port={self._cluster.port} user={USER} application_name={SYNCHRONOUS}"
        program = self._cluster.bin_folder / "pg_receivewal"
        subprocess.run(
            [program, "-d", where, "--slot", SYNCHRONOUS, "--create-slot", "--if-not-exists"],
            check=True, cwd="/", **self._cluster.as_owner,
        )  # fmt: skip
        self._receiving = subprocess.Popen(
            [program, "-d", where, "-D", self.log, "--slot", SYNCHRONOUS, "--synchronous", "--no-loop"],
            stderr=subprocess.DEVNULL, cwd="/", **self._cluster.as_owner,
        )  # fmt: skip
        with psycopg.connect(self._cluster.url, autocommit=True) as admin:
            until_s = time.monotonic() + 20
            while not admin.execute("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'").fetchone():
                assert time.monotonic() < until_s, "the log is not received"
                time.sleep(0.05)
            admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{SYNCHRONOUS}'")
            admin.execute("SELECT pg_reload_conf()")

    def back_up(self) -> None:
        """Copy the cluster while it is used."""
        subprocess.run(
            [self._cluster.bin_folder / "pg_basebackup", "-h", "127.0.0.1", "-p", str(self._cluster.port), "-U", USER,
             "-D", self.base, "-X", "none", "--checkpoint", "fast", "--no-sync", "--no-manifest"],
            check=True, stderr=subprocess.DEVNULL, cwd="/", **self._cluster.as_owner,
        )  # fmt: skip

    def lose(self) -> None:
        """Lose the cluster: the power, and then the disk."""
        self._cluster.stop(signal.SIGQUIT)
        shutil.rmtree(self._cluster.data)
        self.end()

    def end(self) -> None:
        """Take no more of the log."""
        if self._receiving is not None:
            self._receiving.terminate()
            self._receiving.wait(10)
            self._receiving = None

    def restore(self, *target: str) -> None:
        """Make the cluster again from copy and log, up to a target or the end of the log; wait until it serves."""
        cluster = self._cluster
        if cluster.data.exists():
            cluster.stop(signal.SIGQUIT)
            shutil.rmtree(cluster.data)
        shutil.copytree(self.base, cluster.data)
        for each in [cluster.data, *cluster.data.rglob("*")]:
            _own(cluster, each)
        cluster.data.chmod(0o700)
        # The newest piece of the log is not whole, and is read up to where it ends.
        fetch = f"cp '{self.log}/%f' '%p' || cp '{self.log}/%f.partial' '%p'"
        cluster.write("postgresql.auto.conf", "")
        cluster.write("recovery.signal", "")
        cluster.start(
            f"restore_command={fetch}", "recovery_target_action=promote", "recovery_target_timeline=current", *target
        )
        with psycopg.connect(cluster.url, autocommit=True) as admin:
            until_s = time.monotonic() + 60
            while admin.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
                assert time.monotonic() < until_s, "the restore does not end"
                time.sleep(0.05)


def _own(cluster: Cluster, path: Path) -> None:
    if os.geteuid() == 0:
        owner = cluster.as_owner
        os.chown(path, int(str(owner["user"])), int(str(owner["group"])))
