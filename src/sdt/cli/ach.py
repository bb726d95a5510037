"""`sdt ach`: read a NACHA file, and look up what its codes mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdt.cli.options import Json, console, show
from sdt.domain.errors import NotFound

if TYPE_CHECKING:
    from sdt.domain.nacha import NachaFile
    from sdt.domain.nacha.layout import Record

__all__ = ["ach"]

FAULTY_STATUS = 3
_PERSONAL = frozenset(
    {"account", "name", "individual_id", "corrected", "receiver_id", "street", "first", "second", "id"}
)
"""What tells who a receiver is: shown only when asked for."""

ach = typer.Typer(no_args_is_help=True, help="Files of the ACH network: look into one, look up a code.")


@ach.command("show")
def show_file(
    file: Annotated[Path, typer.Argument(help="A NACHA file.", exists=True, dir_okay=False)],
    personal: Annotated[bool, typer.Option("--personal", help="Show account numbers and names too.")] = False,
    as_json: Json = False,
) -> None:
    """Explain a NACHA file record by record, and say whether its totals agree with its entries.

    [bold]sdt ach show returns-2026-11-24.ach[/bold]

    Exit status: 0 when all totals agree, 3 when one does not, 1 when the file cannot be read.
    """
    from sdt.domain.nacha import faults_of, read_file

    read = read_file(file.read_bytes())
    faults = [str(fault) for fault in faults_of(read)]
    records = list(_records(read, personal=personal))
    lines = [f"[bold]{r['record']}[/bold]  " + ", ".join(f"{k} {v}" for k, v in r["fields"].items()) for r in records]
    verdict = [f"[red]{fault}[/red]" for fault in faults] or ["All totals agree with the entries."]
    show({"records": records, "faults": faults}, as_json, "\n".join([*lines, "", *verdict]))
    if faults:
        raise typer.Exit(FAULTY_STATUS)


def _records(file: NachaFile, *, personal: bool) -> Iterator[dict[str, Any]]:
    from sdt.domain.nacha.addenda import Addenda98, Addenda99, ContestedReturn, DishonoredReturn

    for record in file.records():
        shown = {name: value for name, value in _values(record, personal=personal) if str(value).strip()}
        if isinstance(record, Addenda99 | DishonoredReturn | ContestedReturn):
            shown["means"] = _title(record.return_code)
        elif isinstance(record, Addenda98):
            shown["means"] = _title(record.change_code)
        yield {"record": type(record).__name__, "fields": shown}


def _values(record: Record, *, personal: bool) -> Iterator[tuple[str, Any]]:
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name in _PERSONAL and not personal and value.strip():
            value = f"…{value[-4:]}" if field.name == "account" and len(value) > 4 else "…"
        yield field.name, value


def _title(code: str) -> str:
    from sdt.domain.ach.codes import CHANGES, RETURNS

    known = RETURNS.get(code) or CHANGES.get(code)
    return known.title if known else "an unknown code"


@ach.command("codes")
def codes(
    code: Annotated[str | None, typer.Argument(help="One code, such as R01 or C03; all when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Say what a return or a notification of change means, how long it may take, and what the platform does.

    Whatever its code, a return ends its deposit or, after the mint, is owed; a payout is minted again or kept apart.

    [bold]sdt ach codes R10[/bold]
    """
    from sdt.domain.ach.codes import CHANGES, RETURNS
    from sdt.domain.ach.corrections import APPLIED

    rows = [
        {
            "code": r.code,
            "title": r.title,
            "deadline": r.deadline.value,
            "action": r.action.value,
            "family": r.family.value,
        }
        for r in RETURNS.values()
    ]
    rows += [
        {
            "code": c.code,
            "title": c.title,
            "deadline": "ours: 6 banking days, or before the next entry",
            "action": _followed(c.corrects, applied=c.code in APPLIED),
            "family": "change",
        }
        for c in CHANGES.values()
    ]
    if code is not None:
        rows = [row for row in rows if row["code"] == code.upper()]
        if not rows:
            raise NotFound(f"There is no code {code}; `sdt ach codes` lists them.", code="unknown_ach_code")
    if as_json:
        show(rows, True, "")
        return
    for row in rows:
        console.print(f"[bold]{row['code']}[/bold]  {row['title']}")
        console.print(f"      in time: {row['deadline']}; then: {row['action']}", style="dim")


def _followed(corrects: tuple[str, ...], *, applied: bool) -> str:
    if not corrects:
        return "an officer's case: a notice of ours was refused, and we send none"
    named = ", ".join(corrects)
    if applied:
        return f"the linked bank account is corrected at once ({named}), or is an officer's case where that makes none"
    return f"an officer's case: correct {named}"
