"""Three attacks that must fail, each for a reason that is told: a forgery, a replay, an overdraft."""

from __future__ import annotations

from dataclasses import dataclass

import nacl.signing

from sdt.client import ApiProblem, Client
from sdt.demo.acts import transfer_claims
from sdt.demo.story import Story
from sdt.domain.envelope import b64url

__all__ = ["Attack", "attack"]


@dataclass(frozen=True, slots=True)
class Attack:
    """What was tried, what the platform said, and whether it refused as it must."""

    title: str
    answer: str
    refused: bool


async def attack(story: Story) -> list[Attack]:
    """Try all three. Nothing may move."""
    return [await _forged(story), await _replayed(story), await _overdrawn(story)]


async def _forged(story: Story) -> Attack:
    """Mallory names Alice's key in the header and signs with her own."""
    alice, bob = story.actors["alice"], story.actors["bob"]
    mallory = Client(story.platform.network, nacl.signing.SigningKey.generate())
    async with mallory:
        (transaction_id,) = await mallory.new_ids()
        claims = transfer_claims(alice, bob, "TXD", 10_000, bob.account)
        header, payload, _ = alice.client.sign("transfer", transaction_id, claims).split(b".")
        assert mallory.key is not None
        signed = b".".join((header, payload))
        forged = signed + b"." + b64url(mallory.key.sign(signed).signature)
        try:
            await mallory.put(transaction_id, forged)
        except ApiProblem as problem:
            return Attack("Forged: Mallory signs in Alice's name", _words(problem), problem.code == "bad_signature")
    return Attack("Forged: Mallory signs in Alice's name", "accepted", False)


async def _replayed(story: Story) -> Attack:
    """Bob sends Alice's settled payment again: the same bytes change nothing; other bytes under its id are refused."""
    title = "Replayed: a settled payment sent again, then altered"
    alice, bob = story.actors["alice"], story.actors["bob"]
    before = await bob.balance("TXD")
    history = await alice.client.get(f"/v1/accounts/{alice.account}/transactions", type="transfer")
    paid = await alice.client.transaction(history["transactions"][-1]["transaction_id"], prove=True)
    message = paid["details"]["message"].encode()
    again = await bob.client.put(paid["transaction_id"], message)
    claims = transfer_claims(alice, bob, "TXD", 12_001, bob.account)
    altered = alice.client.sign("transfer", paid["transaction_id"], claims)
    try:
        await bob.client.put(paid["transaction_id"], altered)
    except ApiProblem as problem:
        same = again["status"] == paid["status"] and await bob.balance("TXD") == before
        answer = f"same bytes: still {again['status']}, nothing moved; other bytes: {_words(problem)}"
        return Attack(title, answer, same and problem.status == 409)
    return Attack(title, "accepted", False)


async def _overdrawn(story: Story) -> Attack:
    """Dan, who has 2.5 g of gold, pays Carol 100 g."""
    title = "Overdrawn: Dan pays 100 g and has 2.5 g"
    dan = story.actors["dan"]
    transaction_id = await story.pay("dan", "carol", "TXG", 100_000_000_000)
    found = await dan.client.wait(transaction_id, timeout_s=30)
    answer = f"{found['status']}: {found.get('code')}. {found.get('detail')}"
    return Attack(title, answer, found["status"] == "rejected" and found.get("code") == "insufficient_funds")


def _words(problem: ApiProblem) -> str:
    return f"{problem.status} {problem.code}. {problem.detail}"
