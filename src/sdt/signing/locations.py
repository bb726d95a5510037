"""The coordinator's view of the three locations: who answers, what they have, who was caught."""

from __future__ import annotations

import asyncio
import logging
import time
import tomllib
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from nacl.signing import VerifyKey

from sdt.domain.errors import Invalid, SdtError
from sdt.signing.config import Location, intent_keys
from sdt.signing.link import Link, LinkLost
from sdt.signing.pki import TlsFiles
from sdt.signing.wire import Answer, Operation, Pair, Status, StatusAnswer

PULSE_S: Final = 0.4
PULSE_TIMEOUT_S: Final = 1.0
"""A location that does not answer a pulse in this time is taken for gone; its calls fail at once."""

T = TypeVar("T")
_log = logging.getLogger("sdt.signing.coordinator")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    location: tuple[Location, ...]


@dataclass(frozen=True)
class CoordinatorConfig:
    """The coordinator's folder: `signers.toml` and its certificate."""

    locations: tuple[Location, ...]
    tls: TlsFiles

    def intent_keys(self) -> dict[int, VerifyKey]:
        """Return the keys with which the locations sign."""
        return intent_keys(self.locations)


def load_coordinator_config(folder: Path) -> CoordinatorConfig:
    """Read the coordinator's folder, as `provision` wrote it.

    Errors: Invalid.
    """
    try:
        file = msgspec.convert(tomllib.loads((folder / "signers.toml").read_text()), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Invalid(f"signers.toml is not usable: {error}.", code="coordinator_config") from None
    if sorted(location.party for location in file.location) != [1, 2, 3]:
        raise Invalid("signers.toml must name the locations 1, 2 and 3, once each.", code="coordinator_config")
    tls = TlsFiles(str(folder / "tls.pem"), str(folder / "tls.key"), str(folder / "authority.pem"))
    return CoordinatorConfig(tuple(sorted(file.location, key=lambda each: each.party)), tls)


class Remote:
    """One location as the coordinator sees it; a pulse keeps `status` fresh and tells at once when it is gone."""

    def __init__(self, location: Location, tls: TlsFiles) -> None:
        self.party = location.party
        self.status: StatusAnswer | None = None
        self.caught = ""
        """Why this location is no longer asked to sign: what it was caught at."""
        self.clock_off_s = 0.0
        self._calls = Link(location.party, location.host, location.port, tls)
        self._pulses = Link(location.party, location.host, location.port, tls)
        self._answers = False
        self._task: asyncio.Task[None] | None = None

    @property
    def answers(self) -> bool:
        """Whether the last pulse came back."""
        return self._answers

    @property
    def usable(self) -> bool:
        """Whether to ask this location to sign."""
        return self.answers and not self.caught and not self.held

    @property
    def held(self) -> str:
        """Why this location signs nothing though it answers: a starting one does not know yet whether it may."""
        return self.status.held if self.answers and self.status else ""

    async def start(self) -> None:
        """Feel the pulse once, then go on in the background."""
        await self.pulse()
        self._task = asyncio.create_task(self._beat())

    async def close(self) -> None:
        """Stop the pulse and close the connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(self._calls.close(), self._pulses.close())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(PULSE_S)
            await self.pulse()

    async def pulse(self) -> None:
        """Ask for the status; note whether the location answers."""
        try:
            answer = await self._pulses.call(Status(), PULSE_TIMEOUT_S)
        except SdtError as error:
            self._lose(error)
            return
        assert isinstance(answer, StatusAnswer)
        self.clock_off_s = answer.clock_s - time.time()
        if not self.answers:
            self._answers = True
            _log.info("Location %d answers.", self.party)
        self.status = answer

    def _lose(self, error: SdtError) -> None:
        if self.answers:
            _log.warning("Location %d does not answer: %s", self.party, error.detail)
            self._answers = False
            self._calls.give_up()

    async def call(self, operation: Operation, timeout_s: float) -> Answer:
        """Call the location; give up as soon as its pulse stops.

        Errors: LinkLost; whatever the location answers.
        """
        if not self.answers:
            raise LinkLost(f"Location {self.party} stopped answering.", party=self.party)
        try:
            return await self._calls.call(operation, timeout_s)
        except LinkLost as error:
            self._lose(error)
            raise


async def both(first: Awaitable[T], second: Awaitable[T]) -> tuple[T | SdtError, T | SdtError]:
    """Await two calls to their ends; expected errors come back as values."""
    one, two = await asyncio.gather(first, second, return_exceptions=True)
    for result in (one, two):
        if isinstance(result, BaseException) and not isinstance(result, SdtError):
            raise result
    assert not isinstance(one, BaseException) or isinstance(one, SdtError)
    assert not isinstance(two, BaseException) or isinstance(two, SdtError)
    return one, two


def other(pair: Pair, party: int) -> int:
    """Return a party's partner in a pair."""
    return pair[0] if pair[1] == party else pair[1]
