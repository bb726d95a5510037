"""The seam between signing and judging: what a signer needs to know of a batch before it binds a presignature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sdt.domain.chain_tx import ChainTransaction
from sdt.domain.errors import Unprocessable
from sdt.signing.lineage import LineBatch
from sdt.signing.wire import BatchProposal, MessageRefusal


class BatchRefused(Unprocessable):
    """Some messages may not be in this batch; the rest may be proposed again."""

    code = "messages_refused"

    def __init__(self, refusals: tuple[MessageRefusal, ...]) -> None:
        super().__init__(f"{len(refusals)} messages of the batch are refused.")
        self.refusals = refusals


@dataclass(frozen=True, slots=True)
class ChainSeen:
    """How far this signer's own node is. Units: time_s in unix seconds; block −1 before the chain was seen."""

    block: int = -1
    time_s: int = 0
    chain_id: int = 0


@dataclass(frozen=True, slots=True)
class Built:
    """A batch that this signer rebuilt from its messages.

    `unique` names by position what may be used once for ever: a deposit, a piece of evidence.
    """

    transaction: ChainTransaction
    tx_hash: bytes
    line: LineBatch
    unique: tuple[tuple[int, bytes], ...] = ()


MayAdministerAfter = Callable[[int], bool]
"""Whether the registry may change between the batch of this number and the proposed one."""


class Builder(Protocol):
    """Judges the messages of a batch and rebuilds its chain transaction from them."""

    @property
    def message_life_ms(self) -> int:
        """The longest a message lives from its id to its end, by the rules of now."""

    async def start(self) -> None:
        """Begin following the chain."""

    async def close(self) -> None:
        """Stop following the chain."""

    def follow(self, sender: bytes) -> None:
        """Keep near the head of the chain in the background, for batches of this chain key."""

    async def see(self, sender: bytes) -> ChainSeen:
        """Look at the chain, unless that was done a moment ago, and return how far it is. Errors: Unavailable."""

    def chain_seen(self) -> ChainSeen:
        """Return how far this signer's own node is."""

    async def build(self, batch: BatchProposal, sender: bytes, may_administer_after: MayAdministerAfter) -> Built:
        """Verify every message and rebuild the chain transaction that `sender`, the chain key's address, would send.

        `may_administer_after` tells of batches on the line that are to be final before this one can be judged.
        Errors: BatchRefused for messages; any other SdtError for the batch as a whole.
        """
