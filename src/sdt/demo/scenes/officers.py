"""The officers of a scene: what they find in their cases, and what they decide, two of them where it takes two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdt.demo.scenes.stage import Stage
from sdt.domain.envelope import message_digest

__all__ = ["act", "act_of_two", "case_of", "cases_of"]


async def cases_of(stage: Stage, kind: str, **narrowed: str) -> list[Any]:
    """Return the cases of a kind that the compliance officer sees, the newest first."""
    officer = stage.official("compliance")
    found = await officer.request("GET", "/v1/office/cases", query={"kind": kind, **narrowed}, prove=True)
    return list(found["cases"])


async def case_of(stage: Stage, kind: str, account: str) -> Any:
    """Return the newest case of a kind about an account, waiting until there is one; {} when there is none in time."""
    found = await stage.eventually(lambda: cases_of(stage, kind, account=account), lambda cases: bool(cases))
    return found[0] if found else {}


async def act(stage: Stage, kind: str, claims: Mapping[str, object], officer: str = "compliance") -> Any:
    """Sign an act; return what became of it."""
    return await stage.official(officer).act(kind, claims)


async def act_of_two(
    stage: Stage,
    kind: str,
    claims: Mapping[str, object],
    officers: tuple[str, str] = ("compliance", "compliance-2"),
) -> Any:
    """One officer signs, another reads the exact bytes and agrees; return the act as it stands then."""
    made = await act(stage, kind, claims, officers[0])
    return await agreed(stage, made["act_id"], officers)


async def agreed(stage: Stage, act_id: str, officers: tuple[str, str] = ("compliance", "compliance-2")) -> Any:
    """Let another officer read the exact bytes of an act that waits and agree; return the act as it stands then."""
    first, second = (stage.official(name) for name in officers)
    read = await second.get(f"/v1/office/acts/{act_id}")
    await second.act("agree", {"digest": message_digest(read["message"].encode()).hex()})
    return await first.get(f"/v1/office/acts/{act_id}")
