"""Log lines: one event is one line on standard error, JSON or text, with what the work at hand is about.

An exception is told by its type and where it was raised; its text only where it is one of ours. A driver's or a
library's text may repeat a parameter, and that may be a name.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from types import TracebackType
from typing import Any, Final

from sdt.domain.errors import SdtError
from sdt.observing.context import FIELDS, fields
from sdt.observing.repeats import Repeats

__all__ = ["JsonLines", "TextLines", "start_logging"]

_TALKATIVE: Final = (
    "peewee",
    "psycopg",
    "aiohttp",
    "asyncio",
    "httptools",
    "uvicorn",
    "asyncssh",
    "boto3",
    "botocore",
    "urllib3",
    "opentelemetry",
)
"""What these say below a warning holds parameters, addresses and headers: personal data, at whatever level we speak."""

_FRAMES_MAX: Final = 12
log = logging.getLogger("sdt.observing")


def _known(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields of a line: those of the work at hand, and those given with the line itself."""
    own = record.__dict__
    return {**fields(), **{name: own[name] for name in FIELDS if name in own}}


def _error(error: BaseException) -> dict[str, object]:
    """Tell an exception by type and place; by its words where they are ours."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
    kind = type(error)
    told: dict[str, object] = {
        "error": kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}",
        "where": [f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames)],
    }
    if isinstance(error, SdtError):
        told |= {"code": error.code, "detail": error.detail}
    elif isinstance(error, AssertionError):
        told["detail"] = str(error)
    elif isinstance(error, OSError):
        told["detail"] = error.strerror or ""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        told["cause"] = f"{type(cause).__module__}.{type(cause).__qualname__}"
    return told


class JsonLines(logging.Formatter):
    """Lines for machines."""

    def __init__(self, process: str, region: str) -> None:
        super().__init__()
        self._who = {"process": process, **({"region": region} if region else {})}

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            **self._who,
            "logger": record.name,
            "message": record.getMessage(),
            **_known(record),
        }
        if (more := record.__dict__.get("repeated")) is not None:
            line["repeated"] = more
        if (access := record.__dict__.get("access")) is not None:
            line |= access
        if record.exc_info and record.exc_info[1] is not None:
            line |= _error(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """Lines for people: the same, without what a person can see from the file's name."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        known = _known(record) | dict(record.__dict__.get("access") or {})
        if (more := record.__dict__.get("repeated")) is not None:
            known["repeated"] = more
        if record.exc_info and record.exc_info[1] is not None:
            known |= _error(record.exc_info[1])
        bare = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None, "stack_info": None})
        text = super().format(bare) + "".join(f" {name}={value}" for name, value in known.items())
        return text.replace("\n", " ")


def start_logging(process: str, *, region: str = "", level: str = "info", style: str = "json") -> None:
    """Send this process's log to standard error; libraries speak only from warnings on.

    What ends the process unforeseen becomes a line too.
    """
    handler = Repeats(logging.StreamHandler(sys.stderr))
    handler.setFormatter(JsonLines(process, region) if style == "json" else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("sdt").setLevel(level.upper())
    sys.excepthook = _ended


def _ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Any:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("the process ends by an error", exc_info=(kind, error, trace))
