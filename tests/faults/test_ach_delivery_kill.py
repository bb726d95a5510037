"""A file is delivered once, wherever the worker dies on the way: at every commit, every write and every rename.

Dying is an exception nobody catches: what was committed or renamed stays, what was not is gone, as after kill -9.
The bank empties its folder whenever it likes, so that a file which is not there says nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sdt.adapters.ach import FolderAchFiles
from sdt.domain.ach.entry_life import EntryStatus
from sdt.domain.nacha import faults_of, read_file
from sdt.ports.ach_files import AchFiles, FileStanding, Inbound
from sdt.ports.evidence import StateUnknown
from sdt.store import Store, ach_files, ledger, open_store
from store_rig import TOKEN

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from ach_rig import Rig, ach_config


class Killed(BaseException):
    """The process ends here."""


class Bomb:
    """Kills at the n-th step; without a number it only counts."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Killed


class FrozenBank:
    """Says what time it is and nothing else."""

    async def calendar(self) -> Any:
        from datetime import date, time

        from sdt.ports.bank import BankCalendar

        return BankCalendar(1, date(2026, 11, 30), time(10, 20), True, True, 1.0)

    async def close(self) -> None: ...


def _rig(store: Store, files: AchFiles, key: bytes) -> Rig:
    return Rig(store, files, FrozenBank(), None, ach_config(), key)  # type: ignore[arg-type]


def _collected(folder: Path, taken: list[str]) -> None:
    """The bank comes by."""
    for path in sorted(folder.glob("*.ach")):
        file = read_file(path.read_bytes())
        assert faults_of(file) == ()
        assert [len(batch.entries) for batch in file.batches] == [2]
        taken.append(path.name)
        path.unlink()


async def _patiently(rig: Rig) -> None:
    """Work for as long as it takes; the pauses between tries are made short."""
    for _ in range(3):
        with rig.store.transaction():
            rig.store.execute("UPDATE ach_files SET updated_at_ms = 0")
        await rig.round()


async def _once(
    tmp_path: Path, migrated: Path, at: int | None, patch: pytest.MonkeyPatch, collect_late: bool
) -> tuple[int, list[str]]:
    """Work with a death at one step, then anew until it is done; return the steps, and what the bank took."""
    import shutil

    tmp_path.mkdir()
    shutil.copy(migrated, tmp_path / "sdt.db")
    store = open_store(f"sqlite:///{tmp_path}/sdt.db")
    outgoing, taken, bomb = tmp_path / "out", [], Bomb(at)
    files = FolderAchFiles(outgoing, tmp_path / "in", tmp_path / "marks")
    key = b"k" * 32
    rig = _rig(store, files, key)
    linked = rig.user(1)
    entries = [rig.deposit(n, linked) for n in (1, 2)]

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

    with patch.context() as patched:
        patched.setattr(Store, "run", counted)
        patched.setattr(os, "fsync", synced)
        patched.setattr(Path, "rename", renamed)
        with contextlib.suppress(Killed):
            await rig.round(3)
    if not collect_late:
        _collected(outgoing, taken)
    await _patiently(_rig(store, files, key))
    _collected(outgoing, taken)

    [file] = ach_files.files(store)
    assert file.status == "filed"
    assert {rig.status(entry) for entry in entries} == {EntryStatus.FILED}
    in_flight = ledger.account_balance(store, f"InFlight:{TOKEN}")
    assert in_flight.debits - in_flight.credits == 20_000
    assert ledger.discrepancies(store) == []
    store.close()
    return bomb.steps, taken


@pytest.mark.slow
@pytest.mark.parametrize("collect_late", [True, False], ids=["bank-comes-late", "bank-comes-at-once"])
async def test_a_file_is_delivered_once_wherever_the_worker_dies(
    tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch, collect_late: bool
) -> None:
    steps, taken = await _once(tmp_path / "whole", migrated_sqlite, None, monkeypatch, collect_late)
    assert taken == ["TXD-20261130-A.ach"]
    assert steps > 12, "there are commits, writes and renames to die at"

    for at in range(1, steps + 1):
        _, taken = await _once(tmp_path / f"{at}", migrated_sqlite, at, monkeypatch, collect_late)
        assert taken == ["TXD-20261130-A.ach"], f"dying at step {at}"


class _Wavering:
    """A bank that takes a file, or does not, and says nothing."""

    def __init__(self, taken: bool) -> None:
        self._taken = taken
        self.puts: list[str] = []
        self.silent = True

    async def put(self, name: str, data: bytes) -> None:
        if self._taken or not self.silent:
            self.puts.append(name)
        if self.silent:
            raise StateUnknown("nobody answered")

    async def standing(self, name: str, digest: str) -> FileStanding:
        if self.silent:
            raise StateUnknown("nobody answered")
        return FileStanding.PRESENT if name in self.puts else FileStanding.ABSENT

    async def inbound(self, after: int) -> Inbound:
        return Inbound((), after)

    async def close(self) -> None: ...


@pytest.mark.parametrize("taken", [True, False])
async def test_an_upload_without_an_answer_is_unknown_and_asked_for_and_never_sent_blindly(
    store: Store, taken: bool
) -> None:
    bank = _Wavering(taken)
    rig = _rig(store, bank, b"k" * 32)
    entry = rig.deposit(1, rig.user(1))

    await rig.round(4)
    [file] = ach_files.files(store)
    assert (file.status, rig.status(entry), len(bank.puts)) == ("unknown", EntryStatus.UNKNOWN, int(taken))

    bank.silent = False
    await _patiently(rig)
    assert bank.puts == ["TXD-20261130-A.ach"]
    assert rig.status(entry) is EntryStatus.FILED
    in_flight = ledger.account_balance(store, f"InFlight:{TOKEN}")
    assert in_flight.debits - in_flight.credits == 10_000
