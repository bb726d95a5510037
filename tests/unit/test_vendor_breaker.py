"""The circuit breaker, on a clock that the test holds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sdt.adapters.vendor.breaker import Breaker, BreakerState


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(3, 5.0, clock)


def opened(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.failed()


def test_it_opens_after_failures_in_a_row_only(breaker: Breaker) -> None:
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.failed()
    assert (breaker.state, breaker.allows()) == (BreakerState.CLOSED, True)

    breaker.failed()
    assert (breaker.state, breaker.allows()) == (BreakerState.OPEN, False)


def test_after_its_time_one_call_tries_and_the_others_wait_for_it(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now += 4.999
    assert not breaker.allows()
    clock.now += 0.001
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.allows()
    assert not breaker.allows()


def test_a_trial_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now += 5
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.allows()
    assert breaker.allows()


def test_a_trial_that_fails_opens_it_for_the_whole_time_again(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now += 5
    assert breaker.allows()
    breaker.failed()
    clock.now += 4.9
    assert breaker.state is BreakerState.OPEN
    clock.now += 0.1
    assert breaker.allows()


def test_a_trial_that_never_reported_is_followed_by_another(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now += 5
    assert breaker.allows()
    clock.now += 4.9
    assert not breaker.allows()
    clock.now += 0.1
    assert breaker.allows()
