"""The reference part of docs/configuration.md, made from the comments in settings.toml.

`python -m sdt.config.reference docs/configuration.md` writes it between the two marks of the page.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from sdt.config.load import PACKAGED_FILE

__all__ = ["BEGIN", "END", "comments", "reference", "with_reference"]

BEGIN, END = "<!-- settings -->", "<!-- end of settings -->"
_SECTION = re.compile(r"\[([a-z0-9_.]+)\]")
_KEY = re.compile(r"([a-z0-9_]+) = ")


def comments(text: str) -> dict[str, str]:
    """Return what the comment above each key, and above each section, of a settings file says."""
    said: dict[str, str] = {}
    section, above = "", []
    for line in text.splitlines():
        if line.startswith("#"):
            above.append(line.removeprefix("#").strip())
            continue
        if match := _SECTION.match(line):
            section = match[1]
            said[section] = " ".join(above)
        elif match := _KEY.match(line):
            said[f"{section}.{match[1]}"] = " ".join(above)
        above = []
    return said


def reference() -> str:
    """Return a table for each section, in the order of settings.toml; sections of one form share a table."""
    text = PACKAGED_FILE.read_text("utf-8")
    said, tables = comments(text), tomllib.loads(text)
    blocks: list[str] = []
    done: set[str] = set()
    for name in (line for line in said if line.startswith("default")):
        table = _at(tables, name)
        if not isinstance(table, dict) or name in done:
            continue
        twins = _twins(name, tables, said)
        done.update(twins)
        blocks.append(_block(twins, table, tables, said))
    return "\n".join(blocks)


def _at(tables: dict[str, Any], dotted: str) -> Any:
    here: Any = tables
    for part in dotted.split("."):
        here = here.get(part) if isinstance(here, dict) else None
    return here


def _twins(name: str, tables: dict[str, Any], said: dict[str, str]) -> list[str]:
    """Return the section and its siblings with the same keys, which only the first explains."""
    parent, keys = name.rpartition(".")[0], _at(tables, name).keys()
    if parent in ("", "default"):
        return [name]
    siblings = (other for other in said if other.rpartition(".")[0] == parent)
    return [s for s in siblings if isinstance(_at(tables, s), dict) and _at(tables, s).keys() == keys]


def _block(names: list[str], table: dict[str, Any], tables: dict[str, Any], said: dict[str, str]) -> str:
    titles = [name.removeprefix("default").lstrip(".") for name in names]
    heading = ", ".join(f"`[{title}]`" for title in titles) if titles[0] else "Top level"
    lines = [f"### {heading}\n"]
    if titles[0]:
        lines.append(f"{said[names[0]]}\n")
    rows = [
        f"| `{key}` | `{_shown(value)}` | {_test_value(titles[0], key, tables)} | {said[f'{names[0]}.{key}']} |"
        for key, value in table.items()
        if not isinstance(value, dict)
    ]
    if rows:
        lines += ["| setting | default | test | |", "|---|---|---|---|", *rows]
    return "\n".join(lines).rstrip() + "\n"


def _test_value(section: str, key: str, tables: dict[str, Any]) -> str:
    value = _at(tables, ".".join(part for part in ("test", section, key) if part))
    return "" if value is None else f"`{_shown(value)}`"


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def with_reference(page: str) -> str:
    """Return the page with its reference part made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_reference(file.read_text("utf-8")), "utf-8")
