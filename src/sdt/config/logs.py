"""Logging as every process sets it up: one line an event on standard error, JSON or text, no personal data."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Final

from sdt.config.model import Logging

__all__ = ["set_up_logging"]

_TALKATIVE: Final = (
    *("peewee", "psycopg", "aiohttp", "asyncio", "httptools", "uvicorn", "asyncssh"),
    *("boto3", "botocore", "urllib3"),
)
"""What these say below a warning holds parameters, bodies and headers: secrets and personal data, at whatever level."""


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(settings: Logging) -> None:
    """Send this process's log to standard error; libraries speak only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.format == "json":
        handler.setFormatter(_JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("sdt").setLevel(settings.level.upper())
