"""Counters, gauges and histograms of one process, in Prometheus' text format.

Small on purpose: a signer counts with it and must bring little along, and a Lambda function has no time to import more.
Labels are codes, routes, types and pairs: few values, and nothing of a person.
Source: Prometheus, "Exposition formats" (text format 0.0.4) and "Metric and label naming".
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

__all__ = ["SECONDS", "TEXT_TYPE", "Counter", "Figures", "Gauge", "Histogram", "Sample", "gauge"]

TEXT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SERIES_MAX: Final = 500
"""Series of one figure; whatever would make more has a label that is no code, and is counted together as `other`."""

Labels = tuple[str, ...]
Sample = tuple[str, Sequence[tuple[Mapping[str, str], float]], str, str]
"""Shape: name, (labels, value) each, type, help."""


def gauge(name: str, about: str, values: Iterable[tuple[Mapping[str, str], float]] | float) -> Sample:
    """Return a gauge that was read just now."""
    read = [({}, values)] if isinstance(values, (int, float)) else list(values)
    return name, read, "gauge", about


class _Figure:
    kind: str

    def __init__(self, name: str, about: str, labels: Sequence[str] = ()) -> None:
        self.name, self.about, self.labels = name, about, tuple(labels)
        self._lock = threading.Lock()

    def _key(self, known: Mapping[Labels, object], values: Labels) -> Labels:
        assert len(values) == len(self.labels), f"{self.name} has the labels {self.labels}"
        return values if values in known or len(known) < SERIES_MAX else ("other",) * len(values)

    def lines(self) -> Iterator[str]:
        """Return its lines without help and type."""
        raise NotImplementedError


class Counter(_Figure):
    """Only grows. Its name ends with `_total`."""

    kind = "counter"

    def __init__(self, name: str, about: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, about, labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *values: str, n: float = 1) -> None:
        """Count `n` more."""
        with self._lock:
            key = self._key(self._values, values)
            self._values[key] = self._values.get(key, 0) + n

    def lines(self) -> Iterator[str]:
        """Return its lines."""
        for key, value in sorted(self._values.copy().items()):
            yield _line(self.name, zip(self.labels, key, strict=True), value)


class Gauge(_Figure):
    """What is so now: set, or read by a function when somebody looks."""

    kind = "gauge"

    def __init__(self, name: str, about: str, read: Callable[[], float] | None = None) -> None:
        super().__init__(name, about)
        self._read = read
        self._value = 0.0

    def set(self, value: float) -> None:
        """Take a value."""
        self._value = value

    def add(self, n: float) -> None:
        """Move the value."""
        with self._lock:
            self._value += n

    def lines(self) -> Iterator[str]:
        """Return its line."""
        yield _line(self.name, (), self._read() if self._read else self._value)


class Histogram(_Figure):
    """How long things took, or how large they were, in buckets."""

    kind = "histogram"

    def __init__(self, name: str, about: str, labels: Sequence[str] = (), bounds: Sequence[float] = SECONDS) -> None:
        super().__init__(name, about, labels)
        self._bounds = tuple(bounds)
        self._series: dict[Labels, list[float]] = {}
        if not labels:
            self._series[()] = self._fresh()

    def _fresh(self) -> list[float]:
        """Shape: a count for each bound and one beyond, then the sum."""
        return [0] * (len(self._bounds) + 1) + [0.0]

    def observe(self, value: float, *labels: str) -> None:
        """Take one more. Units: those that the name ends with."""
        with self._lock:
            series = self._series.get(labels)
            if series is None:
                series = self._series.setdefault(self._key(self._series, labels), self._fresh())
            series[bisect_left(self._bounds, value)] += 1
            series[-1] += value

    @contextmanager
    def timed(self, *labels: str) -> Iterator[None]:
        """Take how long the work inside takes, however it ends."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.observe(time.perf_counter() - begun, *labels)

    def lines(self) -> Iterator[str]:
        """Return its lines."""
        for key, series in sorted(self._series.copy().items()):
            labels = list(zip(self.labels, key, strict=True))
            count = 0.0
            for bound, n in zip((*map(str, self._bounds), "+Inf"), series[:-1], strict=True):
                count += n
                yield _line(f"{self.name}_bucket", [*labels, ("le", bound)], count)
            yield _line(f"{self.name}_sum", labels, series[-1])
            yield _line(f"{self.name}_count", labels, count)


class Figures:
    """The figures of one process."""

    def __init__(self, *figures: _Figure) -> None:
        self._figures = list(figures)

    def page(self, read_now: Iterable[Sample] = ()) -> bytes:
        """Return all of them, and what was read just now, as a page for Prometheus."""
        lines: list[str] = []
        for one in self._figures:
            lines += [*_head(one.name, one.kind, one.about), *one.lines()]
        for name, values, kind, about in read_now:
            lines += [*_head(name, kind, about), *(_line(name, labels.items(), value) for labels, value in values)]
        return ("\n".join(lines) + "\n").encode()


def _head(name: str, kind: str, about: str) -> tuple[str, str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}"


def _line(name: str, labels: Iterable[tuple[str, object]], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(str(text))}"' for key, text in labels)
    number = f"{value:.0f}" if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))
    return f"{name}{{{inside}}} {number}" if inside else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
