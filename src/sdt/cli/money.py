"""`sdt money`: the money at the bank explained, and the officers' acts that set right what the bank undid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sdt.cli.officers import AsOfficer, officer_client, told
from sdt.cli.options import Home, Json, run, show

__all__ = ["money"]

money = typer.Typer(no_args_is_help=True, help="The money at the bank, and what officers do about what it undid.")

Reason = Annotated[str, typer.Option(help="Why, for the file.")]
Cents = Annotated[str, typer.Option(metavar="UNITS", help="How much, in the token's smallest unit (cents).")]
Deposit = Annotated[str, typer.Argument(metavar="DEPOSIT", help="The deposit that came back.")]
Evidence = Annotated[str, typer.Option(help="SHA-256 of the bank's word that the dollars came in; it counts once.")]


async def _asked(home: Path, officer: str) -> Any:
    async with officer_client(home, officer) as client:
        return await client.request("GET", "/v1/office/money", prove=True)


async def _act(home: Path, officer: str, kind: str, claims: dict[str, Any]) -> Any:
    async with officer_client(home, officer) as client:
        return await client.act(kind, claims)


@money.command("show")
def show_money(officer: AsOfficer = "treasury", home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Explain each clearing account item by item, and say what covers debits that may still come back.

    What is kept apart is one sum to all but the compliance officer.
    """
    found = run(_asked(home, officer))
    show(found, as_json, "\n".join(line for one in found["tokens"] for line in _lines(one)))


def _lines(one: dict[str, Any]) -> list[str]:
    cover = one["cover"]
    short = f"  [red]short by {_dollars(cover['short'])}: nothing is minted by ACH[/red]" if int(cover["short"]) else ""
    return [
        f"[bold]{one['token']}[/bold]  clearing {_dollars(one['clearing'])}  reserve {_dollars(one['reserve'])}  "
        f"supply {_dollars(one['supply'])}",
        *(f"  {i['kind']:24} {_dollars(i['amount']):>18}  {i['transaction_id'] or ''}" for i in one["items"]),
        f"  cover: {_dollars(cover['exposure'])} may come back, {_dollars(cover['required'])} is required; "
        f"prefund {_dollars(cover['prefund'])}, loss fund {_dollars(cover['loss_fund'])}{short}",
    ]


@money.command("repay")
def repay(
    deposit: Deposit,
    amount: Cents,
    evidence: Evidence,
    reason: Reason,
    officer: AsOfficer = "treasury",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Record that a debtor paid into clearing. A second custodian or the approver agrees.

    [bold]sdt money repay 0192… --amount 5000 --evidence 9f86… --reason "Wire of 12 March." --as treasury[/bold]
    """
    claims = {"deposit": deposit, "amount": amount, "evidence": evidence, "reason": reason}
    _told(run(_act(home, officer, "record_repayment", claims)), as_json)


@money.command("write-off")
def write_off(
    deposit: Deposit,
    amount: Cents,
    reason: Reason,
    bearer: Annotated[str, typer.Option(help="loss_fund (dollars), or loss_account (tokens, by the issuer).")],
    officer: AsOfficer = "administrator-1",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Give up what nobody pays. An administrator or the approver agrees.

    Tokens of the loss account are burnt by the issuer, with the approver: `sdt office agree` prints the command that
    signs it, and `sdt office list --json` shows its claims as `to_sign`.
    """
    claims = {"deposit": deposit, "amount": amount, "bearer": bearer, "reason": reason}
    _told(run(_act(home, officer, "write_off", claims)), as_json)


@money.command("endow")
def endow(
    token: Annotated[str, typer.Argument(help="The dollar token.")],
    amount: Cents,
    evidence: Evidence,
    reason: Reason,
    officer: AsOfficer = "administrator-1",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Record that the region put dollars into its loss fund. An administrator or the approver agrees."""
    claims = {"token": token, "amount": amount, "evidence": evidence, "reason": reason}
    _told(run(_act(home, officer, "endow_loss_fund", claims)), as_json)


@money.command("suspense")
def suspense(
    redemption: Annotated[str, typer.Argument(help="The redemption whose payout came back.")],
    way: Annotated[str, typer.Option(help="remint: back to its owner; unclaimed: held for the State.")],
    reason: Reason,
    officer: AsOfficer = "treasury",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Dispose of a payout in suspense. A second custodian or the approver agrees."""
    claims = {"redemption": redemption, "way": way, "reason": reason}
    _told(run(_act(home, officer, "settle_suspense", claims)), as_json)


@money.command("pay")
def pay(
    transaction: Annotated[str, typer.Argument(help="The deposit or redemption whose dollars are kept apart.")],
    bank_account: Annotated[str, typer.Option(help="Reference of a bank account that its owner linked and proved.")],
    evidence: Annotated[str, typer.Option(help="SHA-256 of what shows that the owner asked for this account.")],
    reason: Reason,
    officer: AsOfficer = "treasury",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Pay what is kept apart to another bank account of its owner. A second custodian or the approver agrees."""
    claims = {"transaction": transaction, "bank_account": bank_account, "evidence": evidence, "reason": reason}
    _told(run(_act(home, officer, "pay_suspense", claims)), as_json)


@money.command("surplus")
def surplus(
    kept: Annotated[str, typer.Argument(help="The deposit, or the bank's number of currency that was counted.")],
    token: Annotated[str, typer.Option(help="The dollar token.")],
    way: Annotated[str, typer.Option(help="deposit: currency for a deposit; unclaimed: held for the State.")],
    evidence: Annotated[str, typer.Option(help="SHA-256 of the papers; they count once.")],
    reason: Reason,
    deposit: Annotated[str | None, typer.Option(help="The deposit that asks for just that currency.")] = None,
    officer: AsOfficer = "treasury",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Dispose of dollars in suspense that are no payout's. A second custodian or the approver agrees.

    [bold]sdt money surplus cur_01 --token TXD --way deposit --deposit 0192… --evidence 9f… --reason "A slip."[/bold]
    """
    claims = {"kept": kept, "token": token, "way": way, "evidence": evidence, "reason": reason}
    claims |= {"deposit": deposit} if deposit else {}
    _told(run(_act(home, officer, "settle_surplus", claims)), as_json)


@money.command("release")
def release(
    transaction: Annotated[str, typer.Argument(help="The deposit or redemption whose dollars are blocked.")],
    order: Annotated[str, typer.Option(help="Number of the licence, or of the removal from the list.")],
    reason: Reason,
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Let blocked dollars go on under a licence. A second compliance officer agrees.

    What the bank has set apart is asked back first, and goes on when its statement shows it.
    """
    claims = {"transaction": transaction, "order": order, "reason": reason}
    _told(run(_act(home, officer, "release_block", claims)), as_json)


def _told(act: dict[str, Any], as_json: bool) -> None:
    show(act, as_json, told(act))


def _dollars(digits: str) -> str:
    cents = int(digits)
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"
