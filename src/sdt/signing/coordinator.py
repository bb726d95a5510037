"""What the worker uses to have a batch signed by two of the three locations.

Trusted for nothing but liveness: whatever it does wrong, the signers refuse, and all it can cost is delay and a bounded
number of presignatures. It picks the pair, runs the two rounds, checks every part, names whoever cheats, and keeps the
stock filled.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nacl.signing import VerifyKey

from sdt.domain.errors import SdtError, Unavailable
from sdt.signing.alarms import Alarm, Watch, alarms
from sdt.signing.ceremonies import Ceremonies
from sdt.signing.config import former_keys
from sdt.signing.ecdsa import Signature
from sdt.signing.keyring import address_of
from sdt.signing.link import LinkLost
from sdt.signing.locations import Remote, load_coordinator_config
from sdt.signing.pki import ends_s
from sdt.signing.pool import Pool
from sdt.signing.refusal_codes import counted_as
from sdt.signing.reshare_rounds import Step
from sdt.signing.rounds import CODE, Attempt, Rounds
from sdt.signing.transcript import KeyStatement
from sdt.signing.wire import PAIRS, PRESIGN_COUNT_MAX, BatchProposal, MessageRefusal, Pair, StatusAnswer
from sdt.signing.wire_attestation import Attest, Attested
from sdt.signing.work import ABOUT_THE_PRESIGNATURE, Work

ATTEMPTS_MAX: Final = 6
STOCK_PERIOD_S: Final = 1.0
WATCH_PERIOD_S: Final = 1.0
STOCK_LOW: Final = 20
HELD_WAIT_S: Final = 5.0
HELD_POLL_S: Final = 0.1
BEHIND_WAIT_S: Final = 20.0
BEHIND_POLL_S: Final = 0.5
ATTEST_TIMEOUT_S: Final = 5.0

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
        self._rounds: Rounds
        self._public = b""
        self._last_pair: Pair | None = None
        self._top_up: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._refused: Counter[str] = Counter()

    async def start(self) -> None:
        """Connect to whoever answers, and begin to keep the stock filled if there is a policy."""
        self._remotes = {each.party: Remote(each, self._config.tls) for each in self._config.locations}
        await asyncio.gather(*(remote.start() for remote in self._remotes.values()))
        self._pool = Pool(self._remotes)
        self._ceremonies = Ceremonies(self._remotes, self._keys, former_keys(self._config.locations), self._network)
        self._rounds = Rounds(self._remotes, self._keys, self._network, self.public_key)
        await self._learn_key()
        if self._policy is not None:
            self._top_up = asyncio.create_task(self._keep_stock(self._policy))
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop, leaving the signers as they are."""
        for task in (self._top_up, self._watching):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
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

    def usable(self) -> tuple[int, ...]:
        """Return the locations that can be asked to sign: they answer, hold nothing back and were not caught."""
        return tuple(party for party, remote in self._remotes.items() if remote.usable)

    def culprits(self) -> dict[int, str]:
        """Return who was caught, and at what."""
        return {party: remote.caught for party, remote in self._remotes.items() if remote.caught}

    def alarms(self) -> list[Alarm]:
        """Return everything about the locations that an operator must know now."""
        return alarms(self._remotes, self._pool.level, self._policy.low if self._policy else STOCK_LOW)

    def refused(self) -> dict[str, int]:
        """Return how often which refusal came, of messages and of whole batches, by code, since the start.

        Shape: keys of REFUSAL_CODES, of those that came.
        """
        return dict(self._refused)

    async def attestations(self, nonce: bytes) -> dict[int, bytes | None]:
        """Return each location's attestation document for a nonce; None from one that has none, or does not answer.

        They are shown to clients, who check them: nothing here depends on what they say.
        """

        async def ask(remote: Remote) -> bytes | None:
            try:
                answer = await remote.call(Attest(nonce), ATTEST_TIMEOUT_S)
            except SdtError as error:
                _log.info("Location %d shows no attestation: %s", remote.party, error.detail)
                return None
            assert isinstance(answer, Attested)
            return answer.document or None

        documents = await asyncio.gather(*(ask(remote) for remote in self._remotes.values()))
        return dict(zip(self._remotes, documents, strict=True))

    def public_key(self) -> bytes:
        """Return the chain key that all three locations certified, 64 bytes.

        Errors: Unavailable before key generation.
        """
        if not self._public:
            raise Unavailable("The locations hold no key yet.", code="no_key")
        return self._public

    def address(self) -> str:
        """Return the chain key's address, lower-case 0x hex.

        Errors: Unavailable before key generation.
        """
        return "0x" + address_of(self.public_key()).hex()

    def certificates_ending(self, within_s: float) -> list[str]:
        """Return whose certificate ends within so many seconds, this process's own among them."""
        soon_s = time.time() + within_s
        ends = {f"location {party}": status.certificate_ends_s for party, status in self.status().items() if status}
        ends["coordinator"] = ends_s(self._config.tls)
        return [holder for holder, end_s in ends.items() if end_s < soon_s]

    async def _learn_key(self) -> None:
        if not self._public:
            self._public = await self._ceremonies.certified_key() or b""

    def stock(self) -> dict[Pair, int]:
        """Return how many presignatures each pair still has: the lower of its two members' counts."""
        return {pair: self._pool.level(pair) for pair in PAIRS}

    def usable_stock(self) -> dict[Pair, int]:
        """Return how many more batches can be signed now, by pair; none for a pair with a member that cannot sign."""
        return {pair: self._pool.level(pair) for pair in self._able(set())}

    # Ceremonies

    async def keygen(self) -> str:
        """Make the chain key, unless the locations hold one; return its address.

        Errors: Unavailable (nothing is kept; it may be run again); LinkLost when a location is away.
        """
        await self._ceremonies.generate_key()
        await asyncio.gather(self._learn_key(), *(remote.pulse() for remote in self._remotes.values()))
        return self.address()

    async def presign(self, pair: Pair, count: int) -> float:
        """Make `count` presignatures for one pair; return how long the joint computation took, in seconds.

        Errors: Unavailable; the batch is thrown away and another may be run.
        """
        job, working_s = await self._ceremonies.presign(pair, count)
        if self._pool.is_listed(pair):
            self._pool.add(pair, job, count)
        else:
            await self._pool.refresh(pair)
        return working_s

    async def reshare(self, replaced: int, step: Step) -> KeyStatement:
        """Refresh every share (`replaced` 0), or make one for a fresh location; see `Ceremonies.reshare`."""
        outcome = await self._ceremonies.reshare(replaced, step)
        await asyncio.gather(*(remote.pulse() for remote in self._remotes.values()))
        return outcome

    async def witness(self, statement: bytes) -> dict[int, bytes]:
        """Have every location sign the statement of a ceremony. Errors: a location's refusal."""
        return await self._ceremonies.witness(statement)

    def intent_keys(self) -> dict[int, VerifyKey]:
        """Return the keys with which the locations sign."""
        return self._keys

    async def key_in_force(self) -> KeyStatement:
        """Return what the three certified: epoch, job, key and points. Errors: Unavailable before key generation."""
        return await self._ceremonies.key_in_force()

    async def _keep_stock(self, policy: StockPolicy) -> None:
        """Fill the emptiest pair once it runs low, while all three answer; after too many failures, rest."""
        failures = 0
        while True:
            await asyncio.sleep(STOCK_PERIOD_S if failures < policy.retries_max else policy.rest_s)
            remotes = self._remotes.values()
            if not all(remote.answers and remote.status and remote.status.epoch for remote in remotes):
                continue
            for pair in PAIRS:
                await self._pool.notice(pair)
            pair = min(PAIRS, key=self._pool.level)
            if self._pool.level(pair) >= policy.low:
                continue
            try:
                # What is spent meanwhile is left to the next filling: a job for each one spent would never end.
                missing = policy.target - self._pool.level(pair)
                while missing > 0:
                    count = min(policy.per_job, PRESIGN_COUNT_MAX, missing)
                    await self.presign(pair, count)
                    missing -= count
                failures = 0
            except SdtError as error:
                failures += 1
                _log.warning("Presigning for pair %s failed (%d in a row): %s", pair, failures, error.detail)

    async def _watch(self) -> None:
        watch = Watch()
        while True:
            await asyncio.sleep(WATCH_PERIOD_S)
            watch.look(self.alarms())

    # Signing

    async def sign(self, batch: BatchProposal, tx_hash: bytes, chain_id: int = 0) -> Outcome:
        """Have a batch signed by the best pair, going on to another when one fails.

        `tx_hash` is what the caller rebuilt itself, for `chain_id`: a signature is over that or there is none. A
        message counts as refused when two locations refuse it, or when nobody is left to ask; one location alone holds
        nothing up.
        Errors: NoPair; what both locations of a pair refuse the batch as a whole for.
        """
        await self._learn_key()
        work = Work()
        for _ in range(ATTEMPTS_MAX):
            pair = await self._choose(work.avoid)
            if pair is None:
                break
            attempt = Attempt(pair, *self._pool.take(pair), batch, tx_hash, chain_id=chain_id)
            if outcome := await self._try(attempt, work):
                return outcome
        deadline_s = time.monotonic() + BEHIND_WAIT_S
        while refused := work.refused_by(1):
            behind = next((each for party, each in work.behind.items() if self._remotes[party].answers), None)
            if behind is None:
                return Outcome(None, refused, tuple(work.culprits))
            # Somebody else is there to be asked, once it can say: no payment ends by one location's word. The same
            # presignature is asked for again, so that waiting uses up none.
            pair = behind.pair
            if time.monotonic() > deadline_s or (behind.untouched and not self._pool.has(pair)):
                raise next(iter(behind.errors.values()))
            await asyncio.sleep(BEHIND_POLL_S)
            used = self._pool.take(pair) if behind.untouched else (behind.job, behind.index)
            if outcome := await self._try(Attempt(pair, *used, batch, tx_hash, chain_id=chain_id), work):
                return outcome
        if work.last is not None and not isinstance(work.last, LinkLost):
            raise work.last
        raise NoPair("No two locations can sign now.") from work.last

    async def _try(self, attempt: Attempt, work: Work) -> Outcome | None:
        """Run one attempt; return what it settles, or learn from it. Errors: what a whole pair refuses a batch for."""
        await self._rounds.run(attempt)
        if attempt.untouched:
            self._pool.give_back(attempt.pair, (attempt.job, attempt.index))
        work.culprits += attempt.caught
        if attempt.signature is not None:
            work.note_lone_refusers()
            self._last_pair = attempt.pair
            return Outcome(attempt.signature, (), tuple(work.culprits), attempt.pair)
        self._note_refusals(attempt)
        work.learn(attempt)
        if any(error.code in ABOUT_THE_PRESIGNATURE for error in attempt.errors.values()):
            await self._pool.refresh(attempt.pair)
        agreed = work.refused_by(2)
        return Outcome(None, agreed, tuple(work.culprits), attempt.pair) if agreed else None

    def _note_refusals(self, attempt: Attempt) -> None:
        number = attempt.batch.number
        for party, refusals in attempt.refusals.items():
            codes = Counter(_plain(refusal.code) for refusal in refusals)
            self._refused.update(counted_as(refusal.code) for refusal in refusals)
            _log.warning("Location %d refuses messages of batch %d: %s", party, number, dict(codes))
        for party, error in attempt.errors.items():
            if not isinstance(error, LinkLost):
                self._refused[counted_as(error.code)] += 1
                _log.warning("Location %d refuses batch %d: %s (%s)", party, number, error.detail, _plain(error.code))

    async def _choose(self, avoid: set[int]) -> Pair | None:
        """Return the pair that signed last while it can, else the one with the most left.

        A location that did not sign the batches before has to fetch them from a peer and wait for them to be final.
        """
        able = self._able(avoid)
        deadline_s = time.monotonic() + HELD_WAIT_S
        while not able:
            others = [remote for party, remote in self._remotes.items() if party not in avoid and not remote.usable]
            await asyncio.gather(*(remote.pulse() for remote in others))
            able = self._able(avoid)
            if not any(remote.held for remote in others) or time.monotonic() > deadline_s:
                break
            await asyncio.sleep(HELD_POLL_S)  # a location that has just started finds out whether it may sign
        if not any(self._pool.has(pair) for pair in able):
            await asyncio.gather(*(self._pool.refresh(pair) for pair in able))
        able = [pair for pair in able if self._pool.has(pair)]
        if self._last_pair in able:
            return self._last_pair
        return max(able, key=self._pool.level, default=None)

    def _able(self, avoid: set[int]) -> list[Pair]:
        return [pair for pair in PAIRS if all(self._remotes[party].usable and party not in avoid for party in pair)]


def _plain(code: str) -> str:
    """Return a location's code as a name that may stand in a log, whatever the location sent."""
    return code if CODE.fullmatch(code) else "malformed"
