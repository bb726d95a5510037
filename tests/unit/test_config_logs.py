"""The log of a process: one line an event, in the form that the settings name, with nobody in it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import peewee
import pytest

from sdt.domain.errors import Conflict
from sdt.observing.context import about
from sdt.observing.logs import start_logging
from sdt.observing.repeats import LIKE_MAX, Repeats


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    root, own, hook = logging.getLogger(), logging.getLogger("sdt"), sys.excepthook
    before = (root.handlers[:], root.level, own.level)
    yield
    root.handlers[:], _, _ = before
    root.setLevel(before[1])
    own.setLevel(before[2])
    sys.excepthook = hook


def test_json_lines_stay_one_line_each_and_say_whose_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("worker", region="texas")
    with about(batch=7):
        logging.getLogger("sdt.worker").warning("batch\nfailed", extra={"transaction_id": "0190"})
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["process"], event["region"], event["level"]) == ("worker", "texas", "warning")
    assert (event["logger"], event["message"]) == ("sdt.worker", "batch\nfailed")
    assert (event["batch"], event["transaction_id"]) == (7, "0190")
    assert event["time"].endswith("Z")


def test_what_the_work_is_about_ends_with_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("worker")
    with about(batch=7), about(party=2):
        pass
    logging.getLogger("sdt.worker").warning("later")
    assert "batch" not in json.loads(capsys.readouterr().err)
    with pytest.raises(AssertionError), about(name="Maria Muster"):
        pass


@pytest.mark.parametrize("style", ["json", "text"])
def test_an_exception_is_fields_and_a_librarys_words_are_not_repeated(
    capsys: pytest.CaptureFixture[str], style: str
) -> None:
    # given an error of a library whose text repeats a parameter, under one of ours
    start_logging("api", style=style)
    try:
        try:
            raise ValueError("DETAIL: Key (name)=(Maria Muster)\nalready exists")
        except ValueError as error:
            raise Conflict("It was there before.", code="it_was_there") from error
    except Conflict:
        logging.getLogger("sdt.api").exception("failed")
    # then ours is told in its own words, the library's by its type and place
    (line,) = capsys.readouterr().err.splitlines()
    assert "Muster" not in line
    assert "it_was_there" in line and "ValueError" in line and "test_config_logs.py" in line


def test_a_bug_that_ends_the_process_is_one_line_without_values() -> None:
    script = (
        "from sdt.observing.logs import start_logging\n"
        "start_logging('worker', region='texas')\n"
        "raise ValueError('Maria Muster')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    event = json.loads(done.stderr)
    assert (event["level"], event["error"], event["process"]) == ("critical", "ValueError", "worker")
    assert "Muster" not in done.stderr


@pytest.mark.parametrize("library", ["peewee", "aiohttp", "asyncio", "httptools", "botocore"])
def test_what_a_library_says_of_its_parameters_is_never_written(
    capsys: pytest.CaptureFixture[str], library: str
) -> None:
    # given a library that somebody told to speak
    logging.getLogger(library).setLevel(logging.DEBUG)
    start_logging("api", level="debug", style="text")
    logging.getLogger(library).debug("INSERT INTO users VALUES (?) %s", ["Maria Muster"])
    database = peewee.SqliteDatabase(":memory:")
    database.execute_sql("SELECT ?", ("Maria Muster",))
    database.close()
    assert "Muster" not in capsys.readouterr().err


def test_libraries_speak_from_warnings_on_and_we_from_our_level(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("api", level="debug", style="text")
    logging.getLogger("somebody.else").info("chatter")
    logging.getLogger("somebody.else").warning("careful")
    logging.getLogger("sdt.api").debug("detail")
    said = capsys.readouterr().err
    assert "chatter" not in said
    assert "careful" in said
    assert "detail" in said


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, int | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.getMessage(), record.__dict__.get("repeated")))


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def said() -> tuple[logging.Logger, Clock, _Kept]:
    kept, clock = _Kept(), Clock()
    log = logging.Logger("sdt.test")
    log.addHandler(Repeats(kept, clock))
    return log, clock, kept


def test_the_same_line_is_told_once_and_then_each_minute_with_how_often(
    said: tuple[logging.Logger, Clock, _Kept],
) -> None:
    log, clock, kept = said
    for second in range(121):
        clock.now_s = second
        log.warning("%s: %d left", "stock_low", 3)
    assert kept.lines == [("stock_low: 3 left", None), ("stock_low: 3 left", 59), ("stock_low: 3 left", 59)]


def test_a_change_is_told_at_once_and_a_flood_of_changes_is_counted(said: tuple[logging.Logger, Clock, _Kept]) -> None:
    log, clock, kept = said
    for left in range(100):
        log.warning("%s: %d left", "stock_low", left)
    assert [line for line, _ in kept.lines] == [f"stock_low: {left} left" for left in range(LIKE_MAX)]
    clock.now_s = 61
    log.warning("%s: %d left", "stock_low", 7)
    log.error("%s: %d left", "stock_low", 7)
    assert kept.lines[LIKE_MAX:] == [("stock_low: 7 left", 100 - LIKE_MAX), ("stock_low: 7 left", None)]
