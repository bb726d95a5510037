"""Ports that were chosen at the last start, by the dotted name of the setting that they fill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sdt.config.errors import ConfigurationInvalid
from sdt.config.model import Settings

__all__ = ["PORTS_FILE", "open_ports", "read_ports"]

PORTS_FILE = "ports.json"


def read_ports(home: Path) -> dict[str, int]:
    """Return the ports written in a home folder; empty before its first start."""
    file = home / PORTS_FILE
    try:
        ports = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ConfigurationInvalid(f"{file} cannot be read; delete it and start again") from error
    if not isinstance(ports, dict) or not all(isinstance(p, int) and 0 < p < 65536 for p in ports.values()):
        raise ConfigurationInvalid(f"{file} cannot be read; delete it and start again")
    return ports


def open_ports(settings: Settings) -> tuple[str, ...]:
    """Return the dotted names of the ports that are 0: the ones to choose at start."""
    return tuple(_zeros(settings.model_dump(), ""))


def _zeros(table: Mapping[str, object], prefix: str) -> list[str]:
    found = []
    for name, value in table.items():
        if isinstance(value, Mapping):
            found += _zeros(value, f"{prefix}{name}.")
        elif (name == "port" or name.endswith("_port")) and value == 0:
            found.append(prefix + name)
    return found
