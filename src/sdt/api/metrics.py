"""What is counted and timed, for Prometheus. Labels are codes, routes and types: nothing of a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sdt.api.backlog import Backlog
from sdt.api.intake import Answer, Receipt

__all__ = ["METRICS_TYPE", "Metrics"]

METRICS_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one API process."""

    def __init__(self, backlog: Backlog) -> None:
        self._registry = CollectorRegistry()
        self._messages = Counter(
            "sdt_api_messages_total",
            "Signed messages by what became of them: new, same, or the code of the refusal.",
            ["outcome"],
            registry=self._registry,
        )
        self._requests = Histogram(
            "sdt_api_request_seconds",
            "How long a request took, by route, method and status.",
            ["route", "method", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        Gauge(
            "sdt_api_backlog", "Accepted transactions that are not settled yet.", registry=self._registry
        ).set_function(lambda: backlog.size)

    def answered(self, answers: Sequence[Answer]) -> None:
        """Count what became of messages."""
        for answer in answers:
            if isinstance(answer, Receipt):
                self._messages.labels("new" if answer.new else "same").inc()
            else:
                self._messages.labels(answer.code).inc()

    def took(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note a request."""
        self._requests.labels(route, method, str(status)).observe(seconds)

    def page(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)
