"""The story: eleven steps, each a real message through the whole flow; told once, then gone on from.

A step that is done is written down, so a second run does not tell it again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sdt.demo.acts import deposit, drop_off, link_bank, pay, redeem
from sdt.demo.counter import KILOBAR_FINE_NG, take_in
from sdt.demo.people import PEOPLE, Actor, actor, person_of, sign_up
from sdt.domain.errors import SdtError, Unprocessable
from sdt.domain.money import XAU, Amount
from sdt.local.platform import Platform

__all__ = ["Story", "StoryFailed", "Tell"]

Tell = Callable[[str, str], None]
"""Told of each step: its title, and what came of it."""


class StoryFailed(Unprocessable):
    """A step did not end as it must."""

    code = "story_failed"


@dataclass
class Story:
    """Alice, Bob, Carol and Dan, on one running platform."""

    platform: Platform
    tell: Tell
    done: list[str] = field(default_factory=list)
    actors: dict[str, Actor] = field(default_factory=dict)

    @property
    def _file(self) -> Path:
        return self.platform.settings.home / "story.json"

    async def run(self) -> None:
        """Tell every step that was not told yet. Errors: StoryFailed, or what the platform answered."""
        if self._file.exists():
            self.done = json.loads(self._file.read_text())
        for name in PEOPLE:
            self.actors[name] = actor(self.platform.settings.home, self.platform.network, name)
        steps: list[tuple[str, str, Callable[[], Awaitable[str]]]] = [
            ("register", "Four people register and pass the identity check", self._register),
            ("deposit", "Alice deposits $500 by ACH", self._deposit),
            ("pay", "Alice pays Bob $120", self._pay),
            ("bar", "A clerk takes in Carol's 1 kg bar", self._bar),
            ("gold", "Carol pays Dan 2.5 g of gold", self._gold),
            ("redeem", "Bob redeems $50 to his bank account", self._redeem),
        ]
        for name, title, step in steps:
            if name in self.done:
                self.tell(title, "told before")
                continue
            self.tell(title, await step())
            self.done.append(name)
            self._file.write_text(json.dumps(self.done))

    async def close(self) -> None:
        """Let go of connections."""
        for who in self.actors.values():
            await who.client.close()

    async def _register(self) -> str:
        for name, who in self.actors.items():
            if await self._is_registered(who):
                continue
            user = await sign_up(who, person_of(PEOPLE[name]))
            domains = {identity["domain"] for identity in user.get("identities", ())}
            if domains != {"dollar", "cash"}:
                raise StoryFailed(f"{who.name} was not admitted: {user}")
        return "identified for the dollar domain; as Texas residents admitted to the cash domain"

    async def _is_registered(self, who: Actor) -> bool:
        try:
            user = await who.client.get("/v1/users/me")
        except SdtError:
            return False
        return len(user["identities"]) == 2

    async def _deposit(self) -> str:
        alice = self.actors["alice"]
        transaction_id = await deposit(alice, "TXD", 50_000, await self._bank_account("alice"))
        await self._must(alice, transaction_id, ("completed",), 120)
        day_s = self.platform.settings.sandbox.banking_day_s
        return (
            f"debit settled, return window passed (a banking day lasts {day_s:g} s here), reserve funded, then minted"
        )

    async def _pay(self) -> str:
        return await self._transfer("alice", "bob", "TXD", 12_000)

    async def _gold(self) -> str:
        return await self._transfer("carol", "dan", "TXG", 2_500_000_000)

    async def _transfer(self, payer: str, payee: str, token: str, units: int) -> str:
        found = await self._must(self.actors[payer], await self.pay(payer, payee, token, units), ("completed",), 30)
        return f"final in block {found['block']}, batch {found['batch_number']}"

    async def pay(self, payer: str, payee: str, token: str, units: int) -> str:
        """Send a payment; returns its id."""
        return await pay(self.actors[payer], self.actors[payee], token, units)

    async def alices_payment(self) -> str:
        """Return the id of Alice's newest payment: one to fetch a receipt of."""
        alice = self.actors["alice"]
        path = f"/v1/accounts/{alice.account}/transactions"
        found = await alice.client.get(path, type="transfer", status="completed", limit="1")
        return str(found["transactions"][0]["transaction_id"])

    async def _bar(self) -> str:
        carol = self.actors["carol"]
        transaction_id = await drop_off(carol, "TXG", KILOBAR_FINE_NG)
        bar = await take_in(self.platform.settings, transaction_id, carol.account)
        await self._must(carol, transaction_id, ("completed",), 120)
        return (
            f"three tests passed, bar {bar.serial} in the vault; Carol holds {Amount(KILOBAR_FINE_NG, XAU)} against it"
        )

    async def _redeem(self) -> str:
        bob = self.actors["bob"]
        transaction_id = await redeem(bob, "TXD", 5_000, await self._bank_account("bob"))
        await self._must(bob, transaction_id, ("completed",), 120)
        return "burnt, reserve released, paid out by ACH credit"

    async def _bank_account(self, name: str) -> str:
        person = PEOPLE[name]
        return await link_bank(self.actors[name], person.account_number, f"{person.given_name} {person.family_name}")

    async def _must(self, who: Actor, transaction_id: str, until: tuple[str, ...], timeout_s: float) -> Any:
        found = await who.client.wait(transaction_id, until=until, timeout_s=timeout_s)
        if found["status"] not in until:
            raise StoryFailed(
                f"Transaction {transaction_id} of {who.name} is {found['status']}: "
                f"{found.get('code')} {found.get('detail')}"
            )
        return found
