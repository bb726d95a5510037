"""What the worker counts and times, for Prometheus: per round, batch and call, never per transaction."""

from __future__ import annotations

from typing import Final

from sdt.observing.figures import Figures, Histogram
from sdt.observing.process import LOOP_LATE
from sdt.store.figures import DATABASE, DATABASE_WAITING

__all__ = [
    "BATCH_ITEMS",
    "FIGURES",
    "HANDLER",
    "LANE",
    "ROUND_MESSAGES",
    "SCREENING",
    "SETTLED_AGE",
]

_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500)
_AGES: Final = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0)

SCREENING: Final = Histogram(
    "sdt_screening_seconds", "How long a round of screening took, from the queue's messages to their commit."
)
ROUND_MESSAGES: Final = Histogram("sdt_screening_round_messages", "Messages in a round of screening.", bounds=_SIZES)
LANE: Final = Histogram(
    "sdt_lane_seconds", "How long a step of a batch took: form, assemble, sign, store, send, chain, books.", ["step"]
)
BATCH_ITEMS: Final = Histogram("sdt_batch_transactions", "Transactions in a signed batch.", bounds=_SIZES)
SETTLED_AGE: Final = Histogram(
    "sdt_settled_age_seconds",
    "Age of the oldest transaction of a batch when the batch became final, from its acceptance.",
    bounds=_AGES,
)
HANDLER: Final = Histogram(
    "sdt_handler_seconds",
    "How long an instruction to an outside party took, by message type and outcome.",
    ["type", "outcome"],
)
FIGURES: Final = Figures(
    SCREENING, ROUND_MESSAGES, LANE, BATCH_ITEMS, SETTLED_AGE, HANDLER, DATABASE, DATABASE_WAITING, LOOP_LATE
)
