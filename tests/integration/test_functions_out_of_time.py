"""Functions that run out of time, or meet what they cannot read, take nothing from whoever is beside or after them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from api_platform import platform

from sdt.domain.errors import Invalid, Unavailable
from sdt.domain.sanctions.subjects import Found
from sdt.functions import list_search
from sdt.functions.api import ApiFunction
from sdt.functions.list_search import ListSearch
from sdt.functions.screening import RESERVE_S, ScreeningFunction
from sdt.sandbox import __file__ as sandbox_file
from sdt.store import Store, open_store
from sdt.worker.clock import Clock
from sdt.workflows.sanctions_lists import first_list, open_edition

pytestmark = pytest.mark.slow

UNREADABLE = "of a version to come"
INVENTED = Path(sandbox_file).parent / "sanctions_list"


@dataclass
class Left:
    """What is left of an invocation."""

    ms: int

    def get_remaining_time_in_millis(self) -> int:
        return self.ms


class Round:
    """Decides what it can read; as the round of screening does, all or nothing."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.decided: list[str] = []

    def decide(self, store: Store, ids: Sequence[str]) -> list[Any]:
        if UNREADABLE in ids:
            raise self.error
        self.decided += ids
        return []


def screened(store: Store, round_: Round, *ids: str) -> list[str]:
    """Hand a function these messages; return which come again."""
    function = ScreeningFunction(store, None, None, Clock())  # type: ignore[arg-type]
    function._round = round_  # type: ignore[assignment]
    return invoked(function, Left(20_000), *ids)


def invoked(function: ScreeningFunction, left: Left, *ids: str) -> list[str]:
    """Call a function with these messages; return which come again."""
    records = [{"messageId": id_, "body": id_, "attributes": {"MessageGroupId": id_}} for id_ in ids]
    return [failure["itemIdentifier"] for failure in function.handler({"Records": records}, left)["batchItemFailures"]]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = open_store(f"sqlite:///{tmp_path}/sdt.db", migrate=True)
    yield store
    store.close()


@pytest.mark.parametrize("error", [Invalid("There is no such type.", code="message_type"), ValueError("?")])
def test_a_message_of_a_version_to_come_takes_no_other_with_it(store: Store, error: Exception) -> None:
    round_ = Round(error)
    assert screened(store, round_, "before", UNREADABLE, "after") == [UNREADABLE]
    assert round_.decided == ["before", "after"]


def test_without_a_database_all_come_again(store: Store) -> None:
    round_ = Round(Unavailable("The database does not answer.", code="database_unavailable"))
    assert screened(store, round_, "before", UNREADABLE) == ["before", UNREADABLE]
    assert round_.decided == []


def test_a_vendor_has_what_the_database_left_of_the_invocation(store: Store) -> None:
    """Given a database that took all the time there was, and a vendor that hangs, then the queue hears in time."""
    left = Left(20_000)

    class Slow:
        def decide(self, store: Store, ids: Sequence[str]) -> list[Any]:
            left.ms = int(RESERVE_S * 1000)
            return [(SimpleNamespace(id="named", type="register"), SimpleNamespace(account="0x1"))]

    class Hangs:
        async def look(self, *_: object) -> None:
            await asyncio.Event().wait()

    function = ScreeningFunction(store, None, Hangs(), Clock())  # type: ignore[arg-type]
    function._round = Slow()  # type: ignore[assignment]
    began = time.monotonic()
    assert invoked(function, left, "before", "named", "after") == ["named"]
    assert time.monotonic() - began < 10


def test_a_database_that_hangs_does_not_outlast_the_invocation(store: Store) -> None:
    go_on, decided = threading.Event(), []

    class Hangs:
        def decide(self, store: Store, ids: Sequence[str]) -> list[Any]:
            go_on.wait(15)
            decided.extend(ids)
            return []

    function = ScreeningFunction(store, None, None, Clock())  # type: ignore[arg-type]
    function._round = Hangs()  # type: ignore[assignment]
    left = Left(int(RESERVE_S * 1000) + 300)
    assert invoked(function, left, "one", "two") == ["one", "two"]
    assert decided == []
    # what commits after all is no longer waiting for a verdict when it comes again
    go_on.set()
    assert invoked(function, Left(20_000), "one", "two") == []
    assert decided == ["one", "two"] * 2


async def test_a_list_that_is_being_opened_when_time_runs_out_is_opened_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a list that takes longer to open than an invocation has
    first_list(store, tmp_path, INVENTED, 0)
    opened, go_on = [], threading.Event()

    def slowly(*asked: Any) -> Any:
        opened.append(1)
        go_on.wait(10)
        return open_edition(*asked)

    monkeypatch.setattr(list_search, "open_edition", slowly)
    search = ListSearch(store, tmp_path)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await search.find([], 90)
    # When it is open, the next invocation has it
    go_on.set()
    none: tuple[tuple[Found, ...], ...] = ()
    assert (await search.find([], 90))[1] == none
    assert len(opened) == 1


async def test_who_was_answered_is_not_told_otherwise_because_the_queue_does_not_answer(tmp_path: Path) -> None:
    async with platform(tmp_path) as served:
        services = served.services

        def invoked() -> dict[str, Any]:
            function = ApiFunction(services)

            async def never() -> None:
                await asyncio.Event().wait()

            function.runtime.finish = never  # type: ignore[method-assign]
            event = {"version": "1.0", "httpMethod": "POST", "path": "/v1/transactions", "body": '{"count": 1}'}
            headers = {"headers": {"content-type": "application/json"}}
            try:
                return function.handler(event | headers, Left(2_500))
            finally:
                del function.runtime.finish
                function.close()

        answer = await asyncio.to_thread(invoked)
        assert answer["statusCode"] == 200, answer


async def test_what_is_said_outside_the_application_has_the_headers_of_every_answer(tmp_path: Path) -> None:
    async with platform(tmp_path) as served:
        services = served.services

        def invoked(path: str, ms: int) -> dict[str, Any]:
            function = ApiFunction(services)

            async def never() -> None:
                await asyncio.Event().wait()

            function.runtime.freshen = never  # type: ignore[method-assign]
            try:
                return function.handler({"version": "1.0", "httpMethod": "GET", "path": path}, Left(ms))
            finally:
                function.close()

        for path, status in (("/metrics", 404), ("/healthz", 503)):
            answer = await asyncio.to_thread(invoked, path, 1_600)
            assert answer["statusCode"] == status, answer
            headers = {name.lower(): values for name, values in answer["multiValueHeaders"].items()}
            assert headers["cache-control"] == ["no-store"] and headers["x-content-type-options"] == ["nosniff"]
