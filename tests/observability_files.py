"""The files in deploy/observability, read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "deploy" / "observability"
_FIGURE = re.compile(r"\bsdt_[a-z0-9_]+")


def alarms() -> list[dict[str, Any]]:
    """Return every alarm rule."""
    groups = yaml.safe_load((FOLDER / "alarms.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alarm_figures() -> set[str]:
    """Return the figures that alarms are about."""
    return {name for rule in alarms() for name in _FIGURE.findall(rule["expr"])}


def dashboard_figures() -> set[str]:
    """Return the figures that the dashboard shows."""
    board = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    return {
        name
        for panel in board["panels"]
        for target in panel.get("targets", [])
        for name in _FIGURE.findall(target["expr"])
    }
