"""The people of the story, and how each comes to the platform."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdt.client import ApiProblem, Client, Network, public_key_text
from sdt.domain.errors import Unavailable
from sdt.domain.message import format_time
from sdt.wallet import Wallet, load_wallet, new_wallet, wallets

__all__ = ["PEOPLE", "Actor", "Person", "actor", "expires", "sign_up"]

MESSAGE_LIFE_S = 3600


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the story. Everything here is invented."""

    name: str
    given_name: str
    family_name: str
    city: str
    account_number: str


PEOPLE = {
    "alice": Person("alice", "Alice", "Archer", "Austin", "000111222001"),
    "bob": Person("bob", "Bob", "Baker", "Houston", "000111222002"),
    "carol": Person("carol", "Carol", "Castillo", "El Paso", "000111222003"),
    "dan": Person("dan", "Dan", "Dawson", "Lubbock", "000111222004"),
}
ROUTING_NUMBER = "021000021"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person with a wallet and a client that speaks for them."""

    wallet: Wallet
    client: Client

    @property
    def name(self) -> str:
        """How the story calls them."""
        return self.wallet.name.capitalize()

    @property
    def account(self) -> str:
        """Their address in the region."""
        return self.wallet.account

    async def balance(self, token: str) -> int:
        """What they have settled of a token. Units: the token's smallest."""
        answer = await self.client.get(f"/v1/accounts/{self.account}/balances")
        return next((int(b["settled"]) for b in answer["balances"] if b["token"] == token), 0)


def actor(home: Path, network: Network, name: str) -> Actor:
    """Return somebody, with the wallet they have or a new one."""
    wallet = load_wallet(home, name) if name in wallets(home) else new_wallet(home, name, f"{name}.tx")
    return Actor(wallet, Client(network, wallet.key))


def expires() -> str:
    """Return when a message of the story ends to count."""
    return format_time(int(time.time()) + MESSAGE_LIFE_S)


def register_message(client: Client, wallet: Wallet, transaction_id: str) -> bytes:
    """Return the signed registration of a wallet."""
    return client.sign(
        "register",
        transaction_id,
        {
            "user_id": wallet.user_id,
            "account": wallet.account,
            "handle": wallet.handle,
            "public_key": public_key_text(wallet.key),
            "residency": client.network.region,
        },
    )


def person_of(person: Person) -> dict[str, Any]:
    """Return what the KYC vendor wants to know."""
    return {
        "given_name": person.given_name,
        "family_name": person.family_name,
        "born_on": "1988-04-17",
        "address": {"street": "100 Congress Avenue", "city": person.city, "state": "TX", "postal_code": "78701"},
        "ssn_last4": "1234",
        "email": f"{person.name}@example.com",
    }


async def sign_up(
    who: Actor,
    person: dict[str, Any] | None = None,
    timeout_s: float = 60.0,
    business: dict[str, Any] | None = None,
) -> Any:
    """Register a person or a business, wait until it is settled, its identity decided and attested; returns the user.

    Errors: Unavailable when no decision comes in time.
    """
    (transaction_id,) = await who.client.new_ids()
    message = register_message(who.client, who.wallet, transaction_id).decode()
    path, party = ("/v1/businesses", {"business": business}) if business else ("/v1/users", {"person": person})
    await who.client.request("POST", path, json={"message": message, **party})
    found = await who.client.wait(transaction_id)
    if found["status"] == "rejected":
        return found
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            check = await who.client.get("/v1/users/me/identity")
        except ApiProblem as problem:
            if problem.code != "unknown_key":
                raise
            await asyncio.sleep(0.2)  # settled a moment ago: the API has not read the new key yet
            continue
        if _is_decided(check):
            return await who.client.get("/v1/users/me")
        await asyncio.sleep(0.2)
    raise Unavailable(f"The identity of {who.name} is still being checked.", code="still_waiting")


def _is_decided(check: dict[str, Any]) -> bool:
    """Return whether an identity check has ended, with all that follows from it on chain."""
    if check["status"] != "passed":
        return check["status"] in ("failed", "review", "documents_required")
    wanted = {"dollar", "cash"} if check["residency"]["status"] == "passed" else {"dollar"}
    return wanted <= {one["domain"] for one in check["established"]}
