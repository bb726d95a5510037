"""How often the worker looks for work: quickly while anything moves, seldom while nothing does.

Looking costs the same whether or not there is something to find, and a platform is quiet most of its hours. What moves
(a message from the queue, a batch, an instruction) stirs the parts of the process for some seconds: those that look at
the books and the chain by anything, those that ask banks, vaults and other parties by what concerns them. However many
people pay each other, no bank knows of it.
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
_stirred_outside_s = _stirred_s


def stir(*, outside: bool) -> None:
    """Something moves: look quickly for a while; `outside` if a bank or another party may have a part in it."""
    global _stirred_s, _stirred_outside_s
    _stirred_s = time.monotonic()
    if outside:
        _stirred_outside_s = _stirred_s


async def rest(quick_s: float, *, outside: bool = False) -> None:
    """Wait before looking again: `quick_s` while something moves, else several times that, until something does.

    `outside`: what is looked at is another party's.
    """
    quiet_until_s = time.monotonic() + max(quick_s, min(quick_s * QUIET_TIMES, QUIET_MAX_S))
    while True:
        await asyncio.sleep(quick_s)
        now_s = time.monotonic()
        stirred_s = _stirred_outside_s if outside else _stirred_s
        if now_s - stirred_s < ACTIVE_S or now_s >= quiet_until_s - quick_s / 2:
            return


async def keep_looking(look: Callable[[], Awaitable[None]], quick_s: float, whose: str) -> None:
    """Look at another party until cancelled; one that does not answer is asked again. `whose` says in the log who."""
    while True:
        try:
            await look()
        except SdtError as error:
            log.warning("%s does not answer: %s", whose, error.detail)
        await rest(quick_s, outside=True)
