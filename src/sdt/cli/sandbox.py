"""`sdt sandbox`: what an integrator tries out before real money moves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdt.cli.options import Json, console, run, show

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sdt.client import Network
    from sdt.config import Settings
    from sdt.demo.scenes.playing import Played
    from sdt.demo.scenes.scene import Facts, Scene, Step
    from sdt.domain.region import Region

    Where = tuple[Settings, Region, Network]

__all__ = ["sandbox"]

sandbox = typer.Typer(no_args_is_help=True, help="What an integrator tries out: scenarios, each with one command.")


@sandbox.command("scenario")
def scenario(
    name: Annotated[str, typer.Argument(help="Which one; without a name they are listed.", show_default=False)] = "",
    every: Annotated[bool, typer.Option("--all", help="Play all of them, one after the other.")] = False,
    home: Annotated[
        Path | None,
        typer.Option("--home", help="Play on the platform that runs in this folder.", show_default="a temporary one"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Play a scenario: what a bank, a depository or a list can do to somebody's money, and what the platform does then.

    It drives a whole platform as an integrator and the officers would, tells each step (what was done, what had to be
    seen, what was seen), and holds the books against each other at the end. Without [bold]--home[/bold] the platform
    is a temporary one that is gone afterwards. It exits with 0 only if everything asserted held.

    [bold]sdt sandbox scenario r01-before-mint[/bold]
    """
    from sdt.demo.scenes.catalogue import SCENES, scene_of

    if not name and not every:
        listed = [{"name": s.name, "sentence": s.sentence, "shows": s.shows} for s in SCENES.values()]
        width = max(len(one) for one in SCENES)
        show(listed, as_json, "\n".join(f"[bold]{s.name:{width}}[/bold]  {s.sentence}" for s in SCENES.values()))
        return
    scenes = list(SCENES.values()) if every else [scene_of(name)]
    played = run(_on_running(home, scenes, quiet=as_json)) if home else _on_temporary(scenes, quiet=as_json)
    if as_json:
        show([one.as_json() for one in played], True, "")
    raise typer.Exit(0 if len(played) == len(scenes) and all(one.held for one in played) else 1)


def _on_temporary(scenes: Sequence[Scene], *, quiet: bool) -> list[Played]:
    from sdt.local.temporary import temporary_home

    with temporary_home() as folder:
        return run(_play(_started(folder, quiet=quiet), scenes, quiet=quiet))


async def _on_running(home: Path, scenes: Sequence[Scene], *, quiet: bool) -> list[Played]:
    from sdt.local.platform import network_of, region_of, settings_of

    network = await network_of(home)
    return await _play(nullcontext((settings_of(home), region_of(home), network)), scenes, quiet=quiet)


@asynccontextmanager
async def _started(home: Path, *, quiet: bool) -> AsyncIterator[Where]:
    from sdt.local.platform import running

    def say(title: str) -> None:
        if not quiet:
            console.print(f"[dim]  {title}[/dim]")

    async with running(home, say) as platform:
        yield platform.settings, platform.region, platform.network


async def _play(where: AbstractAsyncContextManager[Where], scenes: Sequence[Scene], *, quiet: bool) -> list[Played]:
    from sdt.demo.scenes.playing import play
    from sdt.supervise import Interrupted

    played: list[Played] = []
    try:
        async with where as (settings, region, network):
            for scene in scenes:
                if not quiet:
                    console.rule(scene.name)
                    console.print(f"{scene.sentence}\n[dim]{scene.shows}[/dim]\n")
                one = await play(scene, settings, region, network, (lambda _: None) if quiet else _tell)
                played.append(one)
                if not quiet:
                    _print_end(one)
    except Interrupted:
        console.print("Stopped.")
    return played


def _tell(step: Step) -> None:
    lines = [f"{step.at_s:5.1f} s  {step.done}", f"         expected  {_facts(step.expected)}"]
    lines.append("         seen      the same" if step.held else f"         seen      {_facts(step.seen)}")
    for line, style in zip(lines, ("", "dim", "green" if step.held else "red"), strict=True):
        console.print(line, style=style, markup=False)


def _facts(facts: Facts) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _print_end(played: Played) -> None:
    if played.held:
        console.print(f"\n[green]{played.scene.name} held[/green] in {played.seconds:.0f} s.\n")
    else:
        console.print(f"\n[red]{played.scene.name} did not hold[/red]:", end=" ")
        console.print(played.problem, markup=False)
