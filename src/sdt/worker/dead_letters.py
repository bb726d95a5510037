"""What becomes of an instruction that failed: another try with a growing pause, or an officer's case.

An instruction that repetition cannot help is dead: it keeps its idempotency key, so whoever revives it
(`sdt vendor retry`) can have nothing done twice.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Final

from sdt.domain.errors import SdtError
from sdt.ports.evidence import VendorFault
from sdt.store import Store, outbox
from sdt.store.cases import open_case
from sdt.store.outbox import OutboxRow

__all__ = ["AGE_MS_MAX", "ATTEMPTS_MAX", "is_hopeless", "put_off"]

log = logging.getLogger(__name__)

ATTEMPTS_MAX: Final = 2_000
AGE_MS_MAX: Final = 24 * 3_600_000
"""A day of failing: by then the bank's next cut-off has gone by, and a person must know."""
PAUSE_MS: Final = 500
PAUSE_MS_MAX: Final = 60_000
_ACTOR: Final = "worker:instructions"


def is_hopeless(error: SdtError) -> bool:
    """Say whether the same call would fail again however often: a refusal, or an answer nobody can read."""
    return isinstance(error, VendorFault) or error.kind.worker == "reject"


def put_off(store: Store, row: OutboxRow, error: SdtError, now_ms: int) -> bool:
    """Write down that an instruction failed, and when it is tried again; or give it up and open a case of kind vendor.

    Return whether it was given up by this. Only the error's code is kept: a vendor's own words may name a person.
    """
    tries = row.attempts + 1
    age_ms = now_ms - (now_ms if row.failed_since_ms is None else row.failed_since_ms)
    if not (is_hopeless(error) or tries >= ATTEMPTS_MAX or age_ms >= AGE_MS_MAX):
        pause_ms = min(PAUSE_MS * 2 ** min(row.attempts, 10), PAUSE_MS_MAX)
        log.warning("an instruction waits %d ms: %s", pause_ms, error.code, extra={"instruction": row.key})
        outbox.retry(store, row.id, error.code, now_ms + pause_ms, at_ms=now_ms)
        return False
    with store.transaction():
        if not outbox.bury(store, row.id, error.code, now_ms):
            return False
        log.error("an instruction is dead after %d tries: %s", tries, error.code, extra={"instruction": row.key})
        open_case(
            store,
            kind="vendor",
            key=f"instruction:{row.id}:{now_ms}",
            facts={"instruction": row.id, "key": row.key, "code": error.code, "tries": tries},
            detected_on=datetime.fromtimestamp(now_ms / 1000, UTC).date(),
            actor=_ACTOR,
            at_ms=now_ms,
            transaction_id=json.loads(row.payload).get("transaction_id"),
            suspect_known=False,
        )
    return True
