"""Playing one scene on a running platform, and the books held against each other at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sdt.client import Network
from sdt.config import Settings
from sdt.demo.scenes.scene import Scene, SceneFailed, Step
from sdt.demo.scenes.stage import Stage, Tell
from sdt.domain.errors import SdtError
from sdt.domain.region import Region
from sdt.local.books import settled_books
from sdt.vendors import open_vendors

__all__ = ["Played", "play"]


@dataclass(frozen=True, slots=True)
class Played:
    """A scene as it went; `problem` says why it did not hold. Units: seconds."""

    scene: Scene
    steps: Sequence[Step]
    problem: str
    seconds: float

    @property
    def held(self) -> bool:
        """Whether everything asserted was seen."""
        return not self.problem and all(step.held for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "scenario": self.scene.name,
            "held": self.held,
            "problem": self.problem or None,
            "seconds": round(self.seconds, 1),
            "steps": [
                {
                    "done": step.done,
                    "expected": dict(step.expected),
                    "seen": dict(step.seen),
                    "held": step.held,
                    "at_s": round(step.at_s, 1),
                }
                for step in self.steps
            ],
        }


async def play(scene: Scene, settings: Settings, region: Region, network: Network, tell: Tell) -> Played:
    """Play a scene to its end or to the first thing that is not as it must be; its last step is the books."""
    began = time.monotonic()
    problem = ""
    async with open_vendors(settings) as vendors:
        stage = Stage(settings, region, network, vendors, tell)
        try:
            await scene.play(stage)
            await _hold_books(stage)
        except SceneFailed as error:
            problem = error.detail
        except SdtError as error:
            problem = f"{error.code}: {error.detail}"
        finally:
            await stage.close()
    return Played(scene, tuple(stage.steps), problem, time.monotonic() - began)


async def _hold_books(stage: Stage) -> None:
    books = await settled_books(stage.settings, stage.region)
    stage.step(
        "Chain, database, bank and vault are held against each other",
        expected={one.token.symbol: "equal; supply ≤ reserve" for one in books},
        seen={one.token.symbol: _words(one.agree, one.covered, repr(one)) for one in books},
    )


def _words(agree: bool, covered: bool, otherwise: str) -> str:
    return "equal; supply ≤ reserve" if agree and covered else otherwise
