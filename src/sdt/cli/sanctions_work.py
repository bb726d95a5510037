"""The officers' and the operator's part of `sdt sanctions`: load a list, look at who may be on it, decide."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdt.cli.officers import AsOfficer, officer_client, told
from sdt.cli.options import Home, Json, run, show
from sdt.domain.errors import Unprocessable

if TYPE_CHECKING:
    from sdt.workflows.sanctions_lists import Loaded

__all__ = ["clear", "confirm", "freeze", "ignore", "lift", "load", "queue", "show_review", "status"]

CaseId = Annotated[str, typer.Argument(metavar="CASE", help="The review's id, as `sdt sanctions queue` shows it.")]
Reason = Annotated[str, typer.Option(help="Why, for the file: what was compared, and what differs or agrees.")]


async def _get(home: Path, officer: str, path: str, query: dict[str, str] | None = None) -> Any:
    async with officer_client(home, officer) as client:
        return await client.request("GET", path, query=query, prove=True)


async def _act(home: Path, officer: str, kind: str, claims: dict[str, Any]) -> Any:
    async with officer_client(home, officer) as client:
        return await client.act(kind, claims)


def status(officer: AsOfficer = "compliance", home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Say which list is in force, how far everybody is screened against it, and who waits for a decision."""
    found = run(_get(home, officer, "/v1/office/sanctions"))
    show(found, as_json, "\n".join(_status_lines(found)))


def _status_lines(found: dict[str, Any]) -> list[str]:
    in_force, progress = found["in_force"], found["progress"]
    if in_force is None:
        return ["[red]No list is in force: nobody passes.[/red]  sdt sanctions load FOLDER"]
    return [
        f"in force    the list of {in_force['list_date']}, {in_force['entries']} entries, {in_force['names']} names",
        f"            {in_force['digest']}",
        f"screened    {progress['screened']} of {progress['people']}, {progress['left']} left",
        f"in review   {progress['review']}, blocked {progress['blocked']}",
        *(
            f"loaded      {one['list_date']}  +{one['added']} -{one['removed']} ~{one['changed']}  {one['digest']}"
            for one in found["editions"]
        ),
    ]


