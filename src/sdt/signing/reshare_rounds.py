"""A refresh or a replacement as the coordinator runs it: step by step at all three, and how a broken one ends.

The coordinator carries signed words; the shares it never sees, since what is dealt goes from location to location.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from nacl.signing import VerifyKey

from sdt.domain.errors import Conflict, SdtError, Unavailable
from sdt.signing.locations import Remote
from sdt.signing.transcript import BadCertificate, KeyStatement, check_certificate, is_signed
from sdt.signing.wire import ActivateKey, Answer, Done, KeyCertificate, KeySigned, Operation, ShowKey
from sdt.signing.wire_lifecycle import (
    Abandon,
    Committed,
    Drop,
    Opened,
    ReshareBegin,
    ReshareDeal,
    ReshareEcho,
    ReshareOpen,
    ReshareStage,
    ShowStaged,
    Signed,
    StagedKeys,
    Three,
)

CALL_TIMEOUT_S: Final = 10.0
JOB_BYTES: Final = 16
ATTEMPTS: Final = 5

Step = Callable[[str], Awaitable[None]]
Made = tuple[KeyStatement, bytes]
"""What a location says that a job made, and its signature of it."""
T = TypeVar("T")
_log = logging.getLogger("sdt.signing.coordinator")


class Reshare:
    """Runs one refresh or replacement."""

    def __init__(
        self,
        remotes: Mapping[int, Remote],
        keys: dict[int, VerifyKey],
        former: dict[int, VerifyKey],
        network: str,
    ) -> None:
        self._remotes = remotes
        self._keys = keys
        self._former_keys = former
        self._network = network

    async def run(self, replaced: int, step: Step) -> KeyStatement:
        """Bring all three to the next epoch; return what they certified.

        `step` is told each step once it is done.
        Errors: Unavailable, DealFailed, LinkLost: all stay on the old epoch, or `settle` brings all to the new one.
        """
        await self.settle()
        shown = await self._show_keys()
        epoch, job = 1 + max(key.epoch for key in shown.values()), os.urandom(JOB_BYTES)
        if epoch == 1:
            raise Unavailable("The locations hold no key yet.", code="no_key")
        begun = await self._all(ReshareBegin(job, epoch, replaced), Committed)
        await step("committed")
        commitments = _three([each.commitment for each in begun])
        echoed = await self._all(ReshareEcho(job, commitments, _three([each.signature for each in begun])), Signed)
        await step("echoed")
        opened = await self._all(ReshareOpen(job, _three([each.signature for each in echoed])), Opened)
        await step("opened")
        await self._all(ReshareDeal(job, _three([each.opening for each in opened])), Done)
        await step("dealt")
        signed = await self._by_party(ReshareStage(job), KeySigned)
        await step("staged")
        statement, signatures = self._agreed(
            {
                party: (KeyStatement(self._network, epoch, job, each.public, each.points), each.signature)
                for party, each in signed.items()
            }
        )
        await self._activate(statement, signatures)
        await step("in force")
        return statement

    async def settle(self) -> None:
        """Bring what was left half done to its end: all on the new epoch if it can be certified, else on the old.

        Errors: Unavailable while a location that matters is away; BadCertificate naming who showed what is not so.
        """
        shown = await self._show_keys()
        newest = max(shown.values(), key=lambda key: key.epoch)
        behind = [party for party, key in shown.items() if key.job != newest.job]
        if newest.job and behind:
            await self._bring_up(newest, behind)
        staged = {
            party: self._checked(party, answer)
            for party, answer in (await self._by_party(ShowStaged(), StagedKeys)).items()
        }
        in_force = {key.job for key in shown.values()}
        for job in {job for keys in staged.values() for job in keys} - in_force:
            holders = {party: keys[job] for party, keys in staged.items() if job in keys}
            if len(holders) == 3:
                await self._activate(*self._agreed(holders))
            else:
                await self._drop(job, set(holders))

    def certified(self, party: int, shown: KeyCertificate) -> KeyStatement:
        """Return the key that a location shows, if all three signed it.

        Until the epoch after a replacement, the lost location's signature still counts.
        Errors: BadCertificate, naming the location that shows it.
        """
        try:
            key = KeyStatement(self._network, shown.epoch, shown.job, shown.public, _three(list(shown.points)))
            check_certificate(self._keys, key.digest(), shown.signatures, self._former_keys)
        except (ValueError, BadCertificate) as error:
            raise BadCertificate(f"Location {party} shows a key that not all three signed.", party=party) from error
        return key

    def _checked(self, party: int, answer: StagedKeys) -> dict[bytes, Made]:
        """Return what a location keeps and signs for: at most one share at a time.

        Errors: BadCertificate, naming it.
        """
        made = {
            key.job: (KeyStatement(self._network, key.epoch, key.job, key.public, key.points), key.signature)
            for key in answer.keys
        }
        good = all(is_signed(self._keys[party], key.digest(), signature) for key, signature in made.values())
        if not good or len(answer.keys) > 1:
            raise BadCertificate(f"Location {party} shows a staged share that it cannot have.", party=party)
        return made

    def _agreed(self, made: Mapping[int, Made]) -> tuple[KeyStatement, Three]:
        """Return what the three made and its certificate.

        Errors: BadCertificate, naming whoever did not sign its own word, or said another than the other two.
        """
        for party, (key, signature) in made.items():
            if not is_signed(self._keys[party], key.digest(), signature):
                raise BadCertificate(f"Location {party} did not sign the key that it shows.", party=party)
        (most, count), *_ = Counter(key for key, _ in made.values()).most_common()
        if count == 1:
            raise BadCertificate("The three locations made three different keys of one job.")
        for party, (key, _) in made.items():
            if key != most:
                raise BadCertificate(f"Location {party} made another key of the job than the other two.", party=party)
        return most, _three([made[party][1] for party in sorted(made)])

    async def _bring_up(self, newest: KeyCertificate, behind: list[int]) -> None:
        """Forward a certificate to those who staged and missed it; a fresh location without a share just waits."""
        certificate = ActivateKey(newest.job, _three(list(newest.signatures)))
        for party in behind:
            try:
                await self._remotes[party].call(certificate, CALL_TIMEOUT_S)
            except SdtError as error:
                if error.code != "unknown_job":
                    raise
                _log.info("Location %d holds no share of epoch %d.", party, newest.epoch)

    async def _drop(self, job: bytes, holders: set[int]) -> None:
        """Have a location that kept nothing promise to stay out of it, and show that to those who wait."""
        party = next(party for party in self._remotes if party not in holders)
        answer = _demand(await self._remotes[party].call(Abandon(job), CALL_TIMEOUT_S), Signed)
        for holder in sorted(holders):
            await self._remotes[holder].call(Drop(job, party, answer.signature), CALL_TIMEOUT_S)
        _log.warning("A refresh that not all locations finished was dropped; all stay on their epoch.")

    async def _activate(self, statement: KeyStatement, signatures: Three) -> None:
        """Hand the certificate round.

        Errors: BadCertificate; Unavailable when a location did not take it: it asks the others for it itself.
        """
        check_certificate(self._keys, statement.digest(), signatures)
        certificate, missing = ActivateKey(statement.job, signatures), set(self._remotes)
        for attempt in range(ATTEMPTS):
            for party in sorted(missing):
                try:
                    await self._remotes[party].call(certificate, CALL_TIMEOUT_S)
                    missing.discard(party)
                except SdtError as error:
                    _log.warning("Location %d did not take the certificate: %s", party, error.detail)
            if not missing:
                return
            await asyncio.sleep(0.2 * (attempt + 1))
        raise Unavailable(
            f"Epoch {statement.epoch} is certified; location {sorted(missing)} has still to take it.",
            code="certificate_undelivered",
        )

    async def _show_keys(self) -> dict[int, KeyCertificate]:
        """Return the key that each location has in force, as all three signed it. Errors: BadCertificate."""
        shown = await self._by_party(ShowKey(), KeyCertificate)
        for party, key in shown.items():
            if key.job:
                self.certified(party, key)
        return {party: key if key.job else KeyCertificate(b"") for party, key in shown.items()}

    async def _by_party(self, operation: Operation, kind: type[T]) -> dict[int, T]:
        return dict(zip(sorted(self._remotes), await self._all(operation, kind), strict=True))

    async def _all(self, operation: Operation, kind: type[T]) -> list[T]:
        """Ask all three; wait for every answer, so that no step overlaps the next. Errors: the first location's."""
        answers = await asyncio.gather(
            *(remote.call(operation, CALL_TIMEOUT_S) for _, remote in sorted(self._remotes.items())),
            return_exceptions=True,
        )
        return [_demand(answer, kind) for answer in answers]


def _demand(answer: Answer | BaseException, kind: type[T]) -> T:
    if isinstance(answer, BaseException):
        raise answer
    if not isinstance(answer, kind):
        raise Conflict("A location answered something else than it was asked.", code="bad_answer")
    return answer


def _three(parts: list[bytes]) -> Three:
    one, two, three = parts
    return one, two, three
