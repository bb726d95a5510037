"""Logging as settings name it, for the processes that read settings."""

from __future__ import annotations

from sdt.config.model import Settings
from sdt.observing.logs import start_logging

__all__ = ["set_up_logging"]


def set_up_logging(settings: Settings, process: str) -> None:
    """Send this process's log to standard error in the form that settings name."""
    region = next(iter(settings.regions), "")
    start_logging(process, region=region, level=settings.logging.level, style=settings.logging.format)
