"""The stage of a scene: a running platform, the people on it, its officials, and the steps told so far."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sdt.client import Client, Network
from sdt.config import Settings
from sdt.demo.acts import deposit, link_bank
from sdt.demo.people import Actor, Person, actor, person_of, sign_up
from sdt.demo.scenes.scene import Facts, SceneFailed, Step
from sdt.desk.desk import client_of
from sdt.domain.region import Region
from sdt.vendors import Vendors

__all__ = ["Stage", "Tell"]

T = TypeVar("T")
Tell = Callable[[Step], None]

PATIENCE_S = 45.0


@dataclass
class Stage:
    """Where a scene is played.

    `vendors` are the outside parties as their own clerks reach them. Everybody gets a name of their own, so that many
    scenes fit on one platform.
    """

    settings: Settings
    region: Region
    network: Network
    vendors: Vendors
    tell: Tell
    steps: list[Step] = field(default_factory=list)
    _officials: dict[str, Client] = field(default_factory=dict)
    _clients: list[Client] = field(default_factory=list)
    _began_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.anybody = Client(self.network)
        self._clients.append(self.anybody)

    async def person(self, given_name: str, family_name: str = "Sample", **changed: Any) -> Actor:
        """Return somebody who is registered, identified and admitted; `changed` is what the KYC vendor hears instead.

        Errors: SceneFailed when they are not admitted.
        """
        who = self.somebody(given_name)
        person = person_of(Person(who.wallet.name, given_name, family_name, "Austin", "")) | changed
        user = await sign_up(who, person)
        if not user.get("identities"):
            raise SceneFailed(f"{given_name} was not admitted: {user.get('kyc_status') or user.get('status')}")
        return who

    async def business(self, legal_name: str, control_given_name: str, control_family_name: str) -> Actor:
        """Return a business that is registered, identified and admitted to the dollar domain; somebody controls it.

        Errors: SceneFailed when it is not admitted.
        """
        who = self.somebody("shop")
        control = person_of(Person(who.wallet.name, control_given_name, control_family_name, "Austin", ""))
        business = {
            "legal_name": f"{legal_name} LLC",
            "kind": "llc",
            "ein_last4": "1234",
            "formed_in": "TX",
            "address": control["address"],
            "merchant_category": "5999",
            "control": control,
            "owners": [{"person": control, "share_ppm": "1000000"}],
            "certified": True,
        }
        user = await sign_up(who, business=business)
        if not user.get("identities"):
            raise SceneFailed(f"{legal_name} was not admitted: {user.get('kyc_status') or user.get('status')}")
        return who

    def somebody(self, given_name: str) -> Actor:
        """Return somebody with a fresh wallet, whom the platform does not know yet."""
        who = actor(self.settings.home, self.network, f"{given_name.lower()}{secrets.token_hex(3)}")
        self._clients.append(who.client)
        return who

    def official(self, name: str) -> Client:
        """Return the client of an official of this home: issuer, approver, treasury, vault, compliance …"""
        if name not in self._officials:
            self._officials[name] = client_of(self.settings, self.region, name)
            self._clients.append(self._officials[name])
        return self._officials[name]

    async def bank(self, who: Actor, account_number: str = "", holder: str = "") -> str:
        """Link a bank account of somebody's, by default one that nothing special happens to; return its reference."""
        number = account_number or f"0004{secrets.randbelow(10**8):08d}"
        return await link_bank(who, number, holder or who.name)

    async def fund(self, who: Actor, cents: int) -> str:
        """Deposit dollars by ACH and wait until they are minted; return the deposit's id."""
        transaction_id = await deposit(who, "TXD", cents, await self.bank(who))
        found = await self.ended(who, transaction_id)
        if found["status"] != "completed":
            raise SceneFailed(f"a deposit to begin with is {found['status']}: {found.get('code')}")
        return transaction_id

    async def ended(self, who: Actor, transaction_id: str, until: Sequence[str] = ("completed",)) -> Any:
        """Return a transaction, as its party sees it, once it stands in one of `until` or has ended otherwise."""
        await who.client.wait(transaction_id, until=until, timeout_s=PATIENCE_S)
        return await who.client.transaction(transaction_id, prove=True)

    async def becomes(self, who: Actor, transaction_id: str, status: str) -> Any:
        """Return a transaction once it stands so, past what ended it before, or as it stands when time is up."""
        return await self.eventually(
            lambda: who.client.transaction(transaction_id, prove=True), lambda found: found["status"] == status
        )

    async def eventually(
        self, ask: Callable[[], Awaitable[T]], good: Callable[[T], bool], timeout_s: float = PATIENCE_S
    ) -> T:
        """Ask again and again until the answer is good, or return the last one when time is up."""
        deadline = time.monotonic() + timeout_s
        while True:
            answer = await ask()
            if good(answer) or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(0.1)

    async def supply(self, token: str) -> int:
        """Return how much of a token is in circulation. Units: the token's smallest."""
        return int((await self.anybody.get(f"/v1/tokens/{token}", prove=False))["supply"])

    def step(self, done: str, *, expected: Facts, seen: Facts) -> None:
        """Tell a step. Errors: SceneFailed when it went otherwise."""
        step = Step(done, expected, seen, time.monotonic() - self._began_s)
        self.steps.append(step)
        self.tell(step)
        if not step.held:
            raise SceneFailed(f"{done}: expected {dict(expected)}, saw {dict(seen)}")

    async def close(self) -> None:
        """Let go of connections."""
        for client in self._clients:
            await client.close()
