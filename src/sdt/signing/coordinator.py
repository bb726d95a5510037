"""What the worker uses to have a batch signed by two of the three locations.

Trusted for nothing but liveness: whatever it does wrong, the signers refuse, and all it can cost is delay and a bounded
number of presignatures. It picks the pair, runs the two rounds, checks every part, names whoever cheats, and keeps the
stock filled.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sdt.domain.errors import Forbidden, SdtError, Unavailable
from sdt.signing.ceremonies import Ceremonies
from sdt.signing.ecdsa import Signature, combine, partial_is_good
from sdt.signing.link import LinkLost
from sdt.signing.locations import Remote, both, load_coordinator_config, other
from sdt.signing.pool import Pool
from sdt.signing.transcript import PublicPresignature, StockStatement, check_certificate
from sdt.signing.wire import (
    PAIRS,
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
    StatusAnswer,
)

PROPOSE_TIMEOUT_S: Final = 15.0
RELEASE_TIMEOUT_S: Final = 5.0
ATTEMPTS_MAX: Final = 6
STOCK_PERIOD_S: Final = 1.0

_log = logging.getLogger("sdt.signing.coordinator")


class NoPair(Unavailable):
    """No two locations can sign now: too few answer, or their stock is spent."""

    code = "no_signing_pair"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a batch.

    Either `signature`, verified under the chain key; or `refusals`, by position: propose the rest again.
    `culprits` are locations that were caught on the way.
    """

    signature: Signature | None
    refusals: tuple[MessageRefusal, ...] = ()
    culprits: tuple[int, ...] = ()
    pair: Pair | None = None


@dataclass
class StockPolicy:
    """When to presign. Units: counts a pair; retries are in a row, then one in `rest_s` seconds."""

    low: int = 200
    target: int = 1000
    per_job: int = 500
    retries_max: int = 5
    rest_s: float = 60.0


@dataclass
class _Round:
    """One attempt: a pair, a presignature, and what both said."""

    pair: Pair
    job: bytes
    index: int
    culprits: list[int] = field(default_factory=list)


