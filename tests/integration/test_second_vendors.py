"""The whole story on vendors of another make: nothing but settings differs from the demonstration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdt.adapters.vendor.kinds import KINDS
from sdt.demo.story import Story
from sdt.local.books import settled_books
from sdt.local.platform import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


async def test_the_story_is_told_on_the_second_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given settings that name another folder for each kind
    monkeypatch.setenv("SDT_SANDBOX__BANKING_DAY_S", "0.2")
    monkeypatch.setenv("SDT_ENV", "test")
    for kind in KINDS:
        monkeypatch.setenv(f"SDT_VENDORS__{kind.upper()}__FOLDER", f"plains-{kind.replace('_', '-')}")
    home = tmp_path / "home"

    # When the story is told
    async with running(home) as platform:
        story = Story(platform, lambda *_: None)
        await story.run()
        await story.close()
        books = await settled_books(platform.settings, platform.region)

    # Then every book says the same
    assert all(one.agree and one.covered for one in books), books
    # and it was these vendors who were spoken to, with nobody's data in what is written about it
    # (entries travel in files, so nobody hands them in one by one)
    for kind in KINDS.keys() - {"ach"}:
        trace = home / "vendors" / f"plains-{kind.replace('_', '-')}" / "trace.jsonl"
        assert trace.stat().st_mode & 0o777 == 0o600
        text = trace.read_text()
        assert all(json.loads(line)["path"].startswith("/plains/") for line in text.splitlines())
        assert not [word for word in ("Alice", "Bob", "Carol", "Example", "Congress", "123456789") if word in text]
