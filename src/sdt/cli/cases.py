"""`sdt case`: what officers work, from a finding to a decision by two of them and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sdt.cli.officers import AsOfficer, officer_client, told
from sdt.cli.options import Home, Json, run, show

__all__ = ["case"]

case = typer.Typer(no_args_is_help=True, help="Officers' cases: what was noticed, and what was decided.")

CaseId = Annotated[str, typer.Argument(help="The case's id, as `sdt case list` shows it.")]


@case.command("list")
def list_(
    officer: AsOfficer = "compliance",
    status: Annotated[str | None, typer.Option(help="open, assigned, proposed, closed, to_report or reported.")] = None,
    kind: Annotated[str | None, typer.Option(help="sanctions, monitoring, currency, ach_return, …")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only what this officer works.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is late.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """List the cases that this officer's role works, the newest first.

    [bold]sdt case list --overdue --as compliance[/bold]
    """
    query = {name: value for name, value in (("status", status), ("kind", kind)) if value}
    if overdue:
        query["overdue"] = "true"
    found = run(_list(home, officer, query | {"limit": str(limit)}, mine))
    show(found, as_json, "\n".join(_line(one) for one in found["cases"]) or "No cases.")


def _line(one: dict[str, Any]) -> str:
    due = f"[red]late since {one['due_on']}[/red]" if one["overdue"] else f"due {one['due_on'] or 'never'}"
    rule = one["facts"].get("rule", "")
    return f"{one['case_id']}  {one['kind']:14} {one['status']:9} {rule:18} {due}"


async def _list(home: Path, officer: str, query: dict[str, str], mine: bool) -> Any:
    async with officer_client(home, officer) as client:
        chosen = query | ({"officer": client.kid} if mine else {})
        return await client.request("GET", "/v1/office/cases", query=chosen, prove=True)


@case.command("show")
def show_case(
    case_id: CaseId, officer: AsOfficer = "compliance", home: Home = Path(".sdt"), as_json: Json = False
) -> None:
    """Show a case with its file: facts, history, evidence."""
    found = run(_get(home, officer, case_id))
    lines = [_line(found), f"account {found['account']}, detected {found['detected_on']}"]
    lines += [f"  {name}: {value}" for name, value in found["facts"].items()]
    lines += [f"{one['at']}  {one['event']:12} {one['actor']}  {one['detail'] or ''}" for one in found["events"]]
    lines += [f"evidence  {one['kind']:12} {one['reference']}" for one in found["evidence"]]
    show(found, as_json, "\n".join(lines))


async def _get(home: Path, officer: str, case_id: str) -> Any:
    async with officer_client(home, officer) as client:
        return await client.get(f"/v1/office/cases/{case_id}")


@case.command("travel")
def travel(
    transaction_id: Annotated[str, typer.Argument(metavar="ID", help="The payment's id.")],
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Show who paid whom, of a payment of 3,000 dollars or more: originator and beneficiary as they were recorded.

    [bold]sdt case travel 0192… --as compliance[/bold]
    """
    from sdt.local.platform import region_of

    found = run(_travel(home, officer, transaction_id))
    amount, cents = region_of(home).token(found["token"]).amount(int(found["amount"])), int(found["value_cents"])
    lines = [
        f"{found['transaction_id']}  {found['at']}  {amount}, worth ${cents // 100:,}.{cents % 100:02d}",
        f"originator   {_party(found['originator'], found['payer'])}",
        f"beneficiary  {_party(found['beneficiary'], found['payee'])}",
        f"kept until {found['keep_until']}",
    ]
    show(found, as_json, "\n".join(lines))


async def _travel(home: Path, officer: str, transaction_id: str) -> Any:
    async with officer_client(home, officer) as client:
        return await client.get(f"/v1/office/travel-records/{transaction_id}")


def _party(party: dict[str, str] | None, account: str) -> str:
    """Write one side of a payment; of one that was erased, or of whom nothing was known, the account alone."""
    from rich.markup import escape

    if party is None:
        return f"{account}, of whom nothing is kept"
    known = (party[part] for part in ("name", "street", "city", "state", "postal_code", "account"))
    return escape(", ".join(known))


