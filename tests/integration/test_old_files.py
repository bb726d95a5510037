"""Files of the bank are emptied after ten years, when nothing in them must be kept longer."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from sdt.store import Store, ach_files, blocked, cases, legal_holds, outbox, people_behind, wrapped
from sdt.store.ach_files import AchFileRow, InboundRow, RecordRow
from sdt.store.blocked import BlockedRow
from sdt.store.bulk import insert_rows
from sdt.store.legal_holds import LegalHoldRow
from sdt.store.tables.ach import AchEntry
from sdt.worker.clock import Clock
from sdt.worker.erasures import Erasures
from sdt.worker.expiry import Expiry
from sdt.workflows.documents import Documents
from sdt.workflows.erasure import TOPIC
from sdt.workflows.old_files import empty_old_files
from store_rig import TOKEN, address, transaction_id

MADE = date(2026, 3, 2)
MADE_MS = int(datetime.fromisoformat("2026-03-02T15:00:00+00:00").timestamp()) * 1000
AFTER_MS = int(datetime.fromisoformat("2036-03-04T00:00:00+00:00").timestamp()) * 1000
BEFORE_MS = AFTER_MS - 2 * 86_400_000
SEALED = b"sealed " * 9


class _Later(Clock):
    """Ten years on."""

    def now_ms(self) -> int:
        """Return milliseconds."""
        return AFTER_MS

    def now_s(self) -> int:
        """Return seconds."""
        return AFTER_MS // 1000


ENTRY: Final[dict[str, Any]] = {
    "id": "ach:1",
    "purpose": "payment",
    "bank_ref": "ba_1",
    "account": address(1),
    "token": TOKEN,
    "is_credit": False,
    "units": 100,
    "sec_code": "WEB",
    "same_day": False,
    "reference": transaction_id(1),
    "created_at_ms": MADE_MS,
    "stage": "in_file",
    "file_name": "f.ach",
    "trace": "1" * 15,
}
RETURN = RecordRow("1:R01", "bb" * 32, "return", "R01", "1" * 15, "ach:1", 100, "2026-03-04", MADE_MS)


def _add(store: Store, status: str = "acknowledged", inbound: str = "read") -> None:
    """One file with one entry of the first account, and the file that brought its return."""
    file = AchFileRow(
        *("f.ach", TOKEN, MADE.isoformat(), "A", status, "aa" * 32, 1, "0123456789", 100, 0, 0, None),
        *(MADE_MS, None, MADE_MS),
    )
    came_in = InboundRow("bb" * 32, "r.ach", "returns", inbound, "2026-03-04", 1, 0, "", MADE_MS)
    with store.transaction():
        ach_files.add_file(store, file, SEALED)
        insert_rows(store, AchEntry, tuple(ENTRY), [tuple(ENTRY.values())])
        ach_files.add_inbound(store, came_in, SEALED)
        ach_files.add_record(store, RETURN)


def _sizes(store: Store) -> tuple[int, int]:
    made, came_in = (
        wrapped.file_sealed(store, of, name)
        for of, name in zip(wrapped.FILES.values(), ("f.ach", "bb" * 32), strict=True)
    )
    assert made is not None and came_in is not None
    return len(made), len(came_in)


FULL = (len(SEALED), len(SEALED))


def test_files_are_emptied_after_ten_years_and_their_totals_stand(store: Store) -> None:
    _add(store)
    before = (ach_files.files(store), ach_files.inbound(store))
    assert (empty_old_files(store, BEFORE_MS), _sizes(store)) == (0, FULL)
    assert (empty_old_files(store, AFTER_MS), _sizes(store)) == (2, (0, 0))
    assert (ach_files.files(store), ach_files.inbound(store)) == before
    # what is empty is no broken file to whoever wraps all keys anew, and is not emptied again
    for of in wrapped.FILES.values():
        assert wrapped.file_heads(store, of, "", 300, 10) == []
    assert empty_old_files(store, AFTER_MS + 1) == 0


@pytest.mark.parametrize(("status", "inbound"), [("sending", "stored"), ("unknown", "stored")])
def test_what_waits_to_be_sent_or_read_is_left(store: Store, status: str, inbound: str) -> None:
    _add(store, status, inbound)
    assert (empty_old_files(store, AFTER_MS), _sizes(store)) == (0, FULL)


def _hold(store: Store) -> None:
    legal_holds.place(store, LegalHoldRow("act", address(1), "D-1", "Travis County", "k", 1))


def _block(store: Store) -> None:
    blocked.block(store, BlockedRow(transaction_id(1), address(1), TOKEN, 100, "deposit", "case", MADE_MS, None))


def _unblock(store: Store) -> None:
    _block(store)
    blocked.unblock(store, transaction_id(1), MADE_MS + 86_400_000 * 900)


def _case(store: Store, account: str = address(1), **facts: Any) -> None:
    opened: dict[str, Any] = {"detected_on": MADE, "actor": "x", "at_ms": 1}
    cases.open_case(store, kind="monitoring", key="k", account=account, facts=facts, **opened)


def _case_by_facts(store: Store) -> None:
    _case(store, address(2), person="nobody's", accounts=[address(2), address(1)])


def _case_by_person(store: Store) -> None:
    people_behind.link(store, address(1), ["p"])
    _case(store, address(2), person="p", accounts=[address(2)])


def _reported(store: Store) -> None:
    _case(store)
    store.execute("UPDATE cases SET status = 'reported', filed_on = '2031-01-02'")


@pytest.mark.parametrize("keep", [_hold, _block, _unblock, _case, _reported, _case_by_facts, _case_by_person])
def test_what_must_be_kept_longer_of_one_keeps_the_file(store: Store, keep: Any) -> None:
    _add(store)
    keep(store)
    assert (empty_old_files(store, AFTER_MS), _sizes(store)) == (0, FULL)


def test_the_case_of_somebody_else_keeps_nothing(store: Store) -> None:
    _add(store)
    people_behind.link(store, address(1), ["p"])
    _case(store, address(2), person="q", accounts=[address(2), address(3)])
    assert empty_old_files(store, AFTER_MS) == 2


@pytest.mark.parametrize("opened", [_case, _case_by_facts, _case_by_person])
def test_what_keeps_a_file_keeps_a_person(store: Store, opened: Any) -> None:
    opened(store)
    assert cases.unsettled(store, address(1))
    assert not cases.unsettled(store, address(4))
    store.execute("UPDATE cases SET status = 'reported', filed_on = '2031-01-02'")
    assert not cases.unsettled(store, address(1))
    assert cases.last_filed_on(store, address(1)) == date(2031, 1, 2)
    assert cases.last_filed_on(store, address(4)) is None


async def test_the_worker_empties_them_and_clears_what_the_rows_leave(store: Store, tmp_path: Path) -> None:
    _add(store)
    clock = _Later()
    expiring = asyncio.create_task(Expiry(store, clock).run())
    while not await store.read(outbox.due, [TOPIC], AFTER_MS, 9):
        await asyncio.sleep(0.01)
    expiring.cancel()
    assert await store.read(_sizes) == (0, 0)
    people: Any = None  # no document is opened
    assert await Erasures(store, Documents(store, people, tmp_path), clock).work() == 1
    assert await store.read(outbox.due, [TOPIC], AFTER_MS, 9) == []
    assert not any(SEALED in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
