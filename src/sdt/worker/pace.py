"""How often the worker looks for work: quickly while anything moves, seldom while nothing does.

Looking costs the same whether or not there is something to find, and a platform is quiet most of its hours. What moves
(a message from the queue, a batch, an instruction) stirs every part of the process for some seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from sdt.domain.errors import SdtError

__all__ = ["keep_looking", "rest", "stir"]

log = logging.getLogger(__name__)

ACTIVE_S: Final = 10.0
QUIET_TIMES: Final = 5
QUIET_MAX_S: Final = 2.0
"""No part rests longer for quiet than this, unless it always did."""

_stirred_s = time.monotonic()


def stir() -> None:
    """Something moves: look quickly for a while."""
    global _stirred_s
    _stirred_s = time.monotonic()


async def rest(quick_s: float) -> None:
    """Wait before looking again: `quick_s` while something moves, else several times that, until something does."""
    quiet_until_s = time.monotonic() + max(quick_s, min(quick_s * QUIET_TIMES, QUIET_MAX_S))
    while True:
        await asyncio.sleep(quick_s)
        now_s = time.monotonic()
        if now_s - _stirred_s < ACTIVE_S or now_s >= quiet_until_s - quick_s / 2:
            return


async def keep_looking(look: Callable[[], Awaitable[None]], quick_s: float, whose: str) -> None:
    """Look until cancelled; whoever does not answer is asked again. `whose` says in the log who that was."""
    while True:
        try:
            await look()
        except SdtError as error:
            log.warning("%s does not answer: %s", whose, error.detail)
        await rest(quick_s)
