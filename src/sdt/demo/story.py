"""The story: eleven steps, each a real message through the whole flow; told once, then gone on from.

A step that is done is written down, so a second run does not tell it again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sdt.demo.people import PEOPLE, ROUTING_NUMBER, Actor, actor, expires, person_of, sign_up
from sdt.domain.errors import SdtError, Unprocessable
from sdt.domain.money import XAU, Amount
from sdt.local.platform import Platform
from sdt.ports import AssayTest, BarIntake
from sdt.vendors import open_vendors

__all__ = ["Story", "StoryFailed", "Tell"]

Tell = Callable[[str, str], None]
"""Told of each step: its title, and what came of it."""

KILOBAR_FINE_NG = 999_914_600_000
"""A kilobar's agreed fine weight: 32.148 troy ounces. Source: LBMA, Good Delivery weight conventions."""


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
        bank = await self._bank_account(alice, "alice")
        transaction_id = await alice.client.submit(
            "deposit",
            {
                "token": "TXD",
                "account": alice.account,
                "amount": "50000",
                "source": bank,
                "expires_at": expires(),
            },
        )
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
        giver, taker = self.actors[payer], self.actors[payee]
        bound = await giver.client.get(f"/v1/handles/{taker.wallet.handle}", prove=False)
        return await giver.client.submit("transfer", self.transfer_claims(giver, taker, token, units, bound["account"]))

    async def alices_payment(self) -> str:
        """Return the id of Alice's newest payment: one to fetch a receipt of."""
        alice = self.actors["alice"]
        path = f"/v1/accounts/{alice.account}/transactions"
        found = await alice.client.get(path, type="transfer", status="completed", limit="1")
        return str(found["transactions"][0]["transaction_id"])

    @staticmethod
    def transfer_claims(giver: Actor, taker: Actor, token: str, units: int, address: str) -> dict[str, Any]:
        """Return the claims of a payment; the address is the one bound to the payee's handle."""
        return {
            "token": token,
            "payer": giver.account,
            "payee": address,
            "payee_handle": taker.wallet.handle,
            "amount": str(units),
            "fee_max": "0",
            "memo": "",
            "expires_at": expires(),
        }

    async def _bar(self) -> str:
        carol = self.actors["carol"]
        transaction_id = await carol.client.submit(
            "deposit",
            {
                "token": "TXG",
                "account": carol.account,
                "amount": str(KILOBAR_FINE_NG),
                "source": "dropoff:austin-1",
                "expires_at": expires(),
            },
        )
        await carol.client.wait(transaction_id, until=("awaiting_funds",))
        bar = await self._take_in(carol, transaction_id)
        await self._must(carol, transaction_id, ("completed",), 120)
        return f"three tests passed, {bar} in the vault; Carol holds {Amount(KILOBAR_FINE_NG, XAU)} against it"

    async def _take_in(self, carol: Actor, drop_off: str) -> str:
        """The clerk's part, at the depository and with the depository's own key: the platform has no hand in it."""
        async with open_vendors(self.platform.settings) as vendors:
            bar = await vendors.depository.take_in(
                BarIntake(
                    vault="TXG",
                    serial=f"TX-{drop_off[-8:].upper()}",
                    refiner="Valcambi",
                    form="kilobar",
                    metal="XAU",
                    gross_ng=1_000_050_000_000,
                    fineness=9999,
                    tests=(
                        AssayTest("weight", True, "1000.05 g"),
                        AssayTest("ultrasound", True, "3240 m/s"),
                        AssayTest("xrf", True, "999.9"),
                    ),
                    photo_digest="5f" * 32,
                    drop_off=drop_off,
                    account=carol.account,
                ),
                key=f"intake:{drop_off}",
            )
        return f"bar {bar.serial}"

    async def _redeem(self) -> str:
        bob = self.actors["bob"]
        bank = await self._bank_account(bob, "bob")
        transaction_id = await bob.client.submit(
            "redeem",
            {
                "token": "TXD",
                "account": bob.account,
                "amount": "5000",
                "fee_max": "0",
                "destination": bank,
                "expires_at": expires(),
            },
        )
        await self._must(bob, transaction_id, ("completed",), 120)
        return "burnt, reserve released, paid out by ACH credit"

    async def _bank_account(self, who: Actor, name: str) -> str:
        person = PEOPLE[name]
        answer = await who.client.request(
            "POST",
            "/v1/users/me/bank-accounts",
            json={
                "routing_number": ROUTING_NUMBER,
                "account_number": person.account_number,
                "kind": "checking",
                "holder": f"{person.given_name} {person.family_name}",
            },
            prove=True,
        )
        return str(answer["ref"])

    async def _must(self, who: Actor, transaction_id: str, until: tuple[str, ...], timeout_s: float) -> Any:
        found = await who.client.wait(transaction_id, until=until, timeout_s=timeout_s)
        if found["status"] not in until:
            raise StoryFailed(
                f"Transaction {transaction_id} of {who.name} is {found['status']}: "
                f"{found.get('code')} {found.get('detail')}"
            )
        return found
