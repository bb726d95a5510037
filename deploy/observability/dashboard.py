"""Make grafana-dashboard.json of dashboard.toml: `python deploy/observability/dashboard.py`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
COLUMNS, WIDTH, HEIGHT = 24, 8, 7
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


def _panel(number: int, place: int, top: int, spec: dict[str, Any]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + i), "expr": expression, "legendFormat": legend, "datasource": SOURCE}
        for i, (legend, expression) in enumerate(spec["queries"])
    ]
    columns = COLUMNS // WIDTH
    return {
        "id": number,
        "title": spec["title"],
        "type": spec.get("kind", "timeseries"),
        "datasource": SOURCE,
        "gridPos": {
            "x": place % columns * WIDTH,
            "y": top + place // columns * HEIGHT,
            "w": WIDTH,
            "h": HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": spec["unit"], "min": 0 if spec["unit"] == "s" else None}, "overrides": []},
        "targets": targets,
    }


def dashboard(table: dict[str, Any]) -> dict[str, Any]:
    """Return Grafana's document of a table of rows and panels."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in table["row"]:
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        panels.append({"id": len(panels) + 1, "title": row["title"], "type": "row", "gridPos": place, "panels": []})
        top += 1
        for i, spec in enumerate(row["panels"]):
            panels.append(_panel(len(panels) + 1, i, top, spec))
        top += -(-len(row["panels"]) // (COLUMNS // WIDTH)) * HEIGHT
    return {
        "uid": "sdt",
        "title": table["title"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }


def text() -> str:
    """Return the file as it must be."""
    return json.dumps(dashboard(tomllib.loads((FOLDER / "dashboard.toml").read_text())), indent=1) + "\n"


if __name__ == "__main__":
    (FOLDER / "grafana-dashboard.json").write_text(text())
