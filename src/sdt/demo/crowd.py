"""Many customers at once, for load and faults: registered, identified and funded as anybody is, then paying in bulk."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdt.client import ApiProblem, Network
from sdt.demo.acts import deposit, link_bank, transfer_claims
from sdt.demo.people import Actor, actor, sign_up
from sdt.domain.errors import SdtError, Unavailable

__all__ = ["Crowd", "Sent", "gather_crowd"]

SYMBOL = "TXD"
DEPOSIT_UNITS = 20_000_000
BATCH_MAX = 500
RETRY_S = 0.2
AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch of messages as they were sent, and the answer to each."""

    ids: Sequence[str]
    messages: Sequence[bytes]
    answers: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Crowd:
    """People who hold dollars and pay each other."""

    network: Network
    people: Sequence[Actor]

    async def close(self) -> None:
        """Let go of connections."""
        for who in self.people:
            await who.client.close()

    async def new_ids(self, count: int) -> list[str]:
        """Ask for many transaction ids, as often as it takes."""
        ids: list[str] = []
        while len(ids) < count:
            ids += await patiently(self.people[0], "/v1/transactions", {"count": min(BATCH_MAX, count - len(ids))})
        return ids

    def payments(self, ids: Sequence[str], rng: random.Random, units: int = 1) -> list[bytes]:
        """Return a signed payment for each id, between two people drawn by `rng`."""
        pairs = ((id_, rng.sample(self.people, 2)) for id_ in ids)
        return [self.payment(id_, giver, taker, units) for id_, (giver, taker) in pairs]

    def payment(self, transaction_id: str, giver: Actor, taker: Actor, units: int) -> bytes:
        """Return one signed payment. Units: cents."""
        claims = transfer_claims(giver, taker, SYMBOL, units, taker.account)
        return giver.client.sign("transfer", transaction_id, claims)

    async def send(self, ids: Sequence[str], messages: Sequence[bytes]) -> Sent:
        """Send up to 500 messages, the same bytes again and again until the API has answered for each."""
        wanted = {"messages": [message.decode() for message in messages]}
        return Sent(ids, messages, await patiently(self.people[0], "/v1/transactions/batch", wanted))

    async def ended(self, transaction_id: str, timeout_s: float = 60.0) -> Any:
        """Return a transaction once it has ended, whatever happens to the API meanwhile. Errors: Unavailable."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return await self.people[0].client.wait(
                    transaction_id, until=("completed",), timeout_s=max(1.0, deadline - time.monotonic())
                )
            except ApiProblem as problem:
                if problem.status < 500 and problem.status != 429:
                    raise
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(RETRY_S)


async def patiently(who: Actor, path: str, body: object, timeout_s: float = 120.0) -> list[Any]:
    """POST until somebody answers; return the one list of the answer. Errors: what the API refuses for good."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            answer = await who.client.request("POST", path, json=body)
            (found,) = (value for value in answer.values() if isinstance(value, list))
            return list(found)
        except SdtError as error:
            lasting = isinstance(error, ApiProblem) and error.status < 500 and error.status != 429
            if lasting or time.monotonic() > deadline:
                raise
        await asyncio.sleep(RETRY_S)


async def gather_crowd(home: Path, network: Network, count: int, *, each_units: int = 100_000) -> Crowd:
    """Register and identify `count` people; some deposit, and pay the others, so that each has `each_units`.

    Units: cents. Errors: Unavailable when the platform does not follow in time.
    """
    names = [f"person{n}" for n in range(1, count + 1)]
    crowd = Crowd(network, [actor(home, network, name) for name in names])
    room = asyncio.Semaphore(AT_ONCE)

    async def admit(number: int, who: Actor) -> None:
        async with room:
            await sign_up(who, _person(number), timeout_s=120)

    await asyncio.gather(*(admit(n, who) for n, who in enumerate(crowd.people, 1)))
    depositors = crowd.people[: 1 + count * each_units // DEPOSIT_UNITS]
    await asyncio.gather(*(_deposit(who, n) for n, who in enumerate(depositors, 1)))
    others = crowd.people[len(depositors) :]
    ids = await crowd.new_ids(len(others))
    for begin in range(0, len(others), BATCH_MAX):
        payees, named = others[begin : begin + BATCH_MAX], ids[begin : begin + BATCH_MAX]
        messages = [
            crowd.payment(id_, depositors[n % len(depositors)], payee, each_units)
            for n, (id_, payee) in enumerate(zip(named, payees, strict=True))
        ]
        await crowd.send(named, messages)
    for id_ in ids:
        found = await crowd.ended(id_)
        assert found["status"] == "completed", f"a person of the crowd was not paid: {found}"
    return crowd


def _person(number: int) -> dict[str, Any]:
    """Return what the KYC vendor wants to know of somebody invented."""
    return {
        "given_name": "Pat",
        "family_name": f"Nr{_letters(number)}",
        "born_on": "1990-05-05",
        "address": {"street": f"{number} Main Street", "city": "Waco", "state": "TX", "postal_code": "76701"},
        "ssn_last4": f"{1000 + number:04d}",  # the sandbox's magic numbers are below
        "email": f"person{number}@example.com",
    }


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


async def _deposit(who: Actor, number: int) -> None:
    bank = await link_bank(who, f"00022233{number:04d}", f"Pat Nr{_letters(number)}")
    transaction_id = await deposit(who, SYMBOL, DEPOSIT_UNITS, bank)
    found = await who.client.wait(transaction_id, until=("completed",), timeout_s=120)
    assert found["status"] == "completed", f"a deposit did not arrive: {found}"
