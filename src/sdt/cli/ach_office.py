"""`sdt ach files | entries | inbound | rates | deliver | dishonor | authorise`: ACH as a custodian sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sdt.cli.ach import ach
from sdt.cli.officers import AsOfficer, officer_client, told
from sdt.cli.options import Home, Json, run, show
from sdt.domain.errors import Conflict

__all__ = ["ach"]

Limit = Annotated[int, typer.Option(min=1, max=500, help="How many at most.")]


async def _asked(home: Path, officer: str, path: str, **query: str) -> Any:
    async with officer_client(home, officer) as client:
        given = {name: value for name, value in query.items() if value}
        return await client.request("GET", f"/v1/office/ach/{path}", query=given, prove=True)


@ach.command("files")
def files(officer: AsOfficer = "treasury", limit: Limit = 20, home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """List the files we made, the newest first, and where each stands.

    built: stored, not sent; sending, unknown: the bank is asked before anything is sent again; delivered, filed,
    acknowledged: the bank has it; rejected: nothing of it moved; disputed: the bank has another one under this name.
    """
    found = run(_asked(home, officer, "files", limit=str(limit)))
    lines = [
        f"{one['name']:24} {one['status']:12} {one['entries']:>6} entries  debits {_dollars(one['debits'])}  "
        f"credits {_dollars(one['credits'])}" + (f"  [red]{one['code']}[/red]" if one["code"] else "")
        for one in found["files"]
    ]
    show(found, as_json, "\n".join(lines) or "No file was made yet.")


@ach.command("entries")
def entries(
    file: Annotated[str, typer.Option("--file", help="Those of a file, by their traces.")] = "",
    trace: Annotated[str, typer.Option("--trace", help="The one with this trace number.")] = "",
    officer: AsOfficer = "treasury",
    limit: Limit = 50,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """List the entries of a file, one by its trace number, or those that wait for the next file.

    [bold]sdt ach entries --file TXD-20261127-A.ach[/bold]
    """
    found = run(_asked(home, officer, "entries", file=file, trace=trace, limit=str(limit)))
    lines = [
        f"{one['trace'] or '(no trace yet)':15} {one['status']:13} {one['sec_code']} {one['direction']:6} "
        f"{_dollars(one['amount']) if one['amount'] else '(hidden)':>14}  {one['purpose']:8} "
        + (one["return_code"] or one["settled_on"] or one["effective_on"] or "")
        for one in found["entries"]
    ]
    show(found, as_json, "\n".join(lines) or "No entries.")


@ach.command("inbound")
def inbound(
    officer: AsOfficer = "treasury", limit: Limit = 20, home: Home = Path(".sdt"), as_json: Json = False
) -> None:
    """List the bank's files for us: acknowledgements, returns, notifications of change, and what reading them found."""
    found = run(_asked(home, officer, "inbound", limit=str(limit)))
    lines = [
        f"{one['day']}  {one['name']:40} {one['kind']:10} {one['status']:7} {one['records']:>5} records"
        + (f", {one['unmatched']} of them nobody's" if one["unmatched"] else "")
        + (f"  [red]{one['detail']}[/red]" if one["detail"] else "")
        for one in found["files"]
    ]
    show(found, as_json, "\n".join(lines) or "Nothing came in yet.")


