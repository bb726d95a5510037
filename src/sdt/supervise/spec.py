"""What to run: names, commands, and who needs whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from sdt.supervise.errors import BadSpec

__all__ = ["ProcessSpec", "ReadyLine", "ReadyUrl", "check_specs"]


@dataclass(frozen=True)
class ReadyLine:
    """Ready once a line that begins so stands in the output."""

    prefix: str = "ready"


@dataclass(frozen=True)
class ReadyUrl:
    """Ready once a GET answers 200."""

    url: str


@dataclass(frozen=True)
class ProcessSpec:
    """One process: what is executed, when it counts as ready, and what must be ready before it.

    It may start processes of its own as long as they stay in its process group; they end with it.
    Units: seconds.
    """

    name: str
    argv: Sequence[str]
    ready: ReadyLine | ReadyUrl = ReadyLine()
    needs: Collection[str] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    ready_timeout_s: float = 60.0
    stop_grace_s: float = 10.0


def check_specs(specs: Sequence[ProcessSpec], running: Collection[str] = ()) -> None:
    """Refuse a list that cannot be started beside what is running.

    Errors: BadSpec.
    """
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1 or name in running:
            raise BadSpec(f"there are two processes named {name}")
    for spec in specs:
        for need in spec.needs:
            if need not in names and need not in running:
                raise BadSpec(f"{spec.name} needs {need}, which nobody starts")
    try:
        TopologicalSorter({spec.name: spec.needs for spec in specs}).prepare()
    except CycleError as error:
        raise BadSpec(f"processes wait for each other: {' -> '.join(error.args[1])}") from None
