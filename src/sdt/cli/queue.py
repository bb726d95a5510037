"""`sdt queue`: what waits, what died, and bringing the dead back; for the embedded queue and for Amazon's alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from sdt.cli.options import Home, Json, run, show
from sdt.domain.claims import format_time
from sdt.domain.errors import NotFound
from sdt.ports.queue import Queue

__all__ = ["queue"]

T = TypeVar("T")

queue = typer.Typer(
    no_args_is_help=True,
    help="""The queue of accepted transactions: embedded, or Amazon SQS, as settings say.

A message that was taken too often and never finished is a dead letter, so that it does not hold up its payer.
The transaction is in the database whatever becomes of its message; the worker takes up by itself what waits too long.

[bold]What waits[/bold]         sdt queue status
[bold]What died[/bold]          sdt queue dead-letters
[bold]Once it is mended[/bold]  sdt queue redrive""",
)

Most = Annotated[int, typer.Option("--most", min=1, max=1000, help="How many to show.")]


@queue.command()
def status(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Show how many messages wait, are being worked on, and died. Makes the queue if settings say so."""
    depth = _with(home, lambda opened: opened.depth())
    oldest = "" if depth.oldest_age_s is None else f", the oldest {depth.oldest_age_s:.0f} s old"
    show(asdict(depth), as_json, f"{depth.waiting} wait, {depth.in_flight} in work, {depth.dead} dead{oldest}.")


@queue.command("dead-letters")
def dead_letters(home: Home = Path(".sdt"), most: Most = 20, as_json: Json = False) -> None:
    """List dead letters, of each account the first ones at least. They stay where they are."""
    letters = _with(home, lambda opened: opened.dead_letters(most))
    lines = [
        f"  {letter.body}  account {letter.group}  received {letter.receive_count} times, "
        f"sent {format_time(int(letter.sent_at))}"
        for letter in letters
    ]
    show([asdict(letter) for letter in letters], as_json, "\n".join(lines) or "Nothing is dead.")


@queue.command()
def redrive(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Send every dead letter again, at the end of the queue and counted anew. Broken off, it can be begun again."""
    moved = _with(home, lambda opened: opened.redrive())
    show({"moved": moved}, as_json, f"{moved} dead letters wait again.")


def _with(home: Path, work: Callable[[Queue], Awaitable[T]]) -> T:
    from sdt.backends import open_queue
    from sdt.config import load_settings

    settings = load_settings(home=home)
    if settings.queue.backend == "embedded" and not settings.queue.queue_file.exists():
        raise NotFound(f"There is no queue in {settings.home}: sdt up makes it.", code="no_queue")

    async def working() -> T:
        opened = open_queue(settings)
        try:
            return await work(opened)
        finally:
            await opened.close()

    return run(working())
