"""The time that counts for ACH: the bank's own, which a sandbox compresses or freezes, or the wall's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

from sdt.domain.ach.calendar import EASTERN
from sdt.ports.bank import Bank
from sdt.worker.clock import Clock

__all__ = ["MOMENT", "BankTime", "moment_text"]

MOMENT: Final = "%Y-%m-%d %H:%M"


class BankTime:
    """Says what time it is at the bank."""

    def __init__(self, bank: Bank, clock: Clock, source: Literal["bank", "wall"]) -> None:
        self._bank = bank
        self._clock = clock
        self._source = source

    async def now(self) -> datetime:
        """Return date and time of day in Eastern time. Errors: those of the bank."""
        if self._source == "bank":
            return (await self._bank.calendar()).moment
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).astimezone(EASTERN)


def moment_text(moment: datetime) -> str:
    """Write a moment of Eastern time as it is stored: texts in the order of time."""
    return f"{moment.astimezone(EASTERN):{MOMENT}}"
