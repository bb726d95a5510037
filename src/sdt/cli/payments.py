"""What a user does: pay, deposit, redeem, and look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdt.cli.options import As, Home, Json, run, show, show_ended

if TYPE_CHECKING:
    from sdt.demo.people import Actor
    from sdt.domain.region import Token

__all__ = ["balance", "deposit", "pay", "redeem", "transaction"]

Amount = Annotated[str, typer.Argument(help="How much, in whole tokens: 12.50 dollars, 2.5 grams.")]
Symbol = Annotated[str, typer.Argument(help="Which token: TXD or TXG.")]


def pay(
    payee: Annotated[str, typer.Argument(help="Whom: a handle such as bob.tx.")],
    amount: Amount,
    token: Symbol = "TXD",  # noqa: S107
    payer: As = "alice",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Pay somebody, and wait until it is final on chain.

    [bold]sdt pay bob.tx 12.50 TXD --as alice[/bold]
    """

    async def work(who: Actor, of: Token) -> str:
        bound = await who.client.get(f"/v1/handles/{payee}", prove=False)
        claims = {
            "payer": who.account,
            "payee": bound["account"],
            "payee_handle": payee,
            "fee_max": str(of.fee(_units(amount, of))),
            "memo": "",
        }
        return await _send(who, of, "transfer", amount, claims)

    _do(home, payer, token, work, as_json, f"{amount} {token} to {payee}")


def deposit(
    amount: Amount,
    token: Symbol = "TXD",  # noqa: S107
    owner: As = "alice",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Bring dollars in by ACH from your linked bank account, and wait until the tokens are minted.

    In the sandbox an amount ending in 4.20 is returned by the bank as R01.
    """

    async def work(who: Actor, of: Token) -> str:
        claims = {"account": who.account, "source": await _bank_account(who)}
        return await _send(who, of, "deposit", amount, claims)

    _do(home, owner, token, work, as_json, f"deposit of {amount} {token}", timeout_s=300)


def redeem(
    amount: Amount,
    token: Symbol = "TXD",  # noqa: S107
    owner: As = "alice",
    counter: Annotated[str, typer.Option("--counter", help="For metal: where it is handed over.")] = "austin-1",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Take value out: dollars to your linked bank account, metal at a depository's counter.

    Dollars are burnt, then the bank pays. Metal is handed over in whole bars: they are set aside and brought to the
    counter, then your tokens are burnt, then the bars are yours. An amount that no bars weigh exactly is refused.

    [bold]sdt redeem 999.9146 TXG --as carol --counter austin-1[/bold]
    """

    async def work(who: Actor, of: Token) -> str:
        destination = await _bank_account(who) if of.domain == "dollar" else f"delivery:{counter}"
        claims = {"account": who.account, "fee_max": "0", "destination": destination}
        return await _send(who, of, "redeem", amount, claims)

    _do(home, owner, token, work, as_json, f"redemption of {amount} {token}", timeout_s=300)


def balance(owner: As = "alice", home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Show what an account holds of each token: settled, on hold, available."""

    async def work() -> tuple[Any, str]:
        who, region = await _actor(home, owner)
        try:
            found = await who.client.get(f"/v1/accounts/{who.account}/balances")
        finally:
            await who.client.close()
        lines = []
        for one in found["balances"]:
            amount = region.token(one["token"]).amount
            held = f"   {amount(int(one['held']))} on its way out" if int(one["held"]) else ""
            lines.append(f"  {one['token']:5} {amount(int(one['available']))!s:>20}{held}")
        return found, f"{who.wallet.handle}\n" + "\n".join(lines)

    found, text = run(work())
    show(found, as_json, text)


def transaction(
    transaction_id: Annotated[str, typer.Argument(help="The id that `pay` printed.")],
    owner: As = "",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Show where a transaction stands, and why if it was refused. With --as a party: amounts and the message too."""

    async def work() -> Any:
        from sdt.client import Client
        from sdt.local.platform import network_of

        if owner:
            who, _ = await _actor(home, owner)
            client = who.client
        else:
            client = Client(await network_of(home))
        async with client:
            return await client.transaction(transaction_id, prove=bool(owner))

    found = run(work())
    words = [f"{found['transaction_id']}  {found['status']}"]
    if found.get("code"):
        words.append(f"  {found['code']}: {found.get('detail')}")
    if found.get("rule"):
        words.append(f"  rule {found['rule']}, {found['statute']}, in effect since {found['effective']}")
    if found.get("chain_transaction"):
        words.append(f"  batch {found['batch_number']}, block {found['block']}, {found['chain_transaction']}")
    show(found, as_json, "\n".join(words))


def _do(
    home: Path,
    name: str,
    token: str,
    work: Callable[[Actor, Token], Awaitable[str]],
    as_json: bool,
    what: str,
    timeout_s: float = 60,
) -> None:
    """Send one message for somebody, wait for its end, and print it; refused is exit status 1."""

    async def whole() -> Any:
        who, region = await _actor(home, name)
        try:
            transaction_id = await work(who, region.token(token))
            return await who.client.wait(transaction_id, until=("completed",), timeout_s=timeout_s)
        finally:
            await who.client.close()

    show_ended(what, run(whole()), as_json)


async def _actor(home: Path, name: str) -> tuple[Actor, Any]:
    from sdt.demo.people import actor
    from sdt.local.platform import network_of, region_of
    from sdt.wallet import load_wallet

    load_wallet(home, name)
    return actor(home, await network_of(home), name), region_of(home)


def _units(amount: str, token: Token) -> int:
    from sdt.domain.money import parse_decimal

    return parse_decimal(amount, token.asset).units


async def _send(who: Actor, token: Token, kind: str, amount: str, claims: Mapping[str, object]) -> str:
    from sdt.demo.people import expires

    base = {"token": token.symbol, "amount": str(_units(amount, token)), "expires_at": expires()}
    return await who.client.submit(kind, {**base, **claims})


async def _bank_account(who: Actor) -> str:
    """The first linked bank account, or a new one with an invented number."""
    linked = await who.client.get("/v1/users/me/bank-accounts")
    if linked["bank_accounts"]:
        return str(linked["bank_accounts"][0]["ref"])
    details = {
        "routing_number": "021000021",
        "account_number": f"0009{int(who.account[2:10], 16) % 10**8:08d}",
        "kind": "checking",
        "holder": who.name,
    }
    made = await who.client.request("POST", "/v1/users/me/bank-accounts", json=details, prove=True)
    return str(made["ref"])
