"""docs/dependencies.md names every direct dependency with its licence, and nothing locked is under the GPL."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| ([a-z0-9-]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "dependencies.md").read_text())
PAGE = {name: licence for name, licence, _ in ROWS if name != "package"}
LICENCE_TEXT_CHARS = 600


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def direct() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = chain(project["dependencies"], *project["optional-dependencies"].values())
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in wanted)
    return {canonical(name[0]) for name in names if name}


def locked() -> set[str]:
    text = (ROOT / "requirements.lock").read_text() + (ROOT / "requirements-dev.lock").read_text()
    return {canonical(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


def installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None  # Locked for another system.


def licence(found: Distribution) -> str:
    """What the package itself says; its licence file speaks only where the metadata are silent."""
    said = [found.metadata.get("License-Expression") or (found.metadata.get("License") or "")[:LICENCE_TEXT_CHARS]]
    said += [line for line in found.metadata.get_all("Classifier") or [] if line.startswith("License")]
    if not any(said):
        files = [f for f in found.files or [] if re.search(r"LICEN[CS]E|COPYING", f.name, re.IGNORECASE)]
        said = [f.read_text()[:LICENCE_TEXT_CHARS] for f in files]
    return " ".join(said)


def is_gpl(text: str) -> bool:
    lesser = r"LGPL|GNU (Lesser|Library) General Public License"
    return bool(re.search(r"GPL|General Public License", re.sub(lesser, "", text, flags=re.IGNORECASE)))


def test_the_page_names_every_direct_dependency_and_no_other() -> None:
    assert set(PAGE) == direct()


@pytest.mark.parametrize("name", sorted(PAGE))
def test_the_page_has_the_licence_that_the_package_states(name: str) -> None:
    found = distribution(name)
    stated = found.metadata.get("License-Expression")
    if stated is not None:
        assert PAGE[name] == stated
    else:
        family = re.split(r"[- ]", PAGE[name])[0]
        # A licence's own text need not name it: this is how the MIT licence begins.
        wanted = rf"{family}|Permission is hereby granted" if family == "MIT" else family
        assert re.search(wanted, licence(found))


def test_nothing_locked_is_under_the_gpl() -> None:
    found = {name: licence(known) for name in locked() if (known := installed(name)) is not None}
    assert len(found) > 80
    assert not [name for name, text in found.items() if is_gpl(text)]
    assert not [name for name, text in found.items() if not text.strip()], "a licence nobody states"


@pytest.mark.parametrize(
    ("text", "gpl"),
    [
        ("GPL-3.0-only", True),
        ("AGPL-3.0-or-later", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("License :: OSI Approved :: GNU General Public License v2 (GPLv2)", True),
        ("LGPL-3.0-only", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MIT", False),
    ],
)
def test_the_gpl_is_told_from_the_lgpl(text: str, gpl: bool) -> None:
    assert is_gpl(text) is gpl