@ach.command("rates")
def rates(
    on: Annotated[str, typer.Option("--on", help="The 60 days to this day, such as 2026-11-27.")] = "",
    officer: AsOfficer = "treasury",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Show how often our debits come back, beside the levels of the network."""
    found = run(_asked(home, officer, "rates", on=on))
    lines = [f"60 days to {found['on']}"]
    lines += [
        f"{one['name']:15} {one['ppm'] / 10_000:6.2f} %  ({one['returned']} of {one['originated']}), "
        f"level {one['level_ppm'] / 10_000:g} %" + ("  [red]above[/red]" if one["above"] else "")
        for one in found["rates"]
    ]
    show(found, as_json, "\n".join(lines))


@ach.command("deliver")
def deliver(
    name: Annotated[str, typer.Argument(help="A file's name, as `sdt ach files` shows it.")],
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Let the worker try a file again now instead of after its pause.

    A file that nobody answered for is asked about first: it never goes out twice.
    """
    from sdt.backends import open_database
    from sdt.local.platform import settings_of
    from sdt.store import ach_files

    store = open_database(settings_of(home))
    try:
        with store.transaction():
            waits = ach_files.try_now(store, name)
    finally:
        store.close()
    if not waits:
        raise Conflict(f"{name} does not wait to be delivered; see `sdt ach files`.", code="ach_file_not_waiting")
    show({"file": name, "tried": True}, as_json, f"{name} is tried at the worker's next look.")


@ach.command("dishonor")
def dishonor(
    entry: Annotated[str, typer.Argument(help="The trace number of the entry that came back; 15 digits.")],
    reason: Annotated[str, typer.Option(help="R61, R67, R68, R69 or R70; `sdt ach codes R68` says what it means.")],
    because: Annotated[str, typer.Option(help="Why, in words, for the file.")] = "",
    fields: Annotated[str, typer.Option(help="For R69: numbers of the wrong fields, such as 01,05.")] = "",
    officer: AsOfficer = "treasury",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Send a return back to the bank it came from, because it came late or wrong.

    [bold]sdt ach dishonor 111000020000001 --reason R68[/bold]

    Within five banking days of the return. It waits for a second officer (`sdt office agree`) and then for the next
    file. R69 fields: 01 account number, 04 individual id, 05 transaction code, 06 company id, 07 effective date.
    """
    from sdt.domain.ach.codes import RETURNS

    code = reason.upper()
    claims: dict[str, Any] = {"trace": entry, "code": code}
    claims["reason"] = because or (RETURNS[code].title if code in RETURNS else code)
    if fields:
        claims["fields"] = fields.split(",")
    found = run(_act(home, officer, "dishonor_return", claims))
    show(found, as_json, told(found))


async def _act(home: Path, officer: str, kind: str, claims: dict[str, Any]) -> Any:
    async with officer_client(home, officer) as client:
        return await client.act(kind, claims)


def _dollars(digits: str) -> str:
    cents = int(digits)
    return f"${cents // 100:,}.{cents % 100:02d}"


@ach.command("authorise")
def authorise(
    bank_account: Annotated[str, typer.Argument(help="Reference of the linked bank account.")],
    account: Annotated[str, typer.Option(help="The holder's account: 0x….")],
    amount: Annotated[str, typer.Option(metavar="UNITS", help="Cents: of the one debit, or of each at most.")],
    given_on: Annotated[str, typer.Option(help="The day of the call or the paper: 2026-11-27.")],
    ends_on: Annotated[str, typer.Option(help="The last day on which it counts; within two years.")],
    evidence: Annotated[str, typer.Option(help="SHA-256 of the recording or the paper; it counts once.")],
    reason: Annotated[str, typer.Option(help="Why, for the file.")],
    by: Annotated[str, typer.Option(help="telephone (class TEL), or writing (class PPD).")] = "telephone",
    recurring: Annotated[bool, typer.Option("--recurring", help="Several debits, not one.")] = False,
    token: Annotated[str, typer.Option(help="The dollar token.")] = "TXD",  # noqa: S107
    officer: AsOfficer = "treasury",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Record that a holder authorised debits by telephone or in writing. A second custodian or the approver agrees.

    [bold]sdt ach authorise REF --account 0x… --amount 5000 --given-on 2026-11-27 --ends-on 2026-12-31 …[/bold]
    """
    claims = {
        "account": account,
        "bank_account": bank_account,
        "token": token,
        "by": by,
        "recurrence": "recurring" if recurring else "single",
        "amount": amount,
        "given_on": given_on,
        "ends_on": ends_on,
        "evidence": evidence,
        "reason": reason,
    }
    act = run(_act(home, officer, "record_authorisation", claims))
    show(act, as_json, told(act))
