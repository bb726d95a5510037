"""Joint jobs as the coordinator runs them: start all three, gather three signatures, hand the certificate round.

A job that fails anywhere is thrown away everywhere. A certificate that did not reach everybody is handed round again;
any location that has it can be asked for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Final

from nacl.signing import VerifyKey

from sdt.domain.errors import Conflict, SdtError, Unavailable
from sdt.signing.keyring import FIRST_EPOCH
from sdt.signing.locations import Remote
from sdt.signing.reshare_rounds import Reshare, Step
from sdt.signing.transcript import KeyStatement, check_certificate
from sdt.signing.wire import (
    ActivateKey,
    Answer,
    Done,
    KeyCertificate,
    KeySigned,
    Operation,
    Pair,
    Promote,
    ShowKey,
    StartKey,
    StartStock,
    StockSigned,
)
from sdt.signing.wire_lifecycle import Signed, Witness

JOB_BYTES: Final = 16
JOB_DEADLINE_S: Final = 30.0
CALL_TIMEOUT_S: Final = 5.0
HAND_ROUND_ATTEMPTS: Final = 3
GATHER_S: Final = 5.0
"""How long a ceremony waits for all three to answer: they may be starting."""

_log = logging.getLogger("sdt.signing.coordinator")


class Ceremonies:
    """Runs one joint job at a time."""

    def __init__(
        self, remotes: dict[int, Remote], keys: dict[int, VerifyKey], former: dict[int, VerifyKey], network: str
    ) -> None:
        self._remotes = remotes
        self._keys = keys
        self._network = network
        self._one = asyncio.Lock()
        self._resharing = Reshare(remotes, keys, former, network)

    async def generate_key(self) -> None:
        """Make the chain key; where one exists, see that all three have it in force.

        Errors: Unavailable.
        """
        async with self._one:
            await self._gather()
            shown = await self._all(ShowKey(), CALL_TIMEOUT_S)
            held = [each for each in shown if isinstance(each, KeyCertificate) and each.job]
            if not held:
                await self._make_key()
            else:
                await self._resharing.settle()

    async def _make_key(self) -> None:
        job = os.urandom(JOB_BYTES)
        answers = await self._all(StartKey(job, JOB_DEADLINE_S), JOB_DEADLINE_S + 15)
        one, two, three = (answer for answer in answers if isinstance(answer, KeySigned))
        statement = KeyStatement(self._network, FIRST_EPOCH, job, one.public, one.points).digest()
        signatures = (one.signature, two.signature, three.signature)
        check_certificate(self._keys, statement, signatures)
        await self._hand_round(ActivateKey(job, signatures))

    async def reshare(self, replaced: int, step: Step) -> KeyStatement:
        """Give every location a share of the next epoch; the shares and presignatures of this one are erased.

        `replaced` is a fresh location that takes the place of a lost one, or 0. What was left half done
        before is brought to an end first.
        Errors: Unavailable; DealFailed, naming who dealt badly. Run it again.
        """
        async with self._one:
            await self._gather()
            return await self._resharing.run(replaced, step)

    async def witness(self, statement: bytes) -> dict[int, bytes]:
        """Have every location sign the statement of a ceremony, if it knows it to be so.

        Errors: the first location's.
        """
        signatures = {}
        for party, remote in sorted(self._remotes.items()):
            answer = await remote.call(Witness(statement), CALL_TIMEOUT_S)
            assert isinstance(answer, Signed)
            signatures[party] = answer.signature
        return signatures

    async def certified_key(self) -> bytes | None:
        """Return the public key that all three signed, from whichever location shows it; None before there is one."""
        key = await self._certified()
        return key.public if key else None

    async def key_in_force(self) -> KeyStatement:
        """Return what the three certified. Errors: Unavailable before key generation."""
        key = await self._certified()
        if key is None:
            raise Unavailable("The locations hold no key yet.", code="no_key")
        return key

    async def _certified(self) -> KeyStatement | None:
        for remote in self._remotes.values():
            try:
                shown = await remote.call(ShowKey(), CALL_TIMEOUT_S)
                if isinstance(shown, KeyCertificate) and shown.job:
                    return self._resharing.certified(remote.party, shown)
            except SdtError as error:
                _log.info("Location %d shows no certified key: %s", remote.party, error)
        return None

    async def _gather(self) -> None:
        """Wait a moment for locations that do not answer yet; the calls then say which one is away."""
        deadline = asyncio.get_running_loop().time() + GATHER_S
        while not all(remote.answers for remote in self._remotes.values()):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.1)

    async def presign(self, pair: Pair, count: int) -> tuple[bytes, float]:
        """Make one certified batch for a pair; return its number and the seconds that the joint computation took.

        Errors: Unavailable; Conflict when the three did not sign the same.
        """
        async with self._one:
            await self._gather()
            job = os.urandom(JOB_BYTES)
            operation = StartStock(job, pair, count, JOB_DEADLINE_S)
            answers = await self._all(operation, JOB_DEADLINE_S + 15)
            one, two, three = (answer for answer in answers if isinstance(answer, StockSigned))
            if not one.statement == two.statement == three.statement:
                raise Conflict("The locations do not agree on what they made; it is burnt.", code="stock_disputed")
            signatures = (one.signature, two.signature, three.signature)
            check_certificate(self._keys, one.statement, signatures)
            taken = await self._hand_round(Promote(job, signatures))
            if not taken >= set(pair):
                raise Unavailable("A member of the pair did not take the certificate.", code="certificate_undelivered")
            return job, max(one.working_s, two.working_s, three.working_s)

    async def _all(self, operation: Operation, timeout_s: float) -> list[Answer]:
        """Call all three and return their answers in order; give up at the first that fails.

        What the others began then ends by its own deadline.
        Errors: the first location's error.
        """
        calls = [asyncio.create_task(remote.call(operation, timeout_s)) for _, remote in sorted(self._remotes.items())]
        try:
            return list(await asyncio.gather(*calls))
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    async def _hand_round(self, operation: ActivateKey | Promote) -> set[int]:
        """Give a certificate to all three, with a few tries each; return who took it.

        Errors: Unavailable when nobody did.
        """

        async def give(remote: Remote) -> bool:
            for attempt in range(HAND_ROUND_ATTEMPTS):
                try:
                    return isinstance(await remote.call(operation, CALL_TIMEOUT_S), Done)
                except SdtError as error:
                    _log.warning("Location %d did not take a certificate: %s", remote.party, error.detail)
                    await asyncio.sleep(0.1 * (attempt + 1))
            return False

        answers = await asyncio.gather(*(give(remote) for remote in self._remotes.values()))
        taken = {party for party, took in zip(self._remotes, answers, strict=True) if took}
        if not taken:
            raise Unavailable("No location took the certificate.", code="certificate_undelivered")
        return taken
