"""The custodian leaves in clearing what must cover returns: decided by the sandbox bank's own balance of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sandbox_servers import Sandbox, sandbox

from domain_messages import texas
from sdt.desk.clearing_cover import ClearingCover
from sdt.desk.custodian import _APART, Custodian, Move
from sdt.domain.money import USD, Amount
from sdt.ports.bank import BookTransferOrder

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "bank", "bank", "--program", "TXD") as (running, _):
        yield running


async def test_what_would_leave_less_than_required_stays_in_clearing(server: Sandbox) -> None:
    bank = server.bank()
    prefund = (await bank.statement("TXD-clearing")).balance.units
    assert prefund > 1_000
    # Given that all but five dollars must stay
    cover = await ClearingCover.read(bank, "TXD", prefund - 500, 0)
    # Then five may go in one round, and not one cent more; what was refused takes no room
    assert not cover.spare(501)
    assert cover.spare(300)
    assert cover.spare(200)
    assert not cover.spare(1)
    # and a loss fund stands in for so much of clearing
    assert (await ClearingCover.read(bank, "TXD", prefund, 700)).spare(700)
    assert not (await ClearingCover.read(bank, "TXD", prefund, 699)).spare(700)
    # When dollars have left clearing, the next round reads less
    order = BookTransferOrder("TXD-clearing", "TXD-reserve", Amount(400, USD), "0" * 36)
    await bank.book_transfer(order, key="moved")
    while (await bank.statement("TXD-clearing")).balance.units == prefund:
        pass
    cover = await ClearingCover.read(bank, "TXD", prefund - 500, 0)
    assert not cover.spare(101)
    assert cover.spare(100)
    await bank.close()


async def test_what_is_set_apart_is_brought_back_once_though_a_crash_has_it_ordered_again(server: Sandbox) -> None:
    bank, token = server.bank(), texas().token("TXD")
    desk = Custodian.__new__(Custodian)
    desk._evidence = SimpleNamespace(vendors=SimpleNamespace(bank=bank))  # type: ignore[assignment]
    task = {"transaction_id": "0" * 36, "type": "deposit", "account": "0x", "nth": 1, "amount": "500"}
    apart, back = (Move.read(task | {"direction": direction}) for direction in ("apart", "back"))
    prefund = (await bank.statement("TXD-clearing")).balance.units
    # Given dollars of the same deposit that went ahead into the reserve and came back from there
    await desk._transfer(token, "clearing", "reserve", apart)
    await desk._transfer(token, "reserve", "clearing", apart)
    for move, there in ((apart, 500), (back, 0)):
        for _ in range(2):
            await desk._transfer(token, *_APART[move.direction], move)
            assert (await bank.statement("TXD-blocked")).balance.units == there
            assert (await bank.statement("TXD-clearing")).balance.units == prefund - there
    await bank.close()


@pytest.mark.parametrize(
    ("type", "direction", "entry", "by_ach"),
    [
        ("deposit", "in", "ach-1", True),
        ("deposit", "in", "cur_1", False),
        ("redeem", "in", "ach-1", False),
        ("deposit", "out", "ach-1", False),
    ],
)
def test_a_shortfall_holds_back_debits_and_nothing_else(type: str, direction: str, entry: str, by_ach: bool) -> None:
    task = {"transaction_id": "t", "type": type, "account": "0x", "direction": direction, "nth": 1, "amount": "5"}
    assert Move.read(task | {"bank_entry": {"entry": entry}}).by_ach is by_ach
