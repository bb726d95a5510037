"""A dishonored return goes out once and is booked once, wherever the worker dies: closing, delivering, or reading what
the bank says of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import date, time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sdt.adapters.ach import FolderAchFiles
from sdt.domain.ach.entry_life import EntryStatus
from sdt.domain.nacha import faults_of, read_file, read_inbound
from sdt.ports.bank import BankCalendar
from sdt.store import Store, ach, ledger, open_store
from store_rig import TOKEN, transaction_id

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
sys.path.insert(0, str(Path(__file__).parent))
from ach_rig import FIRST_DAY, Rig, ach_config
from sandbox_servers import sandbox
from test_ach_delivery_kill import Bomb, Killed
from test_ach_dishonors import LATE, at, come_back, dishonor

pytestmark = pytest.mark.slow
NAME = "TXD-20261207-A.ach"
DUE = f"DueFromBank:{TOKEN}:{transaction_id(1)}"


class MondayBank:
    """Says what time it is and nothing else: a cut-off of the day on which the return came."""

    async def calendar(self) -> BankCalendar:
        return BankCalendar(1, date(2026, 12, 7), time(10, 20), True, True, 1.0)

    async def close(self) -> None: ...


async def _prepared(folder: Path, migrated: Path) -> tuple[Path, bytes, str]:
    """A database in which a late return is to be sent back: its path, the key, the entry's id."""
    folder.mkdir()
    shutil.copy(migrated, folder / "sdt.db")
    with sandbox(folder / "bank", "bank", "--program", "TXD", "--begins", FIRST_DAY) as (running, _):
        rig = Rig.open(open_store(f"sqlite:///{folder}/sdt.db"), running)
        await at(rig, "2026-11-30", "09:00")
        entry, trace = await come_back(rig, LATE)
        dishonor(rig, trace)
        rig.store.close()
        await rig.close()
    return folder / "sdt.db", rig.master_key, entry


class Worker:
    """What works on one copy of the database; a new one is what starts after a death."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.folder = folder
        self.store = open_store(f"sqlite:///{folder}/sdt.db")
        files = FolderAchFiles(folder / "out", folder / "in", folder / "marks")
        self.rig = Rig(self.store, files, MondayBank(), None, ach_config(), key)  # type: ignore[arg-type]

    async def rounds(self) -> None:
        for _ in range(3):
            with self.store.transaction():
                self.store.execute("UPDATE ach_files SET updated_at_ms = 0")
            await self.rig.round()


def _collected(folder: Path, taken: list[bytes]) -> None:
    """The bank comes by, takes what is there, and says once that it has it."""
    for path in sorted((folder / "out").glob("*.ach")):
        data = path.read_bytes()
        taken.append(data)
        path.unlink()
        said = {
            "file": path.name,
            "sha256": sha256(data).hexdigest(),
            "state": "accepted",
            "code": None,
            "batches": [{"batch": 1, "settles": "2026-12-07 10:00"}],
        }
        (folder / "in").mkdir(exist_ok=True)
        (folder / "in" / f"ack-{path.name}.json").write_text(json.dumps(said))


async def _once(
    folder: Path, prepared: Path, key: bytes, entry: str, at_step: int | None, patch: pytest.MonkeyPatch
) -> int:
    """Work with a death at one step, then anew until it is done; return how many steps there were."""
    folder.mkdir()
    shutil.copy(prepared, folder / "sdt.db")
    bomb, taken = Bomb(at_step), list[bytes]()
    run, fsync, rename = Store.run, os.fsync, Path.rename

    async def counted(self: Store, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        bomb.step()
        found = await run(self, fn, *args, **kwargs)
        bomb.step()
        return found

    def synced(descriptor: int) -> None:
        bomb.step()
        fsync(descriptor)

    def renamed(self: Path, target: Any) -> Path:
        bomb.step()
        found = rename(self, target)
        bomb.step()
        return found

    worker = Worker(folder, key)
    with patch.context() as patched:
        patched.setattr(Store, "run", counted)
        patched.setattr(os, "fsync", synced)
        patched.setattr(Path, "rename", renamed)
        with contextlib.suppress(Killed):
            await worker.rounds()
            _collected(folder, taken)
            await worker.rounds()
    worker.store.close()

    worker = Worker(folder, key)
    await worker.rounds()
    _collected(folder, taken)
    await worker.rounds()

    [data] = taken
    file = read_file(data)
    assert faults_of(file) == ()
    [told] = read_inbound(file).returns
    assert (told.kind, told.code, told.cents) == ("dishonored", "R68", 10_000)
    assert worker.rig.status(entry) is EntryStatus.DISHONORED
    sent = ach.entry(worker.store, f"dishonor:1:{entry}")
    assert sent is not None
    assert (sent.status, sent.file_name) == ("settled", NAME)
    # Nobody owes it any more: the dollars are here, once, and wait for an officer.
    balance = {
        name: (found := ledger.account_balance(worker.store, name)).debits - found.credits
        for name in (DUE, f"Clearing:{TOKEN}", f"Suspense:{TOKEN}:{transaction_id(1)}")
    }
    assert list(balance.values()) == [0, 10_000, -10_000]
    assert ledger.discrepancies(worker.store) == []
    worker.store.close()
    return bomb.steps


async def test_a_dishonored_return_goes_out_once_wherever_the_worker_dies(
    tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, key, entry = await _prepared(tmp_path / "prepared", migrated_sqlite)
    steps = await _once(tmp_path / "whole", prepared, key, entry, None, monkeypatch)
    assert steps > 20, "there are commits, writes and renames to die at"
    for step in range(1, steps + 1):
        await _once(tmp_path / f"{step}", prepared, key, entry, step, monkeypatch)
