"""A real signer process whose messages are opaque: for tests of signing itself, without a chain or a registry.

`python tests/bare_signer.py --home DIR [--lie WHAT]`. A message is 16 bytes of transaction id and anything; one whose
rest begins with `refuse` is refused. A liar deviates on the wire as named.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import time
from pathlib import Path

from msgspec.structs import replace

import enclave_rig
from enclave_rig import Nitro, StandInModule
from sdt.domain.batch import leaf, merkle_root, next_head
from sdt.domain.chain_tx import ChainTransaction
from sdt.domain.errors import Forbidden, NotFound, Unavailable
from sdt.signing import anchor, jobs, reshare, sharing, signer
from sdt.signing.building import BatchRefused, Built, ChainSeen
from sdt.signing.config import load_signer_config
from sdt.signing.curve import multiply_base
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.lineage import LineBatch
from sdt.signing.wire import (
    BatchIds,
    BatchProposal,
    Done,
    MessageRefusal,
    MessagesRefused,
    Propose,
    Proposed,
    Release,
    Released,
    ShowBatch,
    SpendMarked,
)

CHAIN_ID = 4242
CONTRACT = "0x" + "11" * 20


def rebuild(batch: BatchProposal) -> Built:
    """Return what every location, and the coordinator, makes of a bare batch."""
    messages = tuple((entry.jws[:16], hashlib.sha256(entry.jws).digest()) for entry in batch.entries)
    root = merkle_root([leaf(position, *message) for position, message in enumerate(messages)])
    head = next_head(batch.parent, batch.number, root)
    transaction = ChainTransaction(CHAIN_ID, batch.nonce, CONTRACT, root + head, batch.gas)
    return Built(transaction, transaction.signing_hash(), LineBatch(head, batch.number, batch.parent, messages))


class BareBuilder:
    """Believes every message that does not ask to be refused."""

    message_life_ms = 7 * 86_400_000

    async def start(self) -> None:
        """Nothing to follow."""

    async def close(self) -> None:
        """Nothing to stop."""

    def follow(self, sender: bytes) -> None:
        """Nothing to follow."""

    async def see(self, sender: bytes) -> ChainSeen:
        """Nothing to look at."""
        return self.chain_seen()

    def chain_seen(self) -> ChainSeen:
        """Pretend that the chain is where the clock is."""
        return ChainSeen(1, int(time.time()), CHAIN_ID)

    async def build(self, batch: BatchProposal, sender: bytes, may_administer_after: object) -> Built:
        """Rebuild, refusing by position."""
        refused = tuple(
            MessageRefusal(position, "refused", "It asked for it.")
            for position, entry in enumerate(batch.entries)
            if entry.jws[16:].startswith(b"refuse")
        )
        if refused:
            raise BatchRefused(refused)
        return rebuild(batch)


def lie(what: str) -> None:
    """Make this process deviate."""
    if what.startswith("job:"):  # its joint jobs lie; see lying_job
        start = asyncio.create_subprocess_exec

        async def start_lying(program, *arguments, **more):
            assert arguments == ("-m", "sdt.signing.job")
            return await start(program, str(Path(__file__).with_name("lying_job.py")), what[4:], **more)

        jobs.asyncio.create_subprocess_exec = start_lying
    if what == "unanchored":  # as a signer would be that believes its own disk

        async def settled(self):
            """Wait for nothing."""

        anchor.Anchor.demand, anchor.Anchor.settled = lambda self: None, settled
        anchor.Anchor._burn = lambda self, why, known: None
    if what == "deal_point":  # commits to a slope that is no point
        reshare.multiply_base = lambda scalar: b"\xff" * 64
    if what == "deal_zero":
        dealt = sharing.value_at
        sharing.value_at = lambda party, at_zero, slope: bytes(32) if party != 2 else dealt(party, at_zero, slope)
    if what == "deal":
        honest_value = sharing.value_at
        sharing.value_at = lambda party, at_zero, slope: honest_value(party, at_zero, slope + (party != 2))
    honest = signer.Signer.answer
    behind_until = time.time() + float(what[6:]) if what.startswith("behind") else 0.0

    async def answer(self, caller, operation):
        if what == "frame" and isinstance(operation, Release):  # says that its honest partner broke its promise
            raise Forbidden("It promised something else.", code="bad_intent")
        if what.startswith("behind") and isinstance(operation, Propose) and self._now_s() < behind_until:
            raise Unavailable("A batch before this one is not final here.", code="registry_behind")
        if what == "withhold" and isinstance(operation, ShowBatch):
            raise NotFound("I never saw it.", code="unknown_head")
        result = await honest(self, caller, operation)
        if what == "made_up" and isinstance(result, BatchIds):
            return replace(result, ids=bytes(16) + result.ids[16:])
        if what == "answer" and isinstance(operation, Propose | ShowBatch):
            return Done()
        if what == "part" and isinstance(result, Released):
            return Released((int.from_bytes(result.part, "big") ^ 1).to_bytes(32, "big"))
        if what == "mark" and isinstance(result, SpendMarked):
            return SpendMarked(result.count + 1000, bytes(64))
        if isinstance(result, Proposed):
            if what == "intent":
                return replace(result, intent=bytes(64))
            if what == "hash":
                return replace(result, tx_hash=bytes(32))
            if what == "chain":
                return replace(result, chain_id=1)
            if what == "row":
                return replace(result, row=replace(result.row, a=(multiply_base(7),) * 3))
            if what == "refuse":
                return MessagesRefused((MessageRefusal(0, "because", "This location says so."),))
        return result

    signer.Signer.answer = answer


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--lie", default="")
    parser.add_argument("--nitro", type=Path, help="a folder with the chain of a stand-in for the security module")
    parser.add_argument("--image", default="IMAGE", help="what the stand-in says that runs here")
    arguments = parser.parse_args()
    if arguments.lie:
        lie(arguments.lie)
    config, nsm = load_signer_config(arguments.home), None
    if arguments.nitro:
        nsm = Nsm(
            Path("/dev/null"), StandInModule(Nitro.read(arguments.nitro), getattr(enclave_rig, arguments.image)).ioctl
        )
    signer.run(config, signer.serve(config, lambda config, store: BareBuilder(), nsm))


if __name__ == "__main__":
    main()
