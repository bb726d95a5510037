"""What is told of a stock: nothing to worry about while the first one is made, and a warning from then on."""

from __future__ import annotations

import logging

import pytest

from sdt.signing.alarms import Alarm, Watch


def low(left: int) -> list[Alarm]:
    return [Alarm("stock_low", f"Locations (1, 2) sign {left} more batches.", pair=(1, 2), left=left)]


@pytest.fixture(autouse=True)
def everything_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sdt.signing.coordinator")


def test_the_first_stock_is_awaited_without_a_warning_and_a_later_low_one_warns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = Watch()
    for found in (low(0), low(7), [], low(9)):
        watch.look(found)
    assert [(record.levelname, record.message.partition(":")[0]) for record in caplog.records] == [
        ("INFO", "stock_low"),
        ("INFO", "stock_low is over"),
        ("WARNING", "stock_low"),
    ]


def test_a_first_stock_that_is_spent_faster_than_it_is_made_warns(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch()
    for left in (8, 5, 4):
        watch.look(low(left))
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


def test_whatever_else_is_wrong_at_the_start_warns_at_once(caplog: pytest.LogCaptureFixture) -> None:
    counting = Alarm("stock_counts_down", "Locations (1, 2) sign 0 more batches.", pair=(1, 2), left=0)
    Watch().look([Alarm("location_away", "Location 3 does not answer.", 3), counting])
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
