"""The embedded queue against a plain model of FIFO delivery, over thousands of seeded random steps."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.ports import QueueEntry

MAX_RECEIVES = 3
STEPS = 500


@dataclass
class Held:
    group: str
    body: str
    receives: int = 0
    hidden_until: float = 0
    receipt: str = ""


@dataclass
class Model:
    """What the queue should hold, in order."""

    messages: list[Held] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)

    def receive(self, count: int, now: float, visibility_s: float) -> list[Held]:
        for held in [m for m in self.messages if 0 < m.hidden_until <= now]:
            held.hidden_until = 0
            if held.receives >= MAX_RECEIVES:
                self.messages.remove(held)
                self.dead.append(held.body)
        blocked = {m.group for m in self.messages if m.hidden_until}
        taken = [m for m in self.messages if m.group not in blocked][:count]
        for held in taken:
            held.hidden_until = now + visibility_s
            held.receives += 1
        return taken

    def in_flight(self, receipt: str, now: float) -> Held | None:
        return next((m for m in self.messages if m.receipt == receipt and m.hidden_until > now), None)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_every_step_agrees_with_the_model(tmp_path: Path, seed: int) -> None:
    chance, model, now, sent = random.Random(seed), Model(), [1_000_000.0], 0
    receipts: list[str] = []
    died = 0
    queue = EmbeddedQueue(tmp_path / "queue.sqlite", max_receives=MAX_RECEIVES, clock=lambda: now[0])
    for _ in range(STEPS):
        step = chance.choice(("send", "send", "receive", "receive", "delete", "delete", "extend", "wait", "redrive"))
        if step == "send":
            fresh = [Held(f"group-{chance.randrange(4)}", str(sent + n)) for n in range(chance.randrange(1, 6))]
            sent += len(fresh)
            await queue.send([QueueEntry(held.group, held.body, held.body) for held in fresh])
            model.messages += fresh
        elif step == "receive":
            count, visibility_s = chance.randrange(1, 8), chance.choice((1, 5, 60))
            expected = model.receive(count, now[0], visibility_s)
            received = await queue.receive(count, 0, visibility_s)
            assert [(m.body, m.receive_count) for m in received] == [(m.body, m.receives) for m in expected]
            for held, message in zip(expected, received, strict=True):
                held.receipt = message.receipt
                receipts.append(message.receipt)
        elif step == "delete" and receipts:
            receipt = receipts.pop(chance.randrange(len(receipts)))
            found = model.in_flight(receipt, now[0])
            assert await queue.delete([receipt]) == ([] if found else [receipt])
            if found:
                model.messages.remove(found)
        elif step == "extend" and receipts:
            receipt, visibility_s = chance.choice(receipts), chance.choice((0, 2, 30))
            found = model.in_flight(receipt, now[0])
            assert await queue.extend([receipt], visibility_s) == ([] if found else [receipt])
            if found:
                found.hidden_until = now[0] + visibility_s
        elif step == "wait":
            now[0] += chance.choice((0.5, 3, 40))
        elif step == "redrive" and chance.random() < 0.2:
            back = list(await queue.dead_letters(1000))
            assert [letter.body for letter in back] == model.dead
            assert await queue.redrive() == len(model.dead)
            model.messages += [Held(letter.group, letter.body) for letter in back]
            died += len(model.dead)
            model.dead.clear()
        depth = await queue.depth()
        flying = sum(m.hidden_until > now[0] for m in model.messages)
        assert (depth.in_flight, depth.waiting + depth.in_flight) == (flying, len(model.messages))
        assert depth.dead == len(model.dead)
    assert died, "the seed let nothing die"
    await queue.close()
