"""What a customer does, one signed message each: link a bank account, deposit, pay, redeem; each returns at once."""

from __future__ import annotations

from typing import Any

from sdt.demo.people import ROUTING_NUMBER, Actor, expires

__all__ = ["deposit", "drop_off", "link_bank", "pay", "redeem", "transfer_claims"]


async def link_bank(who: Actor, account_number: str, holder: str, kind: str = "checking") -> str:
    """Link a bank account; return the reference that messages name it by."""
    details = {"routing_number": ROUTING_NUMBER, "account_number": account_number, "kind": kind, "holder": holder}
    answer = await who.client.request("POST", "/v1/users/me/bank-accounts", json=details, prove=True)
    return str(answer["ref"])


async def deposit(who: Actor, token: str, units: int, source: str) -> str:
    """Ask for a deposit from a bank account or a drop-off; return its id. Units: the token's smallest."""
    claims = {"token": token, "account": who.account, "amount": str(units), "source": source, "expires_at": expires()}
    return await who.client.submit("deposit", claims)


async def drop_off(who: Actor, token: str, units: int, counter: str = "austin-1") -> str:
    """Announce metal at a counter; return the deposit's id, which the clerk writes on the bar's intake."""
    transaction_id = await deposit(who, token, units, f"dropoff:{counter}")
    await who.client.wait(transaction_id, until=("awaiting_funds",))
    return transaction_id


async def pay(giver: Actor, taker: Actor, token: str, units: int) -> str:
    """Pay the account that is bound to somebody's handle; return the payment's id."""
    bound = await giver.client.get(f"/v1/handles/{taker.wallet.handle}", prove=False)
    return await giver.client.submit("transfer", transfer_claims(giver, taker, token, units, bound["account"]))


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


async def redeem(who: Actor, token: str, units: int, destination: str) -> str:
    """Take value out, to a bank account or a depository's counter; return the redemption's id."""
    claims = {
        "token": token,
        "account": who.account,
        "amount": str(units),
        "fee_max": "0",
        "destination": destination,
        "expires_at": expires(),
    }
    return await who.client.submit("redeem", claims)
