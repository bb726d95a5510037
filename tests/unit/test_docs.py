"""What the pages name is there: links and their anchors, commands, settings, files, tests, decisions."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import typer

from sdt.config.known import keys_of, leaves
from sdt.config.model import Settings

ROOT = Path(__file__).resolve().parents[2]
_UNTOUCHED = {".venv", ".tools", "node_modules"}
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part in _UNTOUCHED or part.startswith(".") for part in page.parts[len(ROOT.parts) :])
)
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
_FENCED = re.compile(r"^```[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND_LINE = re.compile(r"^(?:[$>] )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(sdt [^#\n|<>]*)", re.MULTILINE)
_WORD = re.compile(r"[a-z][a-z0-9-]*")
_FILE = re.compile(r"(?<![\w/])(?:src|tests|docs|deploy|bench|regions)/[\w./-]*[\w-]")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _prose(page: Path) -> str:
    return _FENCED.sub("", page.read_text())


@cache
def _anchors(page: Path) -> set[str]:
    """What GitHub makes of the page's headings: letters, digits, hyphens; a repeated one is numbered."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", _prose(page), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        numbered = (f"{anchor}-{number}" for number in range(1, 100))
        found.add(anchor if anchor not in found else next(one for one in numbered if one not in found))
    return found


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} is not there"
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        if anchor:
            assert anchor in _anchors(target), f"{link}: the page has no such heading"


def test_every_page_can_be_reached_from_the_first() -> None:
    reached, to_read = set[Path](), [ROOT / "README.md"]
    while to_read:
        page = to_read.pop()
        if page not in reached:
            reached.add(page)
            links = (page.parent / link.partition("#")[0] for link in _LINK.findall(_prose(page)))
            to_read += [link.resolve() for link in links if link.suffix == ".md" and link.exists()]
    assert {_name(page) for page in PAGES if page.parent != ROOT / "docs" / "decisions"} <= {_name(p) for p in reached}


@cache
def _sdt() -> object:
    from sdt.cli.app import app

    return typer.main.get_command(app)


def _commands(page: Path) -> list[str]:
    text = page.read_text()
    fenced = [line.strip() for block in _FENCED.findall(text) for line in _COMMAND_LINE.findall(block)]
    inline = [code.removeprefix(".venv/bin/") for code in _CODE.findall(_prose(page))]
    return [*fenced, *(re.sub(r"^(?:[A-Z_]+=\S+ )+", "", code) for code in inline)]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_is_one(page: Path) -> None:
    for command in (one for one in _commands(page) if one.startswith("sdt ")):
        here: object = _sdt()
        first, *others = re.split(r" ?\| ?", re.sub(r"[][]", "", command))
        words = [word.rstrip(",;") for word in first.split()[1:]]
        siblings: object = None
        while words and hasattr(here, "commands") and _WORD.fullmatch(words[0]):
            assert words[0] in here.commands, f"`{command}` names no command"
            siblings, here = here.commands, here.commands[words.pop(0)]
        for other in others:
            name = other.split()[0]
            if name.startswith("--"):
                words.append(name)
            else:
                assert name in siblings, f"`{command}`: {name} is no command"  # type: ignore[operator]
        options = {name for one in here.params for name in (*one.opts, *one.secondary_opts)}  # type: ignore[attr-defined]
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in options | {"--help"}, f"`{command}` has no option {word}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_setting_is_one(page: Path) -> None:
    known = set(leaves(keys_of(Settings)))
    tables = {name.partition(".")[0] for name in known if "." in name}
    known |= {name.rpartition(".")[0] for name in known}
    patterns = {re.compile(re.escape(name).replace(r"\*", r"[\w-]+")) for name in known}
    for code in _CODE.findall(_prose(page)):
        named = re.fullmatch(r"((\w+)(?:\.[\w-]+)+)(?: = .+)?", code)
        if named and named[2] in tables and not named[1].endswith((".py", ".toml", ".yaml", ".sealed", ".json", ".db")):
            assert any(one.fullmatch(named[1]) for one in patterns), f"`{code}` is no setting"


@cache
def _tests() -> set[str]:
    """Names of the files of tests and of the tests in them."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    return {file.stem for file in files} | {
        name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())
    }


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_file_and_test_is_there(page: Path) -> None:
    known = _tests()
    for code in _CODE.findall(_prose(page)):
        for path in _FILE.findall(code):
            if "*" not in code and "/N" not in path:
                assert (ROOT / path).exists() or (page.parent / path).exists(), f"`{path}` is not there"
        for name in re.findall(r"^(test_\w+)(?:\.py)?$", code):
            assert name in known, f"`{name}` is no test"


def test_decisions_are_numbered_and_of_one_form() -> None:
    for number, page in enumerate(DECISIONS, 1):
        text = page.read_text()
        assert page.name.startswith(f"{number:04}-")
        assert re.match(rf"# {number}\. \S", text), f"{page.name}: its title is `# {number}. …`"
        parts = re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", text, re.MULTILINE)
        assert parts[:2] == ["Context", "Choice"], page.name
        assert "Consequences" not in parts, f"{page.name}: the part is called Consequence"
        assert not re.search(r"^## ", text, re.MULTILINE), page.name


def test_no_file_holds_a_conflict() -> None:
    # Written so that this line is none itself.
    marker = f"^({'<' * 7} |{'>' * 7} )"
    found = subprocess.run(["git", "grep", "-nIE", marker], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 1, found.stdout or found.stderr
