"""Messages that screening has read, kept for the lane: both run in this process, and reading costs time twice."""

from __future__ import annotations

from typing import Final

from sdt.domain.message import Signed, read_message
from sdt.store.transactions import TransactionRow

__all__ = ["Reading"]

KEPT_MAX: Final = 10_000
"""About 25 MB; beyond it, and after a restart, a message is read again from its row."""


class Reading:
    """Reads the messages of rows. Several threads use it: screening keeps, the lane takes."""

    def __init__(self) -> None:
        self._kept: dict[str, Signed] = {}

    def read(self, row: TransactionRow, *, keep: bool = False) -> Signed:
        """Return the message of a row; with `keep` it is remembered until it is taken. Errors: Invalid."""
        signed = self._kept.pop(row.id, None)
        if signed is None or signed.digest != row.digest:
            signed = read_message(row.raw)
        if keep:
            if len(self._kept) >= KEPT_MAX:
                self._kept.pop(next(iter(self._kept)), None)  # the oldest: rejected, or long on its way
            self._kept[row.id] = signed
        return signed
