"""One row a figure, with what it is held against; printed, and written for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Row", "write"]


@dataclass(frozen=True, slots=True)
class Row:
    """A figure and its bar. `at_most`: the ratio may not be above the bar; otherwise not below it.

    `against_value` is measured in the same run, in the same unit.
    """

    name: str
    value: float
    unit: str
    against: str
    against_value: float
    bar: float
    at_most: bool = False

    @property
    def ratio(self) -> float:
        """How the figure compares."""
        return self.value / self.against_value

    @property
    def ok(self) -> bool:
        """Whether the bar is reached."""
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar


def _record(row: Row) -> dict[str, Any]:
    facts = asdict(row)
    del facts["at_most"]
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in facts.items()}
    return {**rounded, "ratio": round(row.ratio, 4), "ok": row.ok}


def markdown(machine: str, commit: str, rows: Sequence[Row]) -> str:
    """Return the table as a page."""
    lines = [
        "# Performance",
        "",
        "Written by `make bench`. Every ratio is of two figures of the same run on the same machine.",
        "",
        f"- Machine: {machine}",
        f"- Commit: {commit}",
        "",
        "| row | value | against | | ratio | bar | |",
        "|---|---:|---|---:|---:|---:|---|",
    ]
    for row in rows:
        sign = "≤" if row.at_most else "≥"
        lines.append(
            f"| `{row.name}` | {row.value:,.1f} {row.unit} | {row.against} | {row.against_value:,.1f} {row.unit} "
            f"| {row.ratio:.2f} | {sign} {row.bar:g} | {'ok' if row.ok else 'MISSED'} |"
        )
    return "\n".join(lines) + "\n"


def write(folder: Path, machine: str, commit: str, rows: Sequence[Row]) -> None:
    """Write RESULTS.md and results.json."""
    (folder / "RESULTS.md").write_text(markdown(machine, commit, rows))
    document = {"machine": machine, "commit": commit, "rows": [_record(row) for row in rows]}
    (folder / "results.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
