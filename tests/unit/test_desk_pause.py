"""A desk that has nothing to sign looks less often, and never less often than its default unless it is told to."""

from __future__ import annotations

from sdt.desk.__main__ import IDLE_POLL_S, IDLE_ROUNDS, QUIET_POLL_S, pause_s


def test_an_idle_desk_looks_less_often_and_a_busy_one_as_it_is_told() -> None:
    assert pause_s(0.2, 0) == pause_s(0.2, IDLE_ROUNDS) == 0.2
    assert pause_s(0.2, IDLE_ROUNDS + 1) == IDLE_POLL_S
    assert pause_s(5.0, IDLE_ROUNDS + 1) == 5.0


def test_a_desk_that_stays_idle_looks_ever_less_often_up_to_a_bound() -> None:
    pauses = [pause_s(0.2, rounds) for rounds in range(IDLE_ROUNDS + 1, IDLE_ROUNDS + 500)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == QUIET_POLL_S
    assert sum(pauses[:20]) < 20