class Coordinator:
    """Connects to the three signers; `async with Coordinator.open(folder, network)` or `start` and `close`."""

    def __init__(self, folder: Path, network: str, policy: StockPolicy | None = None) -> None:
        self._config = load_coordinator_config(folder)
        self._keys = self._config.intent_keys()
        self._network = network
        self._policy = policy
        self._remotes: dict[int, Remote] = {}
        self._pool: Pool
        self._ceremonies: Ceremonies
        self._top_up: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect to whoever answers, and begin to keep the stock filled if there is a policy."""
        self._remotes = {each.party: Remote(each, self._config.tls) for each in self._config.locations}
        await asyncio.gather(*(remote.start() for remote in self._remotes.values()))
        self._pool = Pool(self._remotes)
        self._ceremonies = Ceremonies(self._remotes, self._keys, self._network)
        if self._policy is not None:
            self._top_up = asyncio.create_task(self._keep_stock(self._policy))

    async def close(self) -> None:
        """Stop, leaving the signers as they are."""
        if self._top_up is not None:
            self._top_up.cancel()
            await asyncio.gather(self._top_up, return_exceptions=True)
        await asyncio.gather(*(remote.close() for remote in self._remotes.values()))

    async def __aenter__(self) -> Coordinator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # What stands

    def status(self) -> dict[int, StatusAnswer | None]:
        """Return each location's last status; None for one that does not answer."""
        return {party: remote.status if remote.answers else None for party, remote in self._remotes.items()}

    def culprits(self) -> dict[int, str]:
        """Return who was caught, and at what."""
        return {party: remote.caught for party, remote in self._remotes.items() if remote.caught}

    def public_key(self) -> bytes:
        """Return the chain key, as every location that answers agrees on it; 64 bytes.

        Errors: Unavailable before key generation, or when they disagree.
        """
        known = {each.status.public for each in self._remotes.values() if each.status and each.status.public}
        if len(known) != 1:
            raise Unavailable("The locations hold no one key yet.", code="no_key")
        return known.pop()

    def address(self) -> str:
        """Return the chain key's address, lower-case 0x hex.

        Errors: Unavailable before key generation.
        """
        public = self.public_key()
        for remote in self._remotes.values():
            if remote.status and remote.status.public == public:
                return "0x" + remote.status.address.hex()
        raise AssertionError("a key without a location")

    def stock(self) -> dict[Pair, int]:
        """Return how many presignatures each pair still has: the lower of its two members' counts."""
        return {pair: self._pool.level(pair) for pair in PAIRS}

    # Ceremonies

    async def keygen(self) -> str:
        """Make the chain key, unless the locations hold one; return its address.

        Errors: Unavailable (nothing is kept; it may be run again); LinkLost when a location is away.
        """
        await self._ceremonies.generate_key()
        await asyncio.gather(*(remote.pulse() for remote in self._remotes.values()))
        return self.address()

    async def presign(self, pair: Pair, count: int) -> float:
        """Make `count` presignatures for one pair; return how long the joint computation took, in seconds.

        Errors: Unavailable; the batch is thrown away and another may be run.
        """
        working_s = await self._ceremonies.presign(pair, count)
        await asyncio.gather(*(self._remotes[party].pulse() for party in pair))
        await self._pool.refresh(pair)
        return working_s

    async def _keep_stock(self, policy: StockPolicy) -> None:
        """Fill the emptiest pair once it runs low, while all three answer; after too many failures, rest."""
        failures = 0
        while True:
            await asyncio.sleep(STOCK_PERIOD_S if failures < policy.retries_max else policy.rest_s)
            remotes = self._remotes.values()
            if not all(remote.answers and remote.status and remote.status.epoch for remote in remotes):
                continue
            pair = min(PAIRS, key=self._pool.level)
            if self._pool.level(pair) >= policy.low:
                continue
            try:
                while self._pool.level(pair) < policy.target:
                    await self.presign(pair, min(policy.per_job, policy.target - self._pool.level(pair)))
                failures = 0
            except SdtError as error:
                failures += 1
                _log.warning("Presigning for pair %s failed (%d in a row): %s", pair, failures, error.detail)

    # Signing

    async def sign(self, batch: BatchProposal, tx_hash: bytes) -> Outcome:
        """Have a batch signed by the best pair, going on to another when one fails.

        `tx_hash` is what the caller rebuilt itself; a location that rebuilds another is caught or we are wrong.
        Errors: NoPair; whatever the signers refuse the batch as a whole for.
        """
        culprits: list[int] = []
        last: SdtError | None = None
        for _ in range(ATTEMPTS_MAX):
            pair = await self._choose(culprits)
            if pair is None:
                break
            attempt = _Round(pair, *self._pool.take(pair))
            try:
                outcome = await self._attempt(attempt, batch, tx_hash)
            except (LinkLost, _TryAnother) as error:
                last = error.because if isinstance(error, _TryAnother) else error
                culprits += attempt.culprits
                continue
            return Outcome(outcome.signature, outcome.refusals, tuple(culprits + attempt.culprits), pair)
        if last is not None and not isinstance(last, LinkLost):
            raise last
        raise NoPair("No two locations can sign now.") from last

    async def _choose(self, culprits: list[int]) -> Pair | None:
        """Return the pair that answers and has the most left, after one look at who came back."""
        able = self._able(culprits)
        if not able:
            await asyncio.gather(*(remote.pulse() for remote in self._remotes.values() if not remote.answers))
            able = self._able(culprits)
        for pair in able:
            if not self._pool.has(pair):
                await self._pool.refresh(pair)
        able = [pair for pair in able if self._pool.has(pair)]
        return max(able, key=self._pool.level, default=None)

    def _able(self, culprits: list[int]) -> list[Pair]:
        return [pair for pair in PAIRS if all(self._remotes[party].usable and party not in culprits for party in pair)]

    async def _attempt(self, attempt: _Round, batch: BatchProposal, tx_hash: bytes) -> Outcome:
        promises = await self._propose(attempt, batch)
        if isinstance(promises, tuple):
            return Outcome(None, promises)
        self._check_promises(attempt, promises, tx_hash)
        row = await self._agreed_row(attempt, promises)
        parts = await self._release(attempt, promises, tx_hash)
        return Outcome(self._combine(attempt, row, parts, tx_hash))

    async def _propose(self, attempt: _Round, batch: BatchProposal) -> dict[int, Proposed] | tuple[MessageRefusal, ...]:
        """Round one: both verify, rebuild and bind; or say which messages they refuse."""
        operation = Propose(batch, attempt.job, attempt.index)
        low, high = attempt.pair
        answers = await both(
            self._remotes[low].call(operation, PROPOSE_TIMEOUT_S),
            self._remotes[high].call(operation, PROPOSE_TIMEOUT_S),
        )
        refusals = {
            refusal.position: refusal
            for answer in answers
            if isinstance(answer, MessagesRefused)
            for refusal in answer.refusals
        }
        if refusals:
            return tuple(refusals[position] for position in sorted(refusals))
        self._raise_errors(attempt, answers)
        return {
            party: answer for party, answer in zip(attempt.pair, answers, strict=True) if isinstance(answer, Proposed)
        }

    def _raise_errors(self, attempt: _Round, answers: tuple[Answer | SdtError, ...]) -> None:
        errors = [answer for answer in answers if isinstance(answer, SdtError)]
        for error in errors:
            if isinstance(error, LinkLost):
                raise error
        if errors:
            raise _TryAnother(errors[0])

    def _check_promises(self, attempt: _Round, promises: dict[int, Proposed], tx_hash: bytes) -> None:
        wrong = [party for party, promise in promises.items() if promise.tx_hash != tx_hash]
        if len(wrong) == 2:
            raise Unavailable("Both locations rebuilt another transaction than ours.", code="hash_mismatch")
        if wrong:
            self._catch(attempt, wrong[0], "rebuilt another transaction than the rest of us")

    async def _agreed_row(self, attempt: _Round, promises: dict[int, Proposed]) -> Row:
        """Return the presignature's public part; when the two differ, the certificate says who lies."""
        low, high = attempt.pair
        if promises[low].row == promises[high].row:
            return promises[low].row
        for party, promise in promises.items():
            if not await self._is_certified(attempt, party, promise.row):
                self._catch(attempt, party, "showed a presignature that its certificate does not name")
        raise AssertionError("two different rows under one certificate")

    async def _is_certified(self, attempt: _Round, party: int, row: Row) -> bool:
        shown = await self._remotes[party].call(ShowCertificate(attempt.job), RELEASE_TIMEOUT_S)
        assert isinstance(shown, Certificate)
        statement = StockStatement(
            self._network, shown.epoch, attempt.job, shown.public, shown.shares, shown.pair, shown.rows
        )
        try:
            check_certificate(self._keys, statement.digest(), shown.signatures)
        except Forbidden:
            return False
        digest = PublicPresignature(row.index, row.point, row.opened, row.a, row.b).digest()
        at = 32 * attempt.index
        return row.index == attempt.index and shown.rows[at : at + 32] == digest

    async def _release(self, attempt: _Round, promises: dict[int, Proposed], tx_hash: bytes) -> dict[int, bytes]:
        """Round two: each gives its part on the partner's promise."""
        low, high = attempt.pair

        def operation(party: int) -> Release:
            return Release(attempt.job, attempt.index, tx_hash, promises[other(attempt.pair, party)].intent)

        answers = await both(
            self._remotes[low].call(operation(low), RELEASE_TIMEOUT_S),
            self._remotes[high].call(operation(high), RELEASE_TIMEOUT_S),
        )
        self._raise_errors(attempt, answers)
        return {
            party: answer.part
            for party, answer in zip(attempt.pair, answers, strict=True)
            if isinstance(answer, Released)
        }

    def _combine(self, attempt: _Round, row: Row, parts: dict[int, bytes], tx_hash: bytes) -> Signature:
        numbers = {party: int.from_bytes(part, "big") for party, part in parts.items()}
        for party, number in numbers.items():
            if not partial_is_good(tx_hash, row.point, row.a[party - 1], row.b[party - 1], number):
                self._catch(attempt, party, "gave a part that does not fit its presignature")
        signature = combine(tx_hash, row.point, self.public_key(), numbers)
        if signature is None:
            raise _TryAnother(Unavailable("Two good parts gave no signature.", code="not_combined"))
        return signature

    def _catch(self, attempt: _Round, party: int, at: str) -> None:
        """Name a location that cheated, ask it no more, and go on with another pair."""
        _log.error("Location %d %s.", party, at)
        self._remotes[party].caught = at
        attempt.culprits.append(party)
        raise _TryAnother(Unavailable(f"Location {party} {at}.", code="location_cheated", party=party))


class _TryAnother(Exception):
    """This attempt is over; another pair or presignature may do."""

    def __init__(self, because: SdtError) -> None:
        super().__init__(because.detail)
        self.because = because
