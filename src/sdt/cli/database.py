"""The database: its tables as SQL, migrations, checks, and what a pooler's role needs.

What reads no file of a deployment runs while these are changed: only `missing` checks them.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sdt.cli.options import Home, Json, run, show

if TYPE_CHECKING:
    from sdt.store import Store

__all__ = ["database"]

database = typer.Typer(no_args_is_help=True, help="The database.")


@database.command("ddl")
def database_ddl(
    kind: Annotated[str, typer.Argument(help="sqlite or postgresql")] = "postgresql",
) -> None:
    """Print the SQL that makes the database, for a database administrator to read."""
    from sdt.store.ddl import ddl

    known: dict[str, Literal["sqlite", "postgresql"]] = {"sqlite": "sqlite", "postgresql": "postgresql"}
    if kind not in known:
        raise typer.BadParameter("sqlite or postgresql", param_hint="kind")
    typer.echo(ddl(known[kind]))


@database.command("migrate")
def database_migrate(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Bring the database up to this version. `sdt up` does so by itself; elsewhere do it before starting the parts.

    A database of PostgreSQL may be in use meanwhile: each migration waits for its tables a second at a time.
    """
    from sdt.backends import database_access
    from sdt.deployed import load_deployed
    from sdt.store import migrate

    settings = load_deployed(home, check_files=False)
    applied = migrate(settings.database.url, access=database_access(settings))
    show({"applied": applied}, as_json, f"Applied: {', '.join(applied) or 'nothing, it is up to date'}.")


@database.command("verify")
def database_verify(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Recompute the seals over the event log: any changed, missing or added event breaks one.

    Adds up every account of the ledger anew, too, and holds amount and fee of each payment against its signed batch.
    """
    from sdt.backends import open_database
    from sdt.deployed import load_deployed
    from sdt.store import carried, events, ledger

    store = open_database(load_deployed(home, check_files=False))
    try:
        count = events.verify_seals(store)
        wrong = ledger.discrepancies(store) + carried.differences(store)
    finally:
        store.close()
    text = f"The event log is whole under its {count} seals; the ledger adds up."
    show({"seals": count, "discrepancies": wrong}, as_json, "\n".join(wrong) or text)
    raise typer.Exit(1 if wrong else 0)


@database.command("status")
def database_status(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Say which server this is, over what it is reached, which migrations it lacks, and who settles by it.

    Exit status 1 when it lacks a migration.
    """
    from sdt.backends import database_access
    from sdt.deployed import load_deployed
    from sdt.store.database import connect

    settings = load_deployed(home, check_files=False)
    store = connect(settings.database.url, database_access(settings))
    try:
        found = _status(store)
    finally:
        store.close()
    text = f"{found['server']}, {'encrypted' if found['encrypted'] else 'not encrypted'}.\n"
    text += f"Migrations: {found['applied']} applied, missing: {', '.join(found['missing']) or 'none'}."
    text += "".join(f"\n{one['name']} is settled by {one['holder']}, epoch {one['epoch']}." for one in found["leases"])
    show(found, as_json, text)
    raise typer.Exit(1 if found["missing"] else 0)


def _status(store: Store) -> dict[str, Any]:
    from sdt.store import lease, migration

    missing = migration.pending(store)
    if store.postgres:
        server, encrypted = store.row(
            "SELECT version(), coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)"
        )
    else:
        server, encrypted = f"SQLite {store.row('SELECT sqlite_version()')[0]}", False
    return {
        "server": server.partition(" on ")[0],
        "encrypted": encrypted,
        "applied": len(migration.known()) - len(missing),
        "missing": missing,
        "leases": [asdict(one) for one in ([] if missing else lease.all_of(store))],
    }


@database.command("missing")
def database_missing(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """After a restore: list the batches that the chain settled and this database does not know.

    Exit status 1 when there are any: the worker does not settle by such a database.
    """
    from sdt.deployed import load_deployed
    from sdt.local.missing import missing_batches

    found = run(missing_batches(load_deployed(home)))
    lines = [f"batch {one.number}, block {one.block}: {one.items} messages, {one.chain_transaction}" for one in found]
    text = "\n".join(lines) or "The database knows every batch that the chain settled."
    show({"missing": [asdict(one) for one in found]}, as_json, text)
    raise typer.Exit(1 if found else 0)


@database.command("scrub")
def database_scrub(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Clear what erasures and rewrapping left in overwritten rows: as the owner of the tables, on PostgreSQL.

    Needed where the worker's role does not own them: its health says how many erasures wait (`erasures`).
    """
    from sdt.backends import open_database
    from sdt.deployed import load_deployed
    from sdt.workflows.scrubbing import scrub

    store = open_database(load_deployed(home, check_files=False))
    try:
        done = run(scrub(store, time.time_ns() // 1_000_000))
    finally:
        store.close()
    show({"erasures": done}, as_json, f"Overwritten rows are cleared; {done} erasures waited for it.")


@database.command("role")
def database_role(
    role: Annotated[str, typer.Argument(help="the role that connects through the pooler")], home: Home = Path(".sdt")
) -> None:
    """Print what gives a role the limits of the settings: behind RDS Proxy or PgBouncer no connection can ask for them.

    Run it as the role's administrator: sdt db role sdt_api | psql …
    """
    from sdt.backends import database_access
    from sdt.deployed import load_deployed
    from sdt.store.access import role_settings

    settings = load_deployed(home, check_files=False)
    statements = role_settings(role, database_access(settings))
    if settings.database.login == "iam":
        statements.append(f'GRANT rds_iam TO "{role}";')
    typer.echo("\n".join(statements))
