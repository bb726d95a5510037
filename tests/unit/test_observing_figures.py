"""Figures in Prometheus' text format, as its own parser reads them."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sdt.observing.figures import SERIES_MAX, Counter, Figures, Gauge, Histogram, gauge


def read(page: bytes) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return what a page says: value by name and labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_a_histogram_counts_into_every_bucket_that_holds() -> None:
    seconds = Histogram("t_seconds", "How long.", ["step"], bounds=(0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7):
        seconds.observe(value, "sign")
    found = read(Figures(seconds).page())
    buckets = {dict(labels)["le"]: value for labels, value in found["t_seconds_bucket"].items()}
    assert buckets == {"0.1": 2, "1.0": 3, "+Inf": 4}
    assert found["t_seconds_count"] == {(("step", "sign"),): 4}
    assert found["t_seconds_sum"][("step", "sign"),] == pytest.approx(7.65)


@given(st.text(max_size=30), st.floats(allow_nan=False, allow_infinity=False))
def test_any_label_and_value_comes_back_as_it_was(label: str, value: float) -> None:
    found = read(Figures().page([gauge("t_units", "A gauge.", [({"code": label}, value)])]))
    assert found["t_units"] == {(("code", label),): value}


def test_a_label_that_is_no_code_cannot_fill_the_memory() -> None:
    calls = Counter("t_total", "Calls.", ["code"])
    for number in range(3 * SERIES_MAX):
        calls.add(str(number))
    found = read(Figures(calls).page())["t_total"]
    assert len(found) == SERIES_MAX + 1
    assert found[("code", "other"),] == 2 * SERIES_MAX


def test_threads_count_together() -> None:
    calls, seconds, waiting = Counter("t_total", "Calls."), Histogram("t_seconds", "Time."), Gauge("t_messages", "Now.")

    def work() -> None:
        for _ in range(2_000):
            calls.add()
            seconds.observe(0.2)
            waiting.add(1)
            waiting.add(-1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read(Figures(calls, seconds, waiting).page())
    assert (found["t_total"][()], found["t_seconds_count"][()], found["t_messages"][()]) == (8_000, 8_000, 0)
