"""What a location counts and times: per call, never per message of a batch."""

from __future__ import annotations

from typing import Final

from sdt.observing.figures import Counter, Histogram

__all__ = ["OPERATION", "PROPOSED", "REFUSED"]

OPERATION: Final = Histogram(
    "sdt_signer_operation_seconds", "How long an answer took, by operation and outcome.", ["operation", "outcome"]
)
PROPOSED: Final = Histogram(
    "sdt_signer_batch_messages", "Messages of a proposed batch.", bounds=(1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500)
)
REFUSED: Final = Counter("sdt_signer_refused_messages_total", "Messages that this location refused.")
