"""One attempt at a signature: two rounds with two locations, every part checked, whoever cheats named."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nacl.signing import VerifyKey

from sdt.domain.errors import Forbidden, SdtError, Unavailable
from sdt.signing.ecdsa import Signature, combine, partial_is_good
from sdt.signing.link import BadAnswer, LinkLost
from sdt.signing.locations import Remote, both, other
from sdt.signing.transcript import Intent, PublicPresignature, StockStatement, check_certificate, is_signed
from sdt.signing.wire import (
    Answer,
    BatchProposal,
    Certificate,
    MessageRefusal,
    MessagesRefused,
    Pair,
    Propose,
    Proposed,
    Release,
    Released,
    Row,
    ShowCertificate,
)

CODE: Final = re.compile("[a-z0-9_]{1,40}")
"""How a location's code looks."""
DETAIL_CHARS_MAX: Final = 1_000
FACTS_MAX: Final = 8

PROPOSE_TIMEOUT_S: Final = 15.0
RELEASE_TIMEOUT_S: Final = 5.0

_log = logging.getLogger("sdt.signing.coordinator")


@dataclass
class Attempt:
    """One presignature's use for one batch, and what came of it.

    Either `signature`; or, by party, the messages it refused, what it was caught at, or the error it gave.
    `untouched` when no location can have bound the presignature.
    """

    pair: Pair
    job: bytes
    index: int
    batch: BatchProposal
    tx_hash: bytes
    signature: Signature | None = None
    refusals: dict[int, tuple[MessageRefusal, ...]] = field(default_factory=dict)
    caught: dict[int, str] = field(default_factory=dict)
    errors: dict[int, SdtError] = field(default_factory=dict)
    untouched: bool = False
    chain_id: int = 0
    """What the transaction was made for; 0 when the caller does not say."""

    @property
    def failed(self) -> bool:
        """Whether to stop here."""
        return bool(self.refusals or self.caught or self.errors)


def _most_named(values: Sequence[int]) -> int | None:
    """Return the value that more name than any other, None when two are named as often."""
    counted = Counter(values).most_common(2)
    return None if len(counted) == 2 and counted[0][1] == counted[1][1] else counted[0][0]


def _refuses_some(answer: MessagesRefused, proposed: int) -> bool:
    """Tell whether an answer refuses messages that were proposed, each in words that may be kept and shown."""
    return bool(answer.refusals) and all(
        each.position < proposed
        and CODE.fullmatch(each.code)
        and len(each.detail) <= DETAIL_CHARS_MAX
        and len(each.facts) <= FACTS_MAX
        and all(len(name) + len(value) <= DETAIL_CHARS_MAX for name, value in each.facts.items())
        for each in answer.refusals
    )


