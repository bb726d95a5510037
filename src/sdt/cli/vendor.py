"""`sdt vendor`: the folders by which vendors are spoken to, what was said to them, and what could not be done."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdt.cli.officers import AsOfficer, officer_client, told
from sdt.cli.options import Home, Json, run, show
from sdt.domain.errors import Invalid

if TYPE_CHECKING:
    from sdt.adapters.vendor.check import Report
    from sdt.adapters.vendor.folder import Folder

__all__ = ["vendor"]

vendor = typer.Typer(
    no_args_is_help=True,
    help="Vendors: identity, screening, ACH, treasury, depository. Each is a folder, not code (docs/vendors.md).",
)

FolderName = Annotated[str, typer.Argument(metavar="FOLDER", help="A vendor's folder, or the name of one.")]


@vendor.command("list")
def list_(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """List the folders that ship and those of the home, and which one settings name for each kind."""
    from sdt.adapters.vendor.folder import SPEC_FILE, load_folder
    from sdt.adapters.vendor.shipped import shipped
    from sdt.local.platform import settings_of
    from sdt.vendors import find_folder

    settings = settings_of(home)
    named = {
        kind: find_folder(home, getattr(settings.vendors, kind).folder) for kind in type(settings.vendors).model_fields
    }
    own = sorted(file.parent for file in (home / "vendors").glob(f"*/{SPEC_FILE}"))
    found = []
    for path in dict.fromkeys([*named.values(), *own, *shipped()]):
        spec = load_folder(path).spec
        found.append(
            {
                "name": path.name,
                "kind": spec.kind,
                "title": spec.title,
                "auth": type(spec.auth).__name__.lower(),
                "in_use": named.get(spec.kind) == path,
                "folder": str(path),
            }
        )
    found.sort(key=lambda one: (str(one["kind"]), str(one["name"])))
    lines = [f"{'*' if one['in_use'] else ' '} {one['kind']:11} {one['name']:20} {one['title']}" for one in found]
    show({"vendors": found}, as_json, "\n".join(lines))


@vendor.command("check")
def check(
    folder: FolderName,
    url: Annotated[str, typer.Option(help="Where the vendor is, if the folder does not say.")] = "",
    send: Annotated[
        bool, typer.Option("--send", help="Send the samples to the vendor, too: to a test system only.")
    ] = False,
    secret: Annotated[
        str,
        typer.Option(metavar="NAME", help="Name of the secret in the vault; else the one settings name for the kind."),
    ] = "",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Say what is wrong with a vendor's folder: file, key, and what it should be.

    [bold]sdt vendor check vendors/acme-identity[/bold]
    [bold]sdt vendor check vendors/acme-identity --url https://sandbox.acme.example --send[/bold]

    Sample messages of ours are mapped there and held against the vendor's schemas; the vendor's sample answers are
    mapped here. With --send they travel: each order is a real one at whoever answers. Exit status 1 when something is
    wrong.
    """
    from sdt.adapters.vendor.check import check_folder
    from sdt.adapters.vendor.errors import VendorFolderInvalid

    try:
        loaded = _loaded(home, folder)
    except VendorFolderInvalid as error:
        _tell(error.problems, [], [], as_json)
        raise typer.Exit(1) from None
    report = check_folder(loaded)
    sent: Report | None = None
    if send and not report.problems:
        sent = run(_send(home, loaded, url, secret))
    problems = report.problems + (sent.problems if sent else [])
    tried = report.tried + [f"{name}: sent and answered" for name in (sent.tried if sent else [])]
    _tell(problems, report.remarks, tried, as_json)
    if problems:
        raise typer.Exit(1)


def _loaded(home: Path, named: str) -> Folder:
    from sdt.adapters.vendor.folder import SPEC_FILE, load_folder
    from sdt.vendors import find_folder

    here = Path(named)
    return load_folder(here if (here / SPEC_FILE).exists() or "/" in named else find_folder(home, named))


async def _send(home: Path, folder: Folder, url: str, secret: str) -> Report:
    from sdt.adapters.vendor.check import send_samples
    from sdt.adapters.vendor.mapped import MappedVendor
    from sdt.backends import open_vault
    from sdt.local.platform import settings_of
    from sdt.vendors import trace_folder, vendor_url

    settings, kind = settings_of(home), folder.spec.kind
    name = secret or getattr(settings.vendors, kind).key_secret
    vault = open_vault(settings)
    to = url or vendor_url(settings, kind, folder.spec.url)
    found = MappedVendor(
        folder, to, lambda: vault.get(name).text(), trace_folder=trace_folder(settings.home, folder.spec.name)
    )
    try:
        return await send_samples(folder, found, uuid.uuid4().hex[:12])
    finally:
        await found.close()


