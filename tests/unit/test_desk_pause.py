"""A desk that has nothing to sign looks less often, and never less often than its default unless it is told to."""

from __future__ import annotations

from sdt.desk.__main__ import IDLE_POLL_S, IDLE_ROUNDS, pause_s


def test_an_idle_desk_looks_less_often_and_a_busy_one_as_it_is_told() -> None:
    assert pause_s(0.2, 0) == pause_s(0.2, IDLE_ROUNDS) == 0.2
    assert pause_s(0.2, IDLE_ROUNDS + 1) == IDLE_POLL_S
    assert pause_s(5.0, IDLE_ROUNDS + 1) == 5.0
