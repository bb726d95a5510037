"""docs/configuration.md lists every setting as the packaged file explains it, and the file has every setting."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from sdt.config.known import ANY, keys_of, leaves
from sdt.config.load import PACKAGED_FILE
from sdt.config.model import Settings
from sdt.config.reference import comments, with_reference
from sdt.config.variables import RESERVED

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text()
    assert page == with_reference(page), "run: python -m sdt.config.reference docs/configuration.md"


def test_every_key_of_the_model_has_a_default_and_no_other_key_has() -> None:
    default = tomllib.loads(PACKAGED_FILE.read_text())["default"]
    in_file = {re.sub(r"^(signers|regions)\.\w+", r"\1.*", path) for path in leaves_of(default)}
    # There are the embedded chain when no node is named, and Amazon's own addresses.
    assert in_file == set(leaves(keys_of(Settings))) - {"chain.nodes.*", "aws.endpoints.*"}


def leaves_of(table: dict[str, object], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in table.items():
        found |= leaves_of(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name}
    return found


def test_every_setting_is_on_the_page_with_a_sentence() -> None:
    page = PAGE.read_text()
    for path in leaves(keys_of(Settings)):
        name = path.rpartition(".")[2]
        if name != ANY:
            assert re.search(rf"^\| `{name}` \| `.*` \| .*\| \S.+ \|$", page, re.MULTILINE), path
    assert all(variable in page for variable in RESERVED)


def test_comments_of_a_section_and_of_its_keys_are_told_apart() -> None:
    text = "# About a.\n[default.a]\n# One\n# two.\nx = 1\ny = 2\n"
    assert comments(text) == {"default.a": "About a.", "default.a.x": "One two.", "default.a.y": ""}


def test_the_file_in_the_root_is_the_packaged_one() -> None:
    assert (ROOT / "settings.toml").resolve() == PACKAGED_FILE
