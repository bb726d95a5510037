"""`sdt status`: what runs, whether it is well, and what waits, asked of each process itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import typer

from sdt.cli.options import Home, Json, console, run

__all__ = ["status"]

_COLOURS: Final = {"ok": "green", "degraded": "yellow", "failed": "red"}


def status(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Say what runs, whether it is well, and what waits.

    Each of worker, API and signers tells what it looked at: ok, degraded (it works; look before it does not) or
    failed. docs/operations/alarms.md says what to do. Exit status 1 when the platform is down or something has failed.
    """
    found = run(_status(home))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _print(found)
    raise typer.Exit(0 if found["ok"] else 1)


def _print(found: dict[str, Any]) -> None:
    for process in found["processes"]:
        colour = "green" if process["status"] == "ready" else "red"
        console.print(f"  {process['name']:16} [{colour}]{process['status']:10}[/{colour}] pid {process['pid'] or '-'}")
    for who, told in found["health"].items():
        for name, one in told["checks"].items():
            colour = _COLOURS[one["state"]]
            console.print(
                f"  {who:10} {name:13} [{colour}]{one['state']:9}[/{colour}] {one['detail']}", highlight=False
            )
    if lane := found["worker"].get("lane"):
        console.print(
            f"  lane: {lane.get('role')}, held by {lane.get('holder')}, epoch {lane.get('epoch')}", highlight=False
        )
    for problem in found["problems"]:
        console.print(f"  [red]{problem}[/red]")
    console.print(
        {"ok": "[green]well[/green]", "degraded": "[yellow]degraded[/yellow]"}.get(
            found["state"], "[red]not well[/red]"
        )
    )


async def _status(home: Path) -> dict[str, Any]:
    from sdt.local.platform import settings_of
    from sdt.local.readiness import pages, readiness
    from sdt.supervise import read_state

    state = read_state(home)
    if state is None or not state.running:
        down = f"no platform runs in {home}; start one with: sdt up"
        return {"ok": False, "state": "failed", "processes": [], "health": {}, "problems": [down], "worker": {}}
    settings = settings_of(home)
    asked = {who: readiness(url) for who, url in pages(settings).items()}
    told = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
    processes = [
        {"name": name, "status": str(process.status.value), "pid": process.pid}
        for name, process in state.processes.items()
    ]
    problems = [f"{p['name']} is {p['status']}" for p in processes if p["status"] != "ready"]
    problems += [f"the {who} does not answer" for who, one in told.items() if one is None]
    problems += [f"{who}: {problem}" for who, one in told.items() if one for problem in one["problems"]]
    states = {one["state"] if one else "failed" for one in told.values()}
    states |= {"failed" for p in processes if p["status"] != "ready"}
    worst = next(each for each in ("failed", "degraded", "ok") if each in states)
    return {
        "ok": worst != "failed",
        "state": worst,
        "api": settings.api.url,
        "processes": processes,
        "problems": problems,
        "health": {who: {"state": one["state"], "checks": one["checks"]} for who, one in told.items() if one},
        "worker": told["worker"] or {},
    }
