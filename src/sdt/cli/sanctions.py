"""`sdt sanctions`: look into a list, and hold a name against it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdt.cli import sanctions_work
from sdt.cli.options import Json, show

if TYPE_CHECKING:
    from sdt.domain.sanctions.lists import Edition

__all__ = ["sanctions"]

HIT_STATUS = 3

sanctions = typer.Typer(
    no_args_is_help=True,
    help="Sanctions: the list in force, who may be on it, and what officers decide.",
)
sanctions.command("status")(sanctions_work.status)
sanctions.command("load")(sanctions_work.load)
sanctions.command("queue")(sanctions_work.queue)
sanctions.command("show")(sanctions_work.show_review)
sanctions.command("clear")(sanctions_work.clear)
sanctions.command("confirm")(sanctions_work.confirm)
sanctions.command("freeze")(sanctions_work.freeze)
sanctions.command("lift")(sanctions_work.lift)
sanctions.command("ignore")(sanctions_work.ignore)

Folder = Annotated[
    Path,
    typer.Option("--list", help="Folder with OFAC's sdn.xml, or sdn.csv, alt.csv and add.csv.", file_okay=False),
]


@sanctions.command("check")
def check(
    name: Annotated[str, typer.Argument(help="A person, business or vessel.")],
    folder: Folder,
    threshold: Annotated[int, typer.Option(min=50, max=100, help="Least score that counts as a hit.")] = 80,
    as_json: Json = False,
) -> None:
    """Say who on the list may be meant, and why.

    [bold]sdt sanctions check "Example Front Trading" --list ofac/[/bold]

    Exit status: 0 when nobody is, 3 when somebody is. What is asked is written nowhere.
    """
    from sdt.domain.sanctions.index import Index

    hits = Index(_edition(folder)).search(name, threshold)
    found = [
        {
            "uid": hit.listed.uid,
            "listed_name": hit.listed.name,
            "matched_name": hit.name,
            "kind": hit.listed.kind,
            "programs": hit.listed.programs,
            "score": hit.score,
            "reasons": list(hit.reasons),
        }
        for hit in hits
    ]
    lines = [
        f"[bold]{hit.score}[/bold]  {hit.name}  ({hit.listed.uid}, {hit.listed.kind}, {hit.listed.programs})\n"
        f"     {'; '.join(hit.reasons)}"
        for hit in hits
    ]
    show({"hits": found}, as_json, "\n".join(lines) or "Nobody on the list is meant.")
    if hits:
        raise typer.Exit(HIT_STATUS)


@sanctions.command("list")
def list_(
    folder: Folder,
    before: Annotated[
        Path | None, typer.Option("--before", help="An older list: say what changed since.", file_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how many entries a list has, its digest, and what changed since another.

    [bold]sdt sanctions list --list ofac-today/ --before ofac-yesterday/[/bold]
    """
    from sdt.domain.sanctions.lists import diff

    edition = _edition(folder)
    facts: dict[str, object] = {
        "list_date": edition.list_date.isoformat(),
        "digest": edition.digest.hex(),
        "entries": len(edition.entries),
        "names": sum(len(entry.names) for entry in edition.entries.values()),
    }
    if before is not None:
        change = diff(_edition(before), edition)
        facts |= {"added": list(change.added), "removed": list(change.removed), "changed": list(change.changed)}
    lines = [f"{name}: {len(fact) if isinstance(fact, list) else fact}" for name, fact in facts.items()]
    show(facts, as_json, "\n".join(lines))


def _edition(folder: Path) -> Edition:
    from sdt.workflows.sanctions_lists import read_folder

    return read_folder(folder)
