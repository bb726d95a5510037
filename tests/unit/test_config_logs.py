"""The log of a process: one line an event, in the form that the settings name."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import peewee
import pytest

from sdt.config.logs import set_up_logging
from sdt.config.model import Logging


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("sdt")
    before = (root.handlers[:], root.level, own.level)
    yield
    root.handlers[:], _, _ = before
    root.setLevel(before[1])
    own.setLevel(before[2])


def test_json_lines_stay_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Logging(level="info", format="json"))
    try:
        raise ValueError("a\nb")
    except ValueError:
        logging.getLogger("sdt.worker").exception("batch %d\nfailed", 7)
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["level"], event["logger"], event["message"]) == ("error", "sdt.worker", "batch 7\nfailed")
    assert "ValueError: a\nb" in event["trace"]
    assert event["at"].endswith("Z")


@pytest.mark.parametrize("library", ["peewee", "aiohttp", "asyncio", "httptools"])
def test_what_a_library_says_of_its_parameters_is_never_written(
    capsys: pytest.CaptureFixture[str], library: str
) -> None:
    # given a library that somebody told to speak
    logging.getLogger(library).setLevel(logging.DEBUG)
    set_up_logging(Logging(level="debug", format="text"))
    logging.getLogger(library).debug("INSERT INTO users VALUES (?) %s", ["Maria Muster"])
    database = peewee.SqliteDatabase(":memory:")
    database.execute_sql("SELECT ?", ("Maria Muster",))
    database.close()
    assert "Muster" not in capsys.readouterr().err


def test_libraries_speak_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Logging(level="debug", format="text"))
    logging.getLogger("somebody.else").info("chatter")
    logging.getLogger("somebody.else").warning("careful")
    logging.getLogger("sdt.api").debug("detail")
    said = capsys.readouterr().err
    assert "chatter" not in said
    assert "careful" in said
    assert "detail" in said
