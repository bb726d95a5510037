"""`sdt user`: wallets on this machine and the accounts behind them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sdt.cli.identity import PartyFile, read_party
from sdt.cli.options import Home, Json, run, show

__all__ = ["user"]

user = typer.Typer(no_args_is_help=True, help="Wallets on this machine, and the accounts behind them.")


@user.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A name for the wallet; the handle becomes NAME.tx.")],
    given_name: Annotated[str, typer.Option(help="Given name, for the identity check.")] = "",
    family_name: Annotated[
        str, typer.Option(help="Family name; FAIL, REVIEW and DOCS have those outcomes.")
    ] = "Sample",
    state: Annotated[str, typer.Option(help="State of the home address; only Texans enter the cash domain.")] = "TX",
    file: PartyFile = None,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Make a wallet, register it, and wait for the identity check.

    The key stays in a file on this machine that only you can read; the platform never sees it.

    [bold]sdt identity example --business > shop.json && sdt user add shop --file shop.json[/bold]

    A file with a legal_name registers a business, with who controls it and its owners of a quarter or more.
    """
    party = read_party(file) if file else {}
    found = run(_add(home, name.lower(), given_name or name.capitalize(), family_name, state, party))
    show(found, as_json, f"{found.get('handle', name)}: {found.get('kyc_status') or found.get('status')}, {found}")


async def _add(home: Path, name: str, given_name: str, family_name: str, state: str, party: dict[str, Any]) -> Any:
    from sdt.demo.people import PEOPLE, Person, actor, person_of, sign_up
    from sdt.local.platform import network_of

    who = actor(home, await network_of(home), name)
    try:
        if party:
            return await sign_up(who, **party)
        invented = PEOPLE.get(name) or Person(name, given_name, family_name, "Austin", "000999888001")
        person = person_of(Person(name, given_name, family_name, invented.city, invented.account_number))
        person["address"]["state"] = state
        return await sign_up(who, person)
    finally:
        await who.client.close()


@user.command("show")
def show_user(
    name: Annotated[str, typer.Argument(help="Whose wallet.")], home: Home = Path(".sdt"), as_json: Json = False
) -> None:
    """Show an account as its owner sees it: identity, domains, freezes."""
    found = run(_me(home, name))
    domains = ", ".join(f"{i['domain']} (tier {i['tier']})" for i in found["identities"]) or "none yet"
    text = f"{found['handle']}  {found['account']}\n  identity {found['kyc_status']}, domains: {domains}"
    show(found, as_json, text)


async def _me(home: Path, name: str) -> Any:
    from sdt.demo.people import actor
    from sdt.local.platform import network_of
    from sdt.wallet import load_wallet

    load_wallet(home, name)
    who = actor(home, await network_of(home), name)
    try:
        return await who.client.get("/v1/users/me")
    finally:
        await who.client.close()


@user.command("list")
def list_users(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """List the wallets on this machine."""
    from sdt.wallet import load_wallet, wallets

    found = [
        {"name": n, "handle": w.handle, "account": w.account} for n in wallets(home) for w in [load_wallet(home, n)]
    ]
    show(
        found, as_json, "\n".join(f"{w['name']:12} {w['handle']:16} {w['account']}" for w in found) or "no wallets yet"
    )


class KeyRoleName(StrEnum):
    """What another key of an account may do."""

    manager = "manager"
    payer = "payer"
    viewer = "viewer"


@user.command("key")
def key(
    name: Annotated[str, typer.Argument(help="Whose wallet, with a manager's key.")],
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="A name for the wallet with the new key.")],
    role: Annotated[KeyRoleName, typer.Option(help="manager: everything; payer: value; viewer: reads.")] = (
        KeyRoleName.payer
    ),
    token: Annotated[str, typer.Option(help="Of this token alone; empty for every one.")] = "",
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the key counts.")] = 365,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Give somebody else a key of their own for an account: a clerk of a business, or a second device.

    [bold]sdt user key shop clerk --role payer --token TXD[/bold]

    What the key may do stands on chain, and every signer holds to it.
    """
    found = run(_key(home, name, new_name, role.value, token, days))
    show(found, as_json, f"{new_name}: {role.value} of {name}, {found['status']}")


async def _key(home: Path, name: str, new_name: str, role: str, token: str, days: int) -> Any:
    import time

    from sdt.client import public_key_text
    from sdt.demo.people import actor
    from sdt.domain.message import format_time
    from sdt.local.platform import network_of
    from sdt.wallet import load_wallet, shared_wallet

    owner = load_wallet(home, name)
    who = actor(home, await network_of(home), name)
    try:
        wallet = shared_wallet(home, new_name, owner)
        claims = {
            "account": owner.account,
            "public_key": public_key_text(wallet.key),
            "action": "add",
            "expires_at": format_time(int(time.time()) + days * 86_400),
            "role": role,
            "token": token,
        }
        return await who.client.wait(await who.client.submit("rotate_key", claims))
    finally:
        await who.client.close()
