"""The thread that makes blocks: soon after a transaction waits, and now and then when none does.

An empty block keeps the head's age a sign of life, as on a network that makes one every second.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from sdt.adapters.chain.embedded.chain import Chain
from sdt.adapters.chain.embedded.pool import Pool

__all__ = ["Miner"]

_log = logging.getLogger(__name__)
_BLOCK_BUDGET_S = 0.25  # so that a full pool gives several blocks a second, not one long one


class Miner:
    """Owns the only writes to the chain."""

    def __init__(self, chain: Chain, pool: Pool, *, gather_s: float, idle_s: float) -> None:
        self._chain = chain
        self._pool = pool
        self._gather_s = gather_s
        self._idle_s = idle_s
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="miner", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Say that a transaction waits."""
        self._work.set()

    def stop(self) -> None:
        """Finish the block in hand and stop; what still waits is forgotten."""
        self._stopping.set()
        self._work.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._turn()
        except BaseException:
            # A chain that cannot write must not look alive: senders would wait for ever.
            _log.exception("the chain cannot go on")
            os._exit(70)

    def _turn(self) -> None:
        if self._work.wait(self._idle_s or None):
            if not self._stopping.is_set():
                time.sleep(self._gather_s)
                self._mine()
        elif time.time() - self._chain.head.header.timestamp >= self._idle_s:
            self._chain.append_empty()

    def _mine(self) -> None:
        self._work.clear()
        refused = self._chain.append(self._pool.ready(), _BLOCK_BUDGET_S)
        self._pool.settle(refused)
        if self._pool.counts()[0]:
            self._work.set()
