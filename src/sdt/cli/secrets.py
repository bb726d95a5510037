"""`sdt secrets`: the names in the vault, new values, and the rotation of keys while the platform runs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdt.cli.options import Home, Json, console, run, show
from sdt.domain.errors import Conflict, Invalid

if TYPE_CHECKING:
    from sdt.config import Settings

__all__ = ["secrets"]

secrets = typer.Typer(
    no_args_is_help=True,
    help="""Secrets: passwords and keys by name, in the sealed file or in AWS Secrets Manager, as settings say.

A value is never shown, and never stands on a command line: it comes from standard input, or is asked for.

[bold]A vendor gave a new key[/bold]   sdt secrets rotate vendors/kyc/key < key.txt
[bold]A key of the platform[/bold]     sdt secrets rotate transaction-ids/key --random
[bold]The key of people's keys[/bold]  sdt secrets rotate personal/key --random      then: sdt secrets rewrap

Running processes take up a new value by themselves: at once from the sealed file, within vault.seen_within_s seconds
from Secrets Manager. The value before stays known until the next rotation (docs/aws.md, "Secrets and keys").""",
)

Name = Annotated[str, typer.Argument(help="Lower-case words joined by '/', such as vendors/bank/key.")]
Random = Annotated[bool, typer.Option("--random", help="32 fresh random bytes instead of a value from outside.")]


@secrets.command("list")
def list_(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """List the names. Names that settings speak of and the vault lacks are marked."""
    from sdt.backends import open_vault

    settings = _settings(home)
    there = open_vault(settings).list()
    missing = sorted(_named(settings) - set(there))
    lines = [*(f"  {name}" for name in there), *(f"  [red]{name}  missing: sdt secrets put[/red]" for name in missing)]
    found = {"backend": settings.vault.backend, "secrets": there, "missing": missing}
    show(found, as_json, "\n".join(lines) or "The vault is empty.")


@secrets.command()
def put(name: Name, home: Home = Path(".sdt"), random: Random = False, as_json: Json = False) -> None:
    """Store a new secret, from standard input or asked for; one final line break is not part of it."""
    from sdt.backends import open_vault

    open_vault(_settings(home)).put(name, _value(name, random))
    show({"put": name}, as_json, f"{name} is in the vault.")


@secrets.command()
def rotate(name: Name, home: Home = Path(".sdt"), random: Random = False, as_json: Json = False) -> None:
    """Make a new value the current one, and the current one the previous; running processes follow.

    Repeating it with the same value changes nothing, unless whoever runs it may not read secrets, as an operator on
    AWS: then it is a rotation more, and the previous value is the same one. personal/key takes only --random, and
    only when nothing is wrapped otherwise: first finish `sdt secrets rewrap`, or what the key before wrapped would
    never open again.
    """
    from sdt.backends import PERSONAL_KEY, PERSONS_KEY, open_persons_key, open_vault

    settings = _settings(home)
    vault = open_vault(settings)
    if name == PERSONS_KEY:
        raise Conflict(
            "By this key monitoring recognises people: under another it would count them anew.", code="fixed"
        )
    if name == PERSONAL_KEY:
        if not random:
            raise Invalid(f"{PERSONAL_KEY} is made here, by nobody: --random.", code="random_only")
        open_persons_key(settings)
        _settle(settings, quiet=as_json)
        if left := run(_left(settings)):
            raise Conflict(
                f"{left} keys are not wrapped by the newest {PERSONAL_KEY} yet: first sdt secrets rewrap.",
                code="rewrap_first",
            )
    vault.rotate(name, _value(name, random))
    again = "  Now: sdt secrets rewrap" if name == PERSONAL_KEY else ""
    show({"rotated": name, "seen_within_s": _seen_within_s(settings)}, as_json, f"{name} has a new value.{again}")


@secrets.command()
def rewrap(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Wrap the key of every person, and of every kept bank file, with the newest personal/key or the KMS key.

    For after a rotation, or after personal.wrapped_by was changed. The platform may run; killed, it is simply run
    again and goes on. Whoever was erased stays erased. Exit status 1 when something did not open.
    """
    settings = _settings(home)
    # Every process has seen the newest key, so that nobody wraps with the one before while we go through.
    _settle(settings, quiet=as_json)
    done, broken, scrubbed = run(_rewrap(settings, quiet=as_json))
    text = f"{done} keys wrapped anew, nothing left." if not broken else f"{done} keys wrapped anew."
    if broken:
        text += f" [red]{len(broken)} do not open and were left as they are: {', '.join(broken[:10])}[/red]"
    if not scrubbed:
        text += (
            " [yellow]Overwritten rows still hold the old wraps: run sdt db scrub, as the owner of the tables.[/yellow]"
        )
    show({"rewrapped": done, "broken": broken, "scrubbed": scrubbed}, as_json, text)
    raise typer.Exit(1 if broken else 0)


def _settings(home: Path) -> Settings:
    from sdt.local.platform import settings_of

    return settings_of(home)


def _named(settings: Settings) -> set[str]:
    """Return the secrets that settings name: those that nothing makes by itself."""
    vendors = {getattr(settings.vendors, kind).key_secret for kind in type(settings.vendors).model_fields}
    return {name for name in (*vendors, settings.database.password_secret) if name}


def _value(name: str, random: bool) -> bytes:
    if random:
        from sdt.adapters.vault.made import new_key

        return new_key()
    if sys.stdin.isatty():
        typed: str = typer.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True)
        return typed.encode()
    from sdt.adapters.vault.limits import VALUE_BYTES_MAX

    value = sys.stdin.buffer.read(VALUE_BYTES_MAX + 2)
    return value.removesuffix(b"\n").removesuffix(b"\r")


def _seen_within_s(settings: Settings) -> float:
    return settings.vault.seen_within_s if settings.vault.backend == "secrets_manager" else 0


def _settle(settings: Settings, *, quiet: bool) -> None:
    """Wait until every running process has seen the last rotation."""
    if not (wait_s := _seen_within_s(settings)):
        return
    if not quiet:
        console.print(f"Waiting {wait_s:g} s, until every process has seen the newest key.", style="dim")
    time.sleep(wait_s)


async def _left(settings: Settings) -> int:
    from sdt.backends import open_database, open_wrapping
    from sdt.workflows.rewrapping import Rewrapping

    store = open_database(settings)
    try:
        return await Rewrapping(store, open_wrapping(settings)).left()
    finally:
        store.close()


async def _rewrap(settings: Settings, *, quiet: bool) -> tuple[int, list[str], bool]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sdt.backends import open_database, open_wrapping
    from sdt.workflows.rewrapping import Rewrapping

    store = open_database(settings)
    try:
        rewrapping = Rewrapping(store, open_wrapping(settings))
        total, done = await rewrapping.left(), 0
        columns = (TextColumn("Wrapping keys anew"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, disable=quiet) as bar:
            task = bar.add_task("", total=total)
            async for count in rewrapping.run(time.time_ns() // 1_000_000):
                done += count
                bar.update(task, completed=done, total=max(total, done))
        return done, sorted(rewrapping.broken), rewrapping.scrubbed
    finally:
        store.close()
