"""What a scene is, and what it tells: steps that say what was done, what had to be seen, and what was seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdt.domain.errors import Unprocessable

if TYPE_CHECKING:
    from sdt.demo.scenes.stage import Stage

__all__ = ["Facts", "Scene", "SceneFailed", "Step"]

Facts = Mapping[str, object]
"""What is expected or was seen, by name; two are the same when they are equal."""


class SceneFailed(Unprocessable):
    """Something else was seen than what had to be."""

    code = "scene_failed"


@dataclass(frozen=True, slots=True)
class Scene:
    """One scenario: its command's name, what happens in one sentence, the rule it shows, and how it is played."""

    name: str
    sentence: str
    shows: str
    play: Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it went. Units: at_s seconds since the scene began."""

    done: str
    expected: Facts
    seen: Facts
    at_s: float

    @property
    def held(self) -> bool:
        """Whether exactly what had to be seen was seen."""
        return dict(self.expected) == dict(self.seen)