@case.command("take")
def take(case_id: CaseId, officer: AsOfficer = "compliance", home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Take a case: from now on it is yours to decide."""
    found = run(_act(home, officer, case_id, "assign", {"officer": None}))
    show(found, as_json, told(found))


@case.command("note")
def note(
    case_id: CaseId,
    text: Annotated[str, typer.Argument(help="What belongs into the file.")],
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Write something into a case's file."""
    found = run(_act(home, officer, case_id, "note", {"text": text}))
    show(found, as_json, told(found))


@case.command("decide")
def decide(
    case_id: CaseId,
    decision: Annotated[str, typer.Argument(help="nothing or report.")],
    reason: Annotated[str, typer.Option(help="Why, for the file.")],
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Propose how a case ends; it ends so when a second officer agrees.

    [bold]sdt case decide 3f0c1d9e-… nothing --reason "Sold a house." --as compliance[/bold]
    """
    found = run(_act(home, officer, case_id, "decide", {"decision": decision, "reason": reason}))
    show(found, as_json, told(found))


async def _act(home: Path, officer: str, case_id: str, step: str, claims: dict[str, Any]) -> Any:
    """Sign the act for this kind of case: those about the bank's entries have acts that a custodian may sign."""
    from sdt.domain.case_kinds import KINDS

    async with officer_client(home, officer) as client:
        found = await client.get(f"/v1/office/cases/{case_id}")
        bank = KINDS[found["kind"]].custodian and claims.get("decision") != "report"
        if "officer" in claims:
            claims["officer"] = client.kid
        return await client.act(f"{step}_{'bank_' if bank else ''}case", {"case": case_id, **claims})


@case.command("agree")
def agree(
    case_id: CaseId,
    officer: AsOfficer = "compliance-2",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Agree, as a second officer, to what was proposed: its exact words are shown first, and their digest is signed.

    To disagree: sdt office decline ACT_ID --reason "…".
    """
    from sdt.cli.office import second

    act_id = run(_proposal(home, officer, case_id))
    found = run(second(home, officer, act_id, "agree", {}, yes))
    show(found, as_json, told(found))


async def _proposal(home: Path, officer: str, case_id: str) -> str:
    from sdt.domain.errors import NotFound

    async with officer_client(home, officer) as client:
        query = {"subject": case_id, "status": "waiting"}
        found = await client.request("GET", "/v1/office/acts", query=query, prove=True)
    if not found["acts"]:
        raise NotFound("Nothing about this case waits for a second officer.", code="unknown_act")
    return str(found["acts"][0]["act_id"])


@case.command("filed")
def filed(
    case_id: CaseId,
    confirmation: Annotated[str, typer.Argument(help="The number that came back (the BSA Identifier).")],
    on: Annotated[str, typer.Option("--on", help="The day it was filed: 2026-11-26.")],
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Note that a report was filed and acknowledged under a number."""
    found = run(_file(home, officer, case_id, {"filed_on": on, "confirmation": confirmation}))
    show(found, as_json, told(found))


async def _file(home: Path, officer: str, case_id: str, claims: dict[str, Any]) -> Any:
    async with officer_client(home, officer) as client:
        return await client.act("mark_filed", {"case": case_id, **claims})


@case.command("report")
def report(
    case_id: CaseId,
    out: Annotated[Path, typer.Option("--out", help="The file to write; only you can read it. Never overwritten.")],
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Write a case's report as FinCEN's BSA E-Filing System takes it, and note its digest in the case's file.

    [bold]sdt case report 3f0c1d9e-… --out sar.xml --as compliance[/bold]

    A case of currency becomes Form 112, one that two officers decided to report Form 111. It is sent nowhere.
    """
    found = run(_report(home, officer, case_id, out))
    show(found, as_json, f"Form {found['form']}: {out}, SHA-256 {found['digest']}. Nothing was sent.")


async def _report(home: Path, officer: str, case_id: str, out: Path) -> Any:
    import hashlib

    from sdt.adapters.vault.private_file import write_private
    from sdt.domain.errors import Conflict

    if out.exists():
        raise Conflict(f"{out} is there already.", code="file_exists")
    async with officer_client(home, officer) as client:
        document = await client.download(f"/v1/office/cases/{case_id}/report")
        write_private(out, document)
        form = "ctr" if b">CTRX<" in document else "sar"
        digest = hashlib.sha256(document).hexdigest()
        act = await client.act("record_report", {"case": case_id, "form": form, "digest": digest})
        return {"form": form, "digest": digest, "file": str(out), "act_id": act["act_id"]}
