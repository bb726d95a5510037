"""The folders of vendors that ship with the platform: data, one folder each."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SHIPPED", "shipped"]

SHIPPED = Path(__file__).parent


def shipped() -> list[Path]:
    """Return every shipped folder, in order of name."""
    return sorted(file.parent for file in SHIPPED.glob("*/vendor.toml"))