def _tell(problems: list[str], remarks: list[str], tried: list[str], as_json: bool) -> None:
    found = {"ok": not problems, "problems": problems, "remarks": remarks, "tried": tried}
    count = f"{len(problems)} errors" if problems else f"well: {len(tried)} messages there and back"
    lines = [*(f"error: {one}" for one in problems), *(f"note: {one}" for one in remarks), count]
    # A compiler's lines are not wrapped: editors and scripts read them.
    typer.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines))


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


@vendor.command("schema")
def schema(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="kyc, aml, ach, treasury or depository.")],
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="One of them; none prints their names.")] = "",
) -> None:
    """Print our own messages of an operation as JSON Schema: what a mapping is given, and what it must make.

    [bold]sdt vendor schema kyc apply[/bold]
    """
    from sdt.adapters.vendor.kinds import KINDS, operations

    known = {name: operations(name) for name in KINDS}
    if kind not in known:
        raise Invalid(f"There is no kind {kind!r}. Kinds: {', '.join(known)}.", code="vendor_kind")
    found = known[kind]
    if not operation:
        typer.echo("\n".join(found))
    elif operation not in found:
        raise Invalid(f"{kind} has no {operation!r}. It has: {', '.join(found)}.", code="vendor_operation")
    else:
        one = found[operation]
        typer.echo(json.dumps({"request": one.request_schema(), "answer": one.answer_schema()}, indent=2))


@vendor.command("trace")
def trace(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A vendor's name, as its vendor.toml says.")],
    last: Annotated[int, typer.Option(min=1, max=10_000, help="How many calls.")] = 20,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Show the latest calls to a vendor. Values that its folder does not list were never written down."""
    from sdt.adapters.vendor.trace import read_trace
    from sdt.vendors import trace_folder

    entries = read_trace(trace_folder(home, name), last)
    lines = [
        f"{one['at'][:23]}  {one['operation']:18} {one['method']:5} {one['status']!s:9} {one['ms']:8} ms  "
        f"{one['key'] or ''}"
        for one in entries
    ]
    show({"calls": entries}, as_json, "\n".join(_plain(line) for line in lines) or f"Nothing was said to {name} yet.")


@vendor.command("dead-letters")
def dead_letters(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """List the instructions to vendors that repetition could not help.

    They were refused, not understood, or went too long without an answer; each opened a case of kind vendor.
    Exit status 1 when there are any.
    """
    from sdt.backends import open_database
    from sdt.local.platform import settings_of
    from sdt.store import outbox

    store = open_database(settings_of(home))
    try:
        rows = outbox.dead(store)
    finally:
        store.close()
    found = [
        {
            "instruction": row.id,
            "key": row.key,
            "error": row.last_error,
            "tries": row.attempts,
            "failing_since": _time(row.failed_since_ms),
            "dead_since": _time(row.dead_at_ms),
        }
        for row in rows
    ]
    lines = [f"{one['instruction']:>8}  {one['key']}  {one['error']}  since {one['dead_since']}" for one in found]
    show({"dead": found}, as_json, "\n".join(_plain(line) for line in lines) or "None.")
    raise typer.Exit(1 if found else 0)


@vendor.command("retry")
def retry(
    instruction: Annotated[int, typer.Argument(metavar="ID", help="As `sdt vendor dead-letters` shows it.")],
    reason: Annotated[str, typer.Option(help="Why it will do now: kept with the act.")],
    officer: AsOfficer = "administrator-1",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Have a dead instruction carried out again, by a signed act of an administrator or a custodian.

    [bold]sdt vendor retry 42 --reason "The bank has opened the account."[/bold]

    It keeps the key it always had, so whatever was done before is not done twice.
    """
    found = run(_retry(home, officer, instruction, reason))
    show(found, as_json, told(found))


async def _retry(home: Path, officer: str, instruction: int, reason: str) -> Any:
    async with officer_client(home, officer) as client:
        return await client.act("retry_instruction", {"instruction": instruction, "reason": reason})


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
