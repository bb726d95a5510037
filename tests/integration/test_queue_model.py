"""Every queue against a plain model of FIFO delivery, over seeded random steps.

What a queue may do is more than one thing (whose group comes first, how many come at once), so the model says what is
right of an answer, not what it is. Time passes for the embedded queue by its clock, for an emulator by waiting.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from queue_rig import Backend, backend_of
from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.ports.queue import Queue, QueueEntry, Received

MAX_RECEIVES = 2
LONG_S = 600.0
SHORT_S = 1
STEPS = ("send", "send", "receive", "receive", "delete", "release", "release", "release", "late", "expire", "redrive")


@dataclass
class Held:
    group: str
    body: str
    receives: int = 0
    receipt: str = ""
    taken: int = 0


@dataclass
class Model:
    """What the queue should hold, by group and in order; what is in flight has a receipt."""

    groups: dict[str, list[Held]] = field(default_factory=dict)
    stale: list[tuple[Held, str]] = field(default_factory=list)
    dead: list[Held] = field(default_factory=list)
    taken: int = 0

    def add(self, held: Held) -> None:
        self.groups.setdefault(held.group, []).append(held)

    def flying(self) -> list[Held]:
        return [held for group in self.groups.values() for held in group if held.receipt]

    def size(self) -> int:
        return sum(map(len, self.groups.values()))

    def deliverable(self) -> dict[str, list[Held]]:
        """By group that may be delivered now: its messages that have not come too often."""
        free = {name: group for name, group in self.groups.items() if not any(held.receipt for held in group)}
        living = {name: [held for held in group if held.receives < MAX_RECEIVES] for name, group in free.items()}
        return {name: group for name, group in living.items() if group}

    def received(self, batch: Sequence[Received]) -> None:
        """Check an answer, and note it."""
        may = self.deliverable()
        assert bool(batch) == bool(may), "something could be delivered and was not, or the other way round"
        for message in batch:
            first = may[message.group].pop(0)
            assert (message.body, message.receive_count) == (first.body, first.receives + 1)
            first.receives += 1
            first.receipt = message.receipt
            self.taken += 1
            first.taken = self.taken
        # A group that was looked at has lost what came too often before.
        for name in {message.group for message in batch}:
            self.bury(name)

    def bury(self, name: str) -> None:
        worn = [held for held in self.groups[name] if held.receives >= MAX_RECEIVES and not held.receipt]
        self.dead += worn
        self.groups[name] = [held for held in self.groups[name] if held not in worn]

    def release(self, held: Held) -> None:
        self.stale.append((held, held.receipt))
        held.receipt = ""

    def releasable(self, backend: Backend) -> list[Held]:
        """What may come out of hiding: whether it would die while another of its group is in flight is not said."""
        alone = {name for name, group in self.groups.items() if sum(bool(held.receipt) for held in group) == 1}
        lone = backend.deviates("one_back_frees_group")
        return [held for held in self.flying() if held.group in alone or not (lone or held.receives >= MAX_RECEIVES)]

    def late(self, backend: Backend) -> list[str]:
        """Receipts that must not work any more, as far as this backend keeps to that."""
        living = [held for group in self.groups.values() for held in group]
        return [
            receipt
            for held, receipt in self.stale
            if any(held is one for one in living)
            and not backend.deviates("old_receipt_works" if held.receipt else "ended_receipt_works")
        ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed", "steps"),
    [*(("embedded", seed, 250) for seed in range(2)), ("localstack", 3, 40), ("ministack", 4, 40)],
)
async def test_every_step_agrees_with_the_model(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, seed: int, steps: int
) -> None:
    now = [1_000_000.0]
    backend = backend_of(name, request, tmp_path)
    queue = backend.open(MAX_RECEIVES)
    if name == "embedded":
        await queue.close()
        queue = EmbeddedQueue(tmp_path / "timed.sqlite", max_receives=MAX_RECEIVES, clock=lambda: now[0])

    async def pass_time(by_s: float) -> None:
        now[0] += by_s
        if name != "embedded":
            await asyncio.sleep(by_s)

    chance, model, sent, died = random.Random(seed), Model(), 0, 0
    try:
        for _ in range(steps):
            step = chance.choice(STEPS)
            flying = model.flying()
            if step == "send":
                fresh = [Held(f"group-{chance.randrange(4)}", str(sent + n)) for n in range(chance.randrange(1, 6))]
                sent += len(fresh)
                await queue.send([QueueEntry(held.group, held.body, held.body) for held in fresh])
                for held in fresh:
                    model.add(held)
            elif step == "receive":
                await _receive(queue, model, chance.randrange(1, 8))
            elif step == "delete" and flying:
                held = chance.choice(flying)
                assert not await queue.delete([held.receipt])
                model.groups[held.group].remove(held)
            elif step == "release" and (free := model.releasable(backend)):
                held = chance.choice(free)
                assert not await queue.extend([held.receipt], 0)
                model.release(held)
            elif step == "late" and (late := model.late(backend)):
                # What an old receipt asks for is refused or passed over; the size below tells whether it was done.
                await queue.delete([chance.choice(late)])
                await queue.extend([chance.choice(late)], LONG_S)
            elif (
                step == "expire"
                and (free := model.releasable(backend))
                and (name == "embedded" or chance.random() < 0.3)
            ):
                held = chance.choice(free)
                if backend.deviates("expiry_waits_for_older") and held.taken > min(one.taken for one in flying):
                    continue
                assert not await queue.extend([held.receipt], SHORT_S)
                await pass_time(SHORT_S + 1.2)
                model.release(held)
            elif step == "redrive":
                died += await _redriven(queue, model)
            depth = await queue.depth()
            assert depth.in_flight == len(model.flying())
            assert depth.waiting + depth.in_flight + depth.dead == model.size() + len(model.dead)
        assert died, "the seed let nothing die"
    finally:
        await queue.close()


async def _receive(queue: Queue, model: Model, count: int) -> None:
    wait_s = 5 if model.deliverable() else 0
    model.received(await queue.receive(count, wait_s, LONG_S))


async def _redriven(queue: Queue, model: Model) -> int:
    """Let everything die that can, and bring it back at the end of its group, counted anew."""
    while model.deliverable():
        await _receive(queue, model, 100)
    assert not await queue.receive(100, 0, LONG_S)
    for name, group in model.groups.items():
        if not any(held.receipt for held in group):
            model.bury(name)
    dead, model.dead = model.dead, []
    assert await queue.redrive() == len(dead)
    for held in dead:
        model.add(Held(held.group, held.body))
    return len(dead)
