"""docs/vendors.md: the folder that the page writes, taken from the page, spoken to over HTTP as the page says."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from lying_vendor import speaker
from sdt.adapters.aml import HttpAml
from sdt.adapters.vendor.check import check_folder, send_samples
from sdt.adapters.vendor.folder import Folder, load_folder
from sdt.adapters.vendor.functions import Functions
from sdt.adapters.vendor.kinds import KINDS
from sdt.adapters.vendor.samples import SAMPLES
from sdt.domain.errors import NotFound
from sdt.ports.aml import ScreeningOutcome

PAGE = Path(__file__).parents[2] / "docs" / "vendors.md"
_FILE = re.compile(r"\*\*`([a-z._]+)`\*\*\n\n```[a-z]+\n(.*?)```", re.DOTALL)
LIST = {"day": "20260105", "hash": "ab" * 32}


@dataclass
class Acme:
    """Acme, as the page describes it. `silent` answers are kept to itself, though the check is made."""

    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    silent: int = 0

    async def make(self, request: web.Request) -> web.Response:
        if request.headers.get("X-Acme-Key") != "key":
            return web.json_response({"problem": "E01"}, status=401)
        question = await request.json()
        made = self.checks.setdefault(
            question["ref"],
            {
                "check": {
                    "no": f"A-{len(self.checks) + 1}",
                    "ref": question["ref"],
                    "when": 1795705445000,
                    "why": question["why"],
                    "for": question["for"],
                },
                "found": {"level": "AMBER", "per_cent": "86.5", "because": ["all but one word"]},
                "list": LIST,
                "name": question["subject"]["name"],
            },
        )
        if self.silent:
            self.silent -= 1
            await asyncio.sleep(3)
        return web.json_response(made)

    async def find(self, request: web.Request) -> web.Response:
        found = self.checks.get(request.query["ref"])
        return web.json_response({"checks": [found] if found else []})

    async def look(self, request: web.Request) -> web.Response:
        for made in self.checks.values():
            if made["check"]["no"] == request.match_info["no"]:
                return web.json_response(made)
        return web.json_response({"problem": "E17"}, status=404)


@pytest.fixture
async def acme() -> AsyncIterator[tuple[Acme, str]]:
    acme, app = Acme(), web.Application()
    app.router.add_post("/checks", acme.make)
    app.router.add_get("/checks", acme.find)
    app.router.add_get("/checks/{no}", acme.look)

    async def edition(_: web.Request) -> web.Response:
        return web.json_response(LIST)

    app.router.add_get("/list", edition)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield acme, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The folder of the page, its time limit cut short."""
    for name, text in _FILE.findall(PAGE.read_text()):
        (tmp_path / name).write_text(text)
    loaded = load_folder(tmp_path)
    return replace(loaded, spec=msgspec.structs.replace(loaded.spec, timeout_s=1.0, pause_s=0.01))


def test_the_folder_of_the_page_is_well(folder: Folder) -> None:
    report = check_folder(folder)
    assert (report.problems, report.remarks, len(report.tried)) == ([], [], 6)


async def test_its_samples_travel(folder: Folder, acme: tuple[Acme, str]) -> None:
    vendor = speaker(acme[1], folder)
    report = await send_samples(folder, vendor, "1")
    assert (report.problems, report.tried) == ([], ["sanctions_list", "screen", "screening"])
    await vendor.close()


async def test_a_wrong_key_is_told(folder: Folder, acme: tuple[Acme, str]) -> None:
    vendor = speaker(acme[1], folder, "other")
    report = await send_samples(folder, vendor, "1")
    assert report.problems == ["operations.screen: vendor_fault: The aml vendor refused to talk to us: http_401."]
    await vendor.close()


async def test_a_check_that_went_unanswered_is_found_and_not_made_twice(
    folder: Folder, acme: tuple[Acme, str], tmp_path: Path
) -> None:
    stand_in, url = acme
    aml = HttpAml(speaker(url, folder, trace=tmp_path / "trace"))
    request = SAMPLES["aml"][1].arguments({})["request"]
    stand_in.silent = 1

    found = await aml.screen(request, "k")

    assert (found.outcome, found.score, found.reasons) == (
        ScreeningOutcome.POSSIBLE_MATCH,
        86,
        ("all_but_one_word",),
    )
    assert list(stand_in.checks) == ["screen.k"]
    assert await aml.screening(found.screening_id) == found
    with pytest.raises(NotFound) as refused:
        await aml.screening("A-99")
    assert refused.value.code == "check_unknown"
    calls = [json.loads(line) for line in (tmp_path / "trace" / "trace.jsonl").read_text().splitlines()]
    assert [one["operation"] for one in calls] == ["screen", "screen.ask", "screening", "screening"]
    assert "SAMPLENAME" not in (tmp_path / "trace" / "trace.jsonl").read_text()
    await aml.close()


def test_the_page_names_every_function_kind_and_operation() -> None:
    page = PAGE.read_text()
    standard = set(Functions.__mro__[1].FUNCTION_TABLE)
    own = {name for name in Functions.FUNCTION_TABLE if name not in standard}
    assert not [name for name in own if f"`{name}`" not in page and f"`{name}(" not in page]
    assert not [name for _, names in KINDS.values() for name in names if f"`{name}`" not in page]
    assert not [kind for kind in KINDS if f"| `{kind}` |" not in page]
