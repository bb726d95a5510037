"""Whether this signer may spend: not while anything outside its disk knows of steps that its database does not.

Two anchors: the counter, exact, advanced before any part leaves; and the peers, who keep the highest count that this
location signed and told them, once a second. Behind either: the stock is burnt, since one of its presignatures may
have served already. Out of reach: nothing is spent, and nothing burnt. See docs/decisions/0012.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from typing import Final

from nacl.signing import SigningKey, VerifyKey

from sdt.domain.errors import Forbidden, SdtError, Unavailable
from sdt.signing import spending, stock
from sdt.signing.counter import LIFE_BYTES, Counter, CounterMoved, CounterUnreachable
from sdt.signing.link import Link
from sdt.signing.spending import Mark
from sdt.signing.store import Store
from sdt.signing.transcript import is_signed, sign
from sdt.signing.wire import MarkSpend, SpendMarked

PEERS_WAIT_S: Final = 3.0
"""How long a starting signer with a good counter waits for a peer that does not answer."""
MARK_TIMEOUT_S: Final = 2.0
MARK_PERIOD_S: Final = 1.0
RETRY_S: Final = 0.2
BURNT_SHOWN_S: Final = 7 * 86_400

_log = logging.getLogger("sdt.signing")


class StockHeld(Unavailable):
    """This location may not spend now: it does not know yet whether its disk is the newest."""

    code = "stock_held"


class Anchor:
    """Holds the stock until counter and peers agree that the database is the newest; burns it when they do not."""

    def __init__(
        self,
        store: Store,
        counter: Counter | None,
        party: int,
        network: str,
        intent_key: SigningKey,
        keys: Mapping[int, VerifyKey],
        peers: Mapping[int, Link],
        now_s: Callable[[], float],
    ) -> None:
        self._store = store
        self._counter = counter
        self._party = party
        self._network = network
        self._intent_key = intent_key
        self._keys = keys
        self._peers = peers
        self._now_s = now_s
        self._by_counter = "The counter was not read yet." if counter is not None else ""
        if counter is None and spending.standing(store.db).counter is not None:
            self._by_counter = "This disk counts with a counter outside it, and signer.toml names none (counter_file)."
        self._by_peers = "The peers were not asked yet."
        self._written = 0
        self._writing: asyncio.Task[None] | None = None
        self._marked: dict[int, int] = {}

    @property
    def held(self) -> str:
        """Why nothing is spent; empty when all is well."""
        return self._by_counter or self._by_peers

    def burnt(self) -> str:
        """Return why the stock was burnt, for a week; else nothing."""
        standing = spending.standing(self._store.db)
        return standing.burnt_why if self._now_s() - standing.burnt_s < BURNT_SHOWN_S else ""

    def demand(self) -> None:
        """Errors: StockHeld."""
        if self.held:
            raise StockHeld(self.held)

    def moved(self) -> None:
        """Begin to advance the counter to where the database is; `settled` waits for it."""
        if self._counter is None or self._by_counter:
            return
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(self._counter))

    async def settled(self) -> None:
        """Return once the counter knows every step that was taken before this call: before that no part leaves.

        Errors: StockHeld.
        """
        self.demand()
        count = spending.count(self._store.db)
        while self._counter is not None and self._written < count:
            self.moved()
            assert self._writing is not None, "it is not held"
            await asyncio.shield(self._writing)
            self.demand()

    async def run(self) -> None:
        """Find out where this location stands, then keep counter and peers informed, until cancelled."""
        began_s = asyncio.get_running_loop().time()
        while True:
            try:
                if self._counter is not None and self._by_counter:
                    await self._compare(self._counter)
                self.moved()
                await self._tell_peers()
                self._judge_peers(asyncio.get_running_loop().time() - began_s)
            except Exception:  # whatever fails here: it stays held, and is tried again
                _log.exception("The count of spent presignatures could not be kept.")
            await asyncio.sleep(RETRY_S if self.held else MARK_PERIOD_S)

    async def close(self) -> None:
        """Bring the counter up to date and let go of it."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._counter is not None:
            self._counter.close()

    # The counter

    async def _compare(self, counter: Counter) -> None:
        """Read the counter and compare; a first one is made, one that knows more burns the stock."""
        db = self._store.db
        try:
            reading = await asyncio.to_thread(counter.read)
            if reading is None and spending.standing(db).counter is None:
                if any(stock.counts(db)):
                    # It cannot tell whether this stock is new: that it was made just now says nothing of the disk.
                    self._burn("A counter was made beside a stock that it never counted.", 0)
                reading = await asyncio.to_thread(counter.create, os.urandom(LIFE_BYTES), spending.count(db))
                with self._store.write():
                    spending.adopt(db, reading.life)
        except CounterUnreachable as error:
            self._hold(error.detail)
            return
        if reading is None:
            self._hold("The counter is not where it was. If it is lost for good, start once with --new-counter.")
            return
        standing = spending.standing(db)
        if reading.life != standing.counter or reading.count > standing.count:
            self._burn("The counter outside knows of steps that this disk does not: an old disk.", reading.count)
            with self._store.write():
                spending.adopt(db, reading.life)
        self._written, self._by_counter = reading.count, ""

    async def _write(self, counter: Counter) -> None:
        while (count := spending.count(self._store.db)) > self._written:
            try:
                await asyncio.to_thread(counter.advance, self._written, count)
            except CounterMoved as error:
                self._burn(error.detail, 0)
                self._hold(error.detail)
                return
            except CounterUnreachable as error:
                self._hold(error.detail)
                return
            self._written = count

    def _hold(self, why: str) -> None:
        if why != self._by_counter:
            _log.error("Nothing is signed here for now: %s", why)
        self._by_counter = why

    # The peers

    async def _tell_peers(self) -> None:
        """Tell each peer our count under our signature, and hear the highest that it has from us."""
        count = spending.count(self._store.db)
        late = [peer for party, peer in self._peers.items() if self._marked.get(party, -1) < count]
        await asyncio.gather(*(self._tell(peer, count) for peer in late))

    async def _tell(self, peer: Link, count: int) -> None:
        mark = sign(self._intent_key, spending.mark_digest(self._network, self._party, count))
        try:
            answer = await peer.call(MarkSpend(count, mark), MARK_TIMEOUT_S)
        except SdtError:
            return  # asked again; what that means is judged by the caller
        if not isinstance(answer, SpendMarked):
            _log.warning("Location %d answered something else than it was asked.", peer.party)
            return
        if answer.count > spending.count(self._store.db):
            self._hear_of_more(peer.party, answer)
        self._marked[peer.party] = count

    def _hear_of_more(self, party: int, answer: SpendMarked) -> None:
        """Burn the stock when a peer has our own word for steps that we do not know; its word alone burns nothing."""
        ours = spending.mark_digest(self._network, self._party, answer.count)
        if is_signed(self._intent_key.verify_key, ours, answer.signature):
            why = f"Location {party} shows our own signature of steps that this disk does not know: an old disk."
            self._burn(why, answer.count)
        else:
            _log.error("Location %d says that this disk is old, and cannot prove it.", party)

    def _judge_peers(self, waited_s: float) -> None:
        """Wait for peers that do not answer: a moment if the counter is good, and without one as long as it takes."""
        missing = [party for party in self._peers if party not in self._marked]
        if missing and (self._counter is None or (self._by_peers and waited_s < PEERS_WAIT_S)):
            self._by_peers = f"Location {missing} has not said yet whether this disk is the newest."
            return
        if self._by_peers and missing:
            _log.warning("Location %s does not answer; the counter alone says that this disk is the newest.", missing)
        self._by_peers = ""

    def take(self, caller: int, operation: MarkSpend) -> SpendMarked:
        """Remember a peer's count if it is the highest; return the highest.

        Errors: Forbidden when the peer did not sign it.
        """
        key = self._keys.get(caller)
        statement = spending.mark_digest(self._network, caller, max(0, operation.count))
        if key is None or not is_signed(key, statement, operation.signature):
            raise Forbidden("That is no count of yours.", code="bad_mark")
        with self._store.write() as db:
            highest = spending.remember(db, caller, bytes(key), Mark(operation.count, operation.signature))
        return SpendMarked(highest.count, highest.signature)

    # Burning

    def _burn(self, why: str, known: int) -> None:
        """Burn the whole stock, and count on from beyond what anybody knows."""
        with self._store.write() as db:
            burnt = stock.burn_everything(db)
            spending.pass_by(db, known)
            if burnt:
                spending.note_burnt(db, why, int(self._now_s()))
        self._store.checkpoint()
        if burnt:
            _log.error("%d presignatures are burnt. %s", burnt, why)
