"""A day of deposits becomes a file: `python -m bench.ach_day [--deposits 50000] [--postgres URL]`.

From the database on: the entries are read, their accounts opened with each person's own key, selected under the limits,
built, checked, sealed and stored, in one database transaction. Prints seconds, bytes of the file and the most memory.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from sdt.adapters.wrapping import VaultKey
from sdt.config import load_settings
from sdt.domain import sealing
from sdt.domain.ach.calendar import EASTERN
from sdt.domain.personal import BankDetails, seal_record
from sdt.domain.region import load_region
from sdt.store import Store, ach_files, open_store
from sdt.store.ach import AchEntryRow
from sdt.store.banking import BankAccountRow, BankEntryRow
from sdt.store.bulk import insert_rows
from sdt.store.tables.ach import AchEntry
from sdt.store.tables.core import BankAccount, BankEntry, User
from sdt.store.tables.people import PersonKey
from sdt.worker.ach.facts import Facts
from sdt.worker.ach.gather import Gatherer
from sdt.worker.clock import Clock
from sdt.workflows.people import People
from sdt.workflows.sealed_files import DATA_LABEL, open_file

MASTER = b"m" * 32
NOW = datetime(2026, 11, 30, 14, 31, tzinfo=EASTERN)


def fill(store: Store, deposits: int) -> None:
    """Put so many wanted debits into a database, each of a person with a key and a bank account of their own."""
    rows: dict[str, list[tuple[object, ...]]] = {"users": [], "keys": [], "accounts": [], "bank": [], "ach": []}
    for n in range(deposits):
        account, user, key = f"0x{n:040x}", f"user-{n}", secrets.token_bytes(32)
        details = BankDetails(
            routing_number="111000025", account_number=f"{n:012d}", kind="checking", holder=f"Person {n} of Austin"
        )
        wrapped = sealing.wrap(key, user, MASTER, secrets.token_bytes(24))
        sealed = seal_record(details, account, key, secrets.token_bytes(24))
        rows["users"].append((user, account, f"u{n}.tx", "US-TX", 1, True, "[]"))
        rows["keys"].append((user, wrapped, 1, None))
        rows["accounts"].append(BankAccountRow(f"ref-{n}", user, account, sealed, "…", "linked", 1))
        tx = f"00000000-0000-7000-8000-{n:012d}"
        rows["bank"].append(BankEntryRow(f"ach:{tx}", tx, "debit", "TXD", 100 + n, None, "created", None, 1))
        wanted = AchEntryRow(
            *(f"ach:{tx}", "payment", f"ref-{n}", account, "TXD", False, 100 + n, "WEB", False, tx, n, "wanted"),
            *(None, None, None, None, None, None, None, None, None),
        )
        rows["ach"].append(wanted)
    with store.transaction():
        names = ("user_id", "account", "handle", "residency", "created_at_ms", "registered", "kyc_reasons")
        insert_rows(store, User, names, rows["users"])
        insert_rows(store, PersonKey, ("user_id", "wrapped", "created_at_ms", "erased_at_ms"), rows["keys"])
        insert_rows(store, BankAccount, BankAccountRow._fields, rows["accounts"])
        insert_rows(store, BankEntry, BankEntryRow._fields, rows["bank"])
        insert_rows(store, AchEntry, AchEntryRow._fields, rows["ach"])


def _memory_mb() -> int:
    """Return the most memory that this program had. What getrusage tells begins with what its parent had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def build(store: Store, region_file: Path) -> dict[str, object]:
    """Make the day's file and return what it took. Units: seconds, bytes, MB of memory at most."""
    region = load_region(region_file.read_bytes())
    keys = VaultKey(lambda: (MASTER,))
    gatherer = Gatherer(store, Facts(region), load_settings(env="test").ach, People(store, keys), keys, Clock())
    begun, worked = time.perf_counter(), time.process_time()
    with store.transaction():
        made = gatherer.close(store, "TXD", NOW, NOW)
    took = time.perf_counter() - begun
    assert made is not None
    data = open_file(keys, ach_files.file_data(store, made.name), DATA_LABEL + made.name)
    return {
        "entries": made.entry_count,
        "debits": made.debit_units,
        "seconds": round(took, 2),
        "cpu_seconds": round(time.process_time() - worked, 2),
        "bytes": len(data),
        "memory_mb": _memory_mb(),
    }


def main() -> None:
    """Fill a database in a process of its own, so that only the building counts, then build."""
    parser = argparse.ArgumentParser(prog="python -m bench.ach_day", description=__doc__)
    parser.add_argument("--deposits", type=int, default=50_000)
    parser.add_argument("--database", default="", help="an empty one; by default a SQLite file")
    parser.add_argument("--fill", action="store_true", help="only fill the database")
    arguments = parser.parse_args()
    if arguments.fill:
        store = open_store(arguments.database, migrate=True)
        fill(store, arguments.deposits)
        store.close()
        return
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.database or f"sqlite:///{folder}/day.db"
        command = [sys.executable, "-m", "bench.ach_day", "--fill", "--database", url]
        subprocess.run([*command, "--deposits", str(arguments.deposits)], check=True)
        store = open_store(url)
        print(json.dumps(build(store, Path("regions/texas.toml"))))
        store.close()


if __name__ == "__main__":
    main()
