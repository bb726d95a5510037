"""What is counted and timed, for Prometheus. Labels are codes, routes and types: nothing of a person."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from typing import Final

from sdt.api.backlog import Backlog
from sdt.api.intake import GROUP, GROUP_MESSAGES, Answer, Receipt
from sdt.observing.figures import TEXT_TYPE, Counter, Figures, Gauge, Histogram, Sample
from sdt.observing.process import LOOP_LATE, process_figures
from sdt.store.figures import DATABASE, DATABASE_WAITING

__all__ = ["METRICS_TYPE", "Metrics"]

METRICS_TYPE: Final = TEXT_TYPE


class Metrics:
    """The counters of one API process."""

    def __init__(self, backlog: Backlog, backlog_max: int) -> None:
        self._messages = Counter(
            "sdt_api_messages_total",
            "Signed messages by what became of them: new, same, or the code of the refusal.",
            ["outcome"],
        )
        self._requests = Histogram(
            "sdt_api_request_seconds",
            "How long a request took, by route, method and status.",
            ["route", "method", "status"],
        )
        self._figures = Figures(
            self._messages,
            self._requests,
            Gauge("sdt_api_backlog_transactions", "Accepted and not settled yet.", lambda: backlog.size),
            Gauge("sdt_api_backlog_max_transactions", "Where intake answers 429.", lambda: backlog_max),
            GROUP,
            GROUP_MESSAGES,
            DATABASE,
            DATABASE_WAITING,
            LOOP_LATE,
        )

    def answered(self, answers: Sequence[Answer]) -> None:
        """Count what became of messages."""
        outcomes = ((("new" if one.new else "same") if isinstance(one, Receipt) else one.code) for one in answers)
        for outcome, n in Tally(outcomes).items():
            self._messages.add(outcome, n=n)

    def took(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note a request."""
        self._requests.observe(seconds, route, method, str(status))

    def page(self, read_now: Sequence[Sample] = ()) -> bytes:
        """Return all of it, and what was read just now, in Prometheus' text format."""
        return self._figures.page([*read_now, *process_figures()])