class Rounds:
    """Runs attempts; knows nothing of which pair or presignature is best."""

    def __init__(
        self,
        remotes: Mapping[int, Remote],
        keys: dict[int, VerifyKey],
        network: str,
        public_key: Callable[[], bytes],
    ) -> None:
        self._remotes = remotes
        self._keys = keys
        self._network = network
        self._public_key = public_key

    async def run(self, attempt: Attempt) -> None:
        """Run both rounds, filling in what came of them."""
        promises = await self._propose(attempt)
        if attempt.failed:
            return
        row = await self._agreed_row(attempt, promises)
        if row is None:
            return
        parts = await self._release(attempt, promises)
        if any(error.code == "bad_intent" for error in attempt.errors.values()):
            self._judge_promises(attempt, promises, row)
        elif not attempt.failed:
            self._combine(attempt, row, parts)

    async def _propose(self, attempt: Attempt) -> dict[int, Proposed]:
        """Round one: both verify, rebuild and bind; or say what they refuse."""
        operation = Propose(attempt.batch, attempt.job, attempt.index)
        answers = await self._ask(attempt.pair, dict.fromkeys(attempt.pair, operation), PROPOSE_TIMEOUT_S)
        promises: dict[int, Proposed] = {}
        for party, answer in answers.items():
            if isinstance(answer, MessagesRefused) and not _refuses_some(answer, len(attempt.batch.entries)):
                self._catch(attempt, party, "refuses what it was not asked, or in no words of ours")
            elif isinstance(answer, MessagesRefused):
                attempt.refusals[party] = answer.refusals
            elif isinstance(answer, BadAnswer):
                self._catch(attempt, party, "answered something else than it was asked")
            elif isinstance(answer, SdtError):
                attempt.errors[party] = answer
            elif isinstance(answer, Proposed):
                promises[party] = answer
        attempt.untouched = not promises and not any(isinstance(each, LinkLost) for each in attempt.errors.values())
        wrong = [party for party, promise in promises.items() if promise.tx_hash != attempt.tx_hash]
        if len(wrong) == 2:
            mismatch = Unavailable("Both locations rebuilt another transaction than ours.", code="hash_mismatch")
            attempt.errors = dict.fromkeys(wrong, mismatch)
        elif wrong and len(promises) == 2:
            self._catch(attempt, wrong[0], "rebuilt another transaction than the rest of us")
        elif wrong:
            # Its word against ours alone: perhaps it is the caller whose region file is another.
            attempt.errors[wrong[0]] = Unavailable("It rebuilt another transaction than ours.", code="hash_mismatch")
        return promises

    async def _agreed_row(self, attempt: Attempt, promises: dict[int, Proposed]) -> Row | None:
        """Return the presignature's public part; when the two differ, the certificate says who lies."""
        low, high = attempt.pair
        if promises[low].row == promises[high].row:
            return promises[low].row
        for party, promise in promises.items():
            if not await self._is_certified(attempt, party, promise.row):
                self._catch(attempt, party, "showed a presignature that its certificate does not name")
        assert attempt.failed, "two different rows under one certificate"
        return None

    async def _is_certified(self, attempt: Attempt, party: int, row: Row) -> bool:
        try:
            shown = await self._remotes[party].call(ShowCertificate(attempt.job), RELEASE_TIMEOUT_S)
            assert isinstance(shown, Certificate)
            if shown.pair != attempt.pair:
                return False
            statement = StockStatement(
                self._network, shown.epoch, attempt.job, shown.public, shown.shares, shown.pair, shown.rows
            )
            check_certificate(self._keys, statement.digest(), shown.signatures)
        except (Forbidden, ValueError, OverflowError):
            return False
        except SdtError as error:
            attempt.errors[party] = error
            return True
        digest = PublicPresignature(row.index, row.point, row.opened, row.a, row.b).digest()
        at = 32 * attempt.index
        return row.index == attempt.index and shown.rows[at : at + 32] == digest

    def _judge_promises(self, attempt: Attempt, promises: dict[int, Proposed], row: Row) -> None:
        """A partner says that a promise is bad: find out whose, so that it is laid at the right door."""
        chain_id, epoch = self._terms(attempt, promises)
        if chain_id is None or epoch is None:
            # One of the two lies about the terms, and nobody else can say who.
            differ = Unavailable("The two name different chains or epochs.", code="terms_differ")
            attempt.errors = dict.fromkeys(attempt.pair, differ)
            return
        for party, promise in promises.items():
            intent = Intent(
                self._network,
                chain_id,
                self._public_key(),
                epoch,
                attempt.batch.number,
                attempt.job,
                attempt.index,
                row.point,
                attempt.pair,
                attempt.tx_hash,
                attempt.batch.nonce,
            )
            if not is_signed(self._keys[party], intent.digest(), promise.intent):
                self._catch(attempt, party, "promised another transaction than the one proposed")
                attempt.errors.pop(other(attempt.pair, party), None)

    def _terms(self, attempt: Attempt, promises: dict[int, Proposed]) -> tuple[int | None, int | None]:
        """Return the chain id that the batch was made for, and the epoch; None for what only a vote could say, and
        does not: a liar whose own words fit his signature must not win a tie.
        """
        statuses = [remote.status for remote in self._remotes.values() if remote.status]
        chain_id = attempt.chain_id or _most_named(
            [promise.chain_id for promise in promises.values()] + [s.chain_id for s in statuses if s.chain_id]
        )
        epoch = _most_named([promise.epoch for promise in promises.values()] + [s.epoch for s in statuses if s.epoch])
        return chain_id, epoch

    async def _release(self, attempt: Attempt, promises: dict[int, Proposed]) -> dict[int, bytes]:
        """Round two: each gives its part on the partner's promise."""
        operations = {
            party: Release(attempt.job, attempt.index, attempt.tx_hash, promises[other(attempt.pair, party)].intent)
            for party in attempt.pair
        }
        parts: dict[int, bytes] = {}
        for party, answer in (await self._ask(attempt.pair, operations, RELEASE_TIMEOUT_S)).items():
            if isinstance(answer, Released):
                parts[party] = answer.part
            elif isinstance(answer, BadAnswer):
                self._catch(attempt, party, "answered something else than it was asked")
            elif isinstance(answer, SdtError):
                attempt.errors[party] = answer
        return parts

    async def _ask(
        self, pair: Pair, operations: Mapping[int, Propose | Release], timeout_s: float
    ) -> dict[int, Answer | SdtError]:
        low, high = pair
        answers = await both(
            self._remotes[low].call(operations[low], timeout_s), self._remotes[high].call(operations[high], timeout_s)
        )
        return dict(zip(pair, answers, strict=True))

    def _combine(self, attempt: Attempt, row: Row, parts: dict[int, bytes]) -> None:
        """Put the parts together and verify; when that fails, each part by itself says who sent a bad one."""
        numbers = {party: int.from_bytes(part, "big") for party, part in parts.items()}
        attempt.signature = combine(attempt.tx_hash, row.point, self._public_key(), numbers)
        if attempt.signature is not None:
            return
        for party, number in numbers.items():
            if not partial_is_good(attempt.tx_hash, row.point, row.a[party - 1], row.b[party - 1], number):
                self._catch(attempt, party, "gave a part that does not fit its presignature")
        if not attempt.caught:
            bad = Unavailable("Two good parts gave no signature.", code="not_combined")
            attempt.errors = dict.fromkeys(attempt.pair, bad)

    def _catch(self, attempt: Attempt, party: int, at: str) -> None:
        """Name a location that cheated; it is asked no more."""
        _log.error("Location %d %s.", party, at)
        self._remotes[party].caught = at
        attempt.caught[party] = at