def load(
    folder: Annotated[
        Path, typer.Argument(help="OFAC's sdn.xml, or sdn.csv, alt.csv and add.csv; cons_*.csv beside them.")
    ],
    list_date: Annotated[
        str | None, typer.Option("--date", help="The list's day (CSV files carry none): 2026-11-26.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Put it in force though it is older; that takes a second officer.")
    ] = False,
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Load a list as the operator, and put it in force as an officer. Everybody is screened again.

    [bold]sdt sanctions load ofac-2026-11-26/ --date 2026-11-26[/bold]

    An empty, damaged or half list is refused, and so is an older one without --force: the one in force stays. One that
    lacks or changes a tenth of the one in force waits for a second officer.
    """
    loaded = _load(home, folder, date.fromisoformat(list_date) if list_date else None)
    row = loaded.row
    claims = {"digest": row.digest, "list_date": row.list_date, "older": force}
    act = run(_act(home, officer, "set_sanctions_list", claims))
    facts = {**row._asdict(), "new": loaded.new, "act": act}
    lines = [
        f"The list of {row.list_date}: {row.entries} entries, {row.names} names, {row.digest}",
        f"  {row.added} added, {row.removed} removed, {row.changed} changed",
        told(act),
    ]
    show(facts, as_json, "\n".join(lines))


def _load(home: Path, folder: Path, list_date: date | None) -> Loaded:
    from sdt.backends import open_database
    from sdt.local.platform import settings_of
    from sdt.workflows.sanctions_lists import load as load_list

    settings = settings_of(home)
    store = open_database(settings)
    try:
        now_ms = time.time_ns() // 1_000_000
        return load_list(store, settings.home, folder, list_date=list_date, by="operator", now_ms=now_ms)
    finally:
        store.close()


def queue(
    decided: Annotated[bool, typer.Option("--decided", help="Show those that are decided.")] = False,
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """List who may be on the list and waits for a decision, the longest waiting first."""
    found = run(_get(home, officer, "/v1/office/reviews", {"decided": str(decided).lower(), "limit": "200"}))
    lines = [
        f"{one['opened_at']}  {one['case_id']}  {one['score']:3}  {one['matches']} matches  {one['status']}"
        for one in found["reviews"]
    ]
    show(found, as_json, "\n".join(lines) or "Nobody waits.")


def show_review(
    case: CaseId, officer: AsOfficer = "compliance", home: Home = Path(".sdt"), as_json: Json = False
) -> None:
    """Show a review: who, which entries may be meant, why, and what waits for the decision."""
    found = run(_get(home, officer, f"/v1/office/reviews/{case}"))
    lines = [f"[bold]{found['case_id']}[/bold]  {found['status']}, account {found['account']}"]
    for one in found["people"] or ():
        born = f", born {one['born_on']}" if one["born_on"] else ""
        lines.append(f"  {one['role']:9} {one['name']}{born}, {one['street']}, {one['city']}")
    for match in found["found"]:
        lines.append(f"  [bold]{match['score']}[/bold]  {match['listed_name']} ({match['uid']}, {match['programs']})")
        lines += [f"       {sentence}" for sentence in match["sentences"]]
    if found["ownership"]:
        lines.append(f"  {found['ownership']}")
    lines.append(f"  {len(found['transactions'])} transactions wait")
    lines.append("  clearing takes a second officer" if found["takes_two"] else "  one officer may clear it")
    show(found, as_json, "\n".join(lines))


def clear(
    case: CaseId,
    reason: Reason,
    days: Annotated[
        int, typer.Option(min=1, max=1096, help="For how long these people are not asked about again.")
    ] = 365,
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Say that it is somebody else: what waits goes on. A strong likeness takes a second officer.

    [bold]sdt sanctions clear 3f0c1d9e-… --reason "Born 1988 in Austin; the listed 1961 in Nowhere."[/bold]
    """
    found = run(_act(home, officer, "clear_match", {"case": case, "reason": reason, "ignore_days": days}))
    show(found, as_json, told(found))


def confirm(
    case: CaseId,
    reason: Reason,
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Say that it is the listed: the account is blocked once a second officer agrees, and a report is due.

    Then sign the freeze, which goes on chain: [bold]sdt sanctions freeze CASE[/bold]
    """
    found = run(_act(home, officer, "confirm_match", {"case": case, "reason": reason}))
    show(found, as_json, told(found))


def freeze(case: CaseId, officer: AsOfficer = "compliance", home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Sign and send the freeze of an account whose match was confirmed."""
    found = run(_freeze(home, officer, case))
    show(found, as_json, f"freeze {found['transaction_id']}: sent; sdt transaction {found['transaction_id']}")


async def _freeze(home: Path, officer: str, case: str) -> dict[str, Any]:
    async with officer_client(home, officer) as client:
        review = await client.get(f"/v1/office/reviews/{case}")
        if review["freeze"] is None:
            raise Unprocessable("This review was not confirmed by two officers.", code="not_confirmed")
        return {"transaction_id": await client.submit("freeze", review["freeze"]), "claims": review["freeze"]}


def lift(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account that is blocked: 0x….")],
    order: Annotated[str, typer.Option(help="Number of the licence, or of the removal from the list.")],
    evidence: Annotated[str, typer.Option(help="SHA-256 of that paper.")],
    reason: Reason,
    days: Annotated[
        int, typer.Option(min=1, max=1096, help="For how long these people are not asked about again.")
    ] = 365,
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Let a blocked account move again. A second compliance officer agrees.

    What is still blocked (`sdt money release`) and still frozen on chain is named in what comes of it.
    """
    claims = {"account": account, "order": order, "evidence": evidence, "reason": reason, "ignore_days": days}
    act = run(_act(home, officer, "lift_block", claims))
    show(act, as_json, told(act))


def ignore(
    end: Annotated[
        str | None, typer.Option("--end", metavar="MATCH", help="End this entry: the likeness is looked at again.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it ends, for the file.")] = "",
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """List what was cleared and is ignored, by whose act and until when; or end one entry of it.

    An entry ends by itself: at its time, when the list's entry changes, and when the people's data change.
    """
    if end is not None:
        act = run(_act(home, officer, "end_ignore", {"match": end, "reason": reason}))
        show(act, as_json, told(act))
        return
    found = run(_get(home, officer, "/v1/office/sanctions/ignored", {"limit": "200"}))
    lines = [
        f"until {one['ignored_until']}  {one['match_id']}  {one['score']:3}  entry {one['uid']}  {one['account']}"
        for one in found["ignored"]
    ]
    show(found, as_json, "\n".join(lines) or "Nothing is ignored.")
