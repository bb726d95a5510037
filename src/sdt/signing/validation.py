"""What a signer checks before it signs: every message by itself, then the batch as a whole.

It gets the signed messages, not a hash; it rebuilds the exact chain transaction from them and signs that. Anything it
did not rebuild it does not sign, and each refusal names its message and its rule.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from sdt.domain.assembly import Frame, assemble
from sdt.domain.batch import ITEMS_MAX
from sdt.domain.errors import Invalid, SdtError, Unavailable, Unprocessable
from sdt.domain.message import Signed
from sdt.domain.region import Region, load_region
from sdt.domain.transaction_id import id_bytes
from sdt.signing.building import BatchRefused, Built, ChainSeen, MayAdministerAfter
from sdt.signing.chain_view import ChainView, View
from sdt.signing.config import SignerConfig
from sdt.signing.lineage import LineBatch
from sdt.signing.messages import MessageChecks
from sdt.signing.minting import check_minting, check_sequences, used_up
from sdt.signing.store import Store
from sdt.signing.wire import BatchProposal, MessageRefusal

CLOCK_SKEW_S: Final = 30
DEADLINE_S_MAX: Final = 3600
NONCES_AHEAD_MAX: Final = 64
VIEW_AGE_S: Final = 0.1
"""How old a look at the chain may be; after a refusal the chain is looked at anew before it is believed."""
REGISTRY_WAIT_S: Final = 5.0
REGISTRY_POLL_S: Final = 0.05
CHUNK: Final = 25
"""Messages between two turns of the loop, so that a release never waits for a whole batch's signatures."""
FOLLOW_PERIOD_S: Final = 1.0


class BatchWrong(Unprocessable):
    """The batch as a whole cannot be signed, whatever its messages."""

    code = "batch_wrong"


