"""The scenes there are, in the order in which they are best read."""

from __future__ import annotations

from typing import Final

from sdt.demo.scenes import (
    c01_change,
    currency_report,
    gold_lost_and_stale,
    payouts_back,
    r01_before_mint,
    r10_day_45,
    r29_corporate,
    sdn_hits,
    stale_date,
    upload_and_duplicate,
)
from sdt.demo.scenes.scene import Scene
from sdt.domain.errors import NotFound

__all__ = ["SCENES", "scene_of"]

SCENES: Final[dict[str, Scene]] = {
    scene.name: scene
    for scene in (
        r01_before_mint.SCENE,
        r10_day_45.SCENE,
        r29_corporate.SCENE,
        payouts_back.SCENE,
        c01_change.SCENE,
        stale_date.SCENE,
        upload_and_duplicate.SCENE,
        sdn_hits.SCENE,
        currency_report.SCENE,
        gold_lost_and_stale.SCENE,
    )
}


def scene_of(name: str) -> Scene:
    """Return a scene. Errors: NotFound, naming those there are."""
    if name not in SCENES:
        raise NotFound(f"There is no scenario {name!r}; there are: {', '.join(SCENES)}.", code="no_such_scenario")
    return SCENES[name]
