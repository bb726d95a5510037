"""`sdt user bank`: a user's own accounts at other banks, and the proof that they are theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sdt.cli.options import As, Home, Json, run, show

__all__ = ["bank"]

bank = typer.Typer(no_args_is_help=True, help="A user's accounts at other banks: link them, prove them.")
Ref = Annotated[str, typer.Argument(help="The account's reference, as `sdt user bank list` shows it.")]


async def _asked(home: Path, name: str, method: str, path: str, body: Any = None) -> Any:
    from sdt.demo.people import actor
    from sdt.local.platform import network_of
    from sdt.wallet import load_wallet

    load_wallet(home, name)
    who = actor(home, await network_of(home), name)
    try:
        given = {} if body is None else {"json": body}
        return await who.client.request(method, f"/v1/users/me/bank-accounts{path}", prove=True, **given)
    finally:
        await who.client.close()


def _line(one: dict[str, Any]) -> str:
    return f"{one['ref']}  {one['mask']}  {one['status']}"


@bank.command("link")
def link(
    routing: Annotated[str, typer.Argument(help="The bank's routing number, nine digits.")],
    account: Annotated[str, typer.Argument(help="The account's number.")],
    holder: Annotated[str, typer.Argument(help="Whose account it is, as the bank writes it.")],
    savings: Annotated[bool, typer.Option("--savings", help="A savings account, not a checking one.")] = False,
    name: As = "alice",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Link a bank account; the answer is the reference that deposits and redemptions name.

    [bold]sdt user bank link 111000025 000123456789 "Alice Example" --as alice[/bold]
    """
    body = {
        "routing_number": routing,
        "account_number": account,
        "kind": "savings" if savings else "checking",
        "holder": holder,
    }
    found = run(_asked(home, name, "POST", "", body))
    show(found, as_json, _line(found))


@bank.command("list")
def list_(name: As = "alice", home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """List the linked bank accounts and whether each is proved."""
    found = run(_asked(home, name, "GET", ""))
    show(found, as_json, "\n".join(_line(one) for one in found["bank_accounts"]) or "No bank account is linked.")


@bank.command("verify")
def verify(
    ref: Ref,
    prenote: Annotated[bool, typer.Option("--prenote", help="By an entry of zero, which takes three days.")] = False,
    name: As = "alice",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Begin to prove an account: two credits under a dollar go to it, and what was sent is taken back.

    At the sandbox, `sdt sandbox statement ACCOUNT_NUMBER` shows what the holder's own bank would: the two amounts.
    """
    body = {"method": "prenote" if prenote else "micro"}
    found = run(_asked(home, name, "POST", f"/{ref}/verification", body))
    show(found, as_json, _line(found))


@bank.command("confirm")
def confirm(
    ref: Ref,
    first: Annotated[int, typer.Argument(min=1, max=99, help="One of the two amounts, in cents.")],
    second: Annotated[int, typer.Argument(min=1, max=99, help="The other one.")],
    name: As = "alice",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Tell the two amounts that the statement shows, in either order. Three attempts are there."""
    body = {"first_cents": first, "second_cents": second}
    found = run(_asked(home, name, "POST", f"/{ref}/verification/confirm", body))
    show(found, as_json, _line(found))