class Validator:
    """A signer's judgement, from its own node, its own clock and its own region file."""

    def __init__(self, config: SignerConfig, store: Store, now_s: Callable[[], float] = time.time) -> None:
        self._config = config
        self._now_s = now_s
        self._region = self._read_region()
        self._store = store
        self._chain = ChainView(config, store, self._region)
        self._sender = b""
        self._following: asyncio.Task[None] | None = None

    @property
    def message_life_ms(self) -> int:
        """The longest a message lives from its id to its end, by the rules of now."""
        return 1000 * message_life_s(self._region)

    async def start(self) -> None:
        """Begin to follow the chain in the background, once there is a key."""
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._chain.close()

    async def _follow(self) -> None:
        """Keep the registry near the head, so that a batch finds it there."""
        while True:
            await asyncio.sleep(FOLLOW_PERIOD_S)
            try:
                if self._sender:
                    await self._chain.look(self._sender, FOLLOW_PERIOD_S)
            except SdtError:
                continue  # whoever proposes a batch is told

    def follow(self, sender: bytes) -> None:
        """Keep the registry near the head for this chain key."""
        self._sender = sender

    async def see(self, sender: bytes) -> ChainSeen:
        """Look at the chain unless that was done a moment ago. Errors: Unavailable; WrongChain."""
        self._sender = sender
        await self._chain.look(sender, VIEW_AGE_S)
        return self._chain.seen()

    def chain_seen(self) -> ChainSeen:
        """Return how far this signer's node is."""
        return self._chain.seen()

    def _read_region(self) -> Region:
        try:
            return load_region(self._config.region_file.read_bytes())
        except OSError as error:
            raise Unavailable("The region file cannot be read.", code="region_file") from error

    async def build(self, batch: BatchProposal, sender: bytes, may_administer_after: MayAdministerAfter) -> Built:
        """Verify every message and rebuild the chain transaction.

        Errors: BatchRefused; BatchWrong, Invalid or Unavailable for the batch as a whole.
        """
        self._sender = sender
        view = await self._settled_view(sender, may_administer_after)
        refusals, messages = await self._judge(batch, view)
        if refusals:  # perhaps the chain has moved on: a key registered a moment ago
            view = await self._chain.look(sender, 0.0)
            refusals, messages = await self._judge(batch, view)
        if refusals:
            raise BatchRefused(tuple(refusals))
        return self._rebuild(batch, view, messages)

    async def _settled_view(self, sender: bytes, may_administer_after: MayAdministerAfter) -> View:
        """Return a view in which every batch before this one that changes the registry is final.

        Errors: Unavailable when that does not come about in a while.
        """
        view = await self._chain.look(sender, VIEW_AGE_S)
        deadline = time.monotonic() + REGISTRY_WAIT_S
        while may_administer_after(view.mark.number):
            if time.monotonic() > deadline:
                raise Unavailable(
                    "A batch before this one may change the registry and is not final.", code="registry_behind"
                )
            await asyncio.sleep(REGISTRY_POLL_S)
            view = await self._chain.look(sender, 0.0)
        return view

    async def _judge(self, batch: BatchProposal, view: View) -> tuple[list[MessageRefusal], list[Signed]]:
        now_s = int(self._now_s())
        self._check_frame(batch, view, now_s)
        region = self._region_in_force(batch.kind, now_s)
        checks = MessageChecks(self._config.network, region, self._chain.registry, batch.kind == "admin", now_s)
        refusals: list[MessageRefusal] = []
        messages: list[Signed] = []
        seen: set[str] = set()
        for position, entry in enumerate(batch.entries):
            if position % CHUNK == CHUNK - 1:
                await asyncio.sleep(0)
            try:
                signed = checks.check(entry)
                if signed.message.transaction_id in seen:
                    raise Invalid("This transaction_id is in the batch twice.", code="duplicate")
                seen.add(signed.message.transaction_id)
                messages.append(signed)
            except SdtError as error:
                refusals.append(refusal_of(position, error))
        if not refusals:
            refusals += await check_minting(messages, region, self._chain, view, now_s)
            refusals += check_sequences(messages, region, self._chain.registry)
        return refusals, messages

    def _check_frame(self, batch: BatchProposal, view: View, now_s: int) -> None:
        """Errors: BatchWrong, naming what is wrong with the batch as a whole."""
        if not 0 < len(batch.entries) <= ITEMS_MAX or len(batch.parent) != 32:
            raise BatchWrong(f"A batch has 1 to {ITEMS_MAX} messages and a parent of 32 bytes.", code="batch_shape")
        skew_s = now_s - view.newest.timestamp_s
        if abs(skew_s) > CLOCK_SKEW_S:
            raise BatchWrong(
                f"This signer's clock and its chain are {abs(skew_s)} s apart; at most {CLOCK_SKEW_S} are allowed.",
                code="clock_skew",
            )
        if not view.mark.time_s < batch.deadline_s <= now_s + DEADLINE_S_MAX:
            raise BatchWrong("The batch's deadline is past or too far off.", code="batch_deadline")
        if not view.nonce <= batch.nonce < view.nonce + NONCES_AHEAD_MAX:
            raise BatchWrong(f"The chain expects nonce {view.nonce}; {batch.nonce} is not near it.", code="batch_nonce")
        if batch.number <= view.mark.number:
            raise BatchWrong(f"Batch {view.mark.number} is settled; {batch.number} is past.", code="batch_number")
        if batch.number == view.mark.number + 1 and batch.parent != view.mark.head:
            raise BatchWrong("The batch names another parent than the chain's head.", code="batch_parent")

    def _region_in_force(self, kind: str, now_s: int) -> Region:
        """Return the region file, if it is the one in force on chain.

        An administrative batch may come before the first rules: it is what brings them.
        Errors: BatchWrong.
        """
        digest = self._chain.registry.rules_digest(now_s)
        if digest == self._region.digest or (kind == "admin" and not any(digest)):
            return self._region
        fresh = self._read_region()
        if fresh.digest == digest:
            self._region = fresh
        elif kind != "admin":
            raise BatchWrong("The region file here is not the one in force on chain.", code="rules_digest")
        return self._region

    def _rebuild(self, batch: BatchProposal, view: View, messages: Sequence[Signed]) -> Built:
        frame = Frame(
            batch.number,
            batch.parent,
            batch.deadline_s,
            batch.nonce,
            view.chain_id,
            view.contracts.settlement,
            self._config.gas_price_wei,
        )
        made = assemble(frame, messages, self._region)
        if made.transaction.gas != batch.gas:
            raise BatchWrong(f"These items ask for {made.transaction.gas} gas, not {batch.gas}.", code="batch_gas")
        line = tuple((id_bytes(signed.message.transaction_id), signed.digest) for signed in messages)
        return Built(
            made.transaction,
            made.transaction.signing_hash(),
            LineBatch(made.head, batch.number, batch.parent, line, made.administers),
            used_up(messages),
        )


def message_life_s(region: Region) -> int:
    """Return the longest a message lives from its id to its end: its acceptance window, then its own life."""
    return region.acceptance_window_s + region.transfer_life_s_max


def refusal_of(position: int, error: SdtError) -> MessageRefusal:
    """Return an error about one message as it travels, with the rule that refused it."""
    facts = {name: str(value) for name, value in error.facts.items()}
    return MessageRefusal(position, error.code, error.detail, facts)
