"""`sdt sandbox clock | statement`: the stand-in bank's time, and what other banks show of our entries."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from sdt.cli.options import Home, Json, run, show

__all__ = ["clock", "statement"]

clock = typer.Typer(
    no_args_is_help=True,
    help="""The sandbox bank's clock: banking days pass in a second, stand still, or pass when you say so.

    [bold]sdt sandbox clock freeze[/bold]        then [bold]sdt sandbox clock advance 2[/bold]""",
)


@clock.command("show")
def show_clock(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Show the date and the Eastern time at the bank."""
    _print(run(_asked(home, None)), as_json)


@clock.command("freeze")
def freeze(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Let the bank's time stand still."""
    _print(run(_asked(home, {"action": "freeze"})), as_json)


@clock.command("run")
def run_on(
    day_s: Annotated[float | None, typer.Option("--day", help="Seconds that stand for one banking day.")] = None,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Let the bank's time run, at another speed if you name one."""
    _print(
        run(_asked(home, {"action": "run"} | ({} if day_s is None else {"seconds_per_banking_day": day_s}))), as_json
    )


@clock.command("set")
def set_clock(
    on: Annotated[str, typer.Argument(metavar="DATE", help="A banking day that is not past, such as 2026-11-27.")],
    at: Annotated[str, typer.Argument(metavar="TIME", help="Eastern time of day, such as 14:30.")] = "00:00",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Put the bank's clock on to a date and time. It never goes back."""
    _print(run(_asked(home, {"action": "set", "date": on, "time": at})), as_json)


@clock.command("advance")
def advance(
    days: Annotated[int, typer.Argument(metavar="DAYS", help="Banking days, 1 to 1000.")],
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Put the bank's clock on by banking days, to the same time of day. What is due on the way happens, in order."""
    _print(run(_asked(home, {"action": "advance", "days": days})), as_json)


def statement(
    account_number: Annotated[str, typer.Argument(help="The number of an account at another bank.")],
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Show what another bank's statement shows of our entries: the two small amounts of a verification, for one.

    [bold]sdt sandbox statement 000123456789[/bold]
    """
    found = run(_asked(home, None, f"/v1/other-banks/{account_number}/statement"))
    lines = [
        f"{one['flow']:3} {int(one['amount_cents']) / 100:>10.2f}  {one['description']}"
        + ("  returned" if one["returned"] else "")
        for one in found["lines"]
    ]
    show(found, as_json, "\n".join(lines) or "Nothing of ours has settled there.")


async def _asked(home: Path, order: dict[str, Any] | None, path: str = "/v1/calendar") -> dict[str, Any]:
    import msgspec

    from sdt.local.platform import network_of, settings_of
    from sdt.sandbox.control import SandboxControl

    await network_of(home)
    settings = settings_of(home)
    key = (settings.home / "sandbox" / "bank.key").read_text().strip()
    client = SandboxControl(settings.sandbox.url("bank"), key)
    try:
        if order is None:
            answer = await client.get(path)
        else:
            answer = await client.post("/v1/clock", order, f"clock.{uuid.uuid4()}")
        found: dict[str, Any] = msgspec.json.decode(answer)
        return found
    finally:
        await client.close()


def _print(found: dict[str, Any], as_json: bool) -> None:
    pace = "frozen" if found["frozen"] else f"a banking day lasts {found['seconds_per_banking_day']:g} s"
    text = f"{found['date']} {found['time']} Eastern, banking day {found['banking_day']}; {pace}"
    show(found, as_json, text)
