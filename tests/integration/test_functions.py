"""Functions under Amazon's own runtime client, fed by a Runtime API: cold and warm, killed, failing, and too large."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_platform import Holder
from functions_rig import Front, front, function, prepare, signed_transfer

from databases import database_at
from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.domain.errors import Unavailable
from sdt.functions.local.gateway import BODY_BYTES_MAX, PayloadFormat
from sdt.functions.local.mapping import EventSource
from sdt.functions.local.outcome import FunctionDied, FunctionError, InitFailed
from sdt.store import events, open_store

pytestmark = pytest.mark.slow

RSS_MB_MAX = 128
REQUESTS = 300


@pytest.fixture
def alice() -> Holder:
    return Holder("alice")


@pytest.fixture
def bob() -> Holder:
    return Holder("bob")


@pytest.fixture
def home(tmp_path: Path, alice: Holder, bob: Holder) -> Path:
    prepare(tmp_path, alice, bob)
    return tmp_path


@pytest.fixture(params=["2.0", "1.0"])
async def api(request: pytest.FixtureRequest, home: Path) -> AsyncIterator[Front]:
    version: PayloadFormat = request.param
    async with front(function("api", home), version) as running:
        yield running


async def test_a_payment_comes_in_cold_and_warm_and_is_in_the_queue_when_it_is_answered(
    api: Front, home: Path, alice: Holder, bob: Holder
) -> None:
    queue = EmbeddedQueue(home / "queue.db")
    # Given a function that has no process yet, when a payment is sent, twice
    for starts in (1, 1):
        id_ = await api.new_id()
        message = signed_transfer(id_, alice, bob)
        assert await api.put(id_, message) == (202, {"transaction_id": id_, "status": "accepted"})
        # Then it stands in the queue at once: nothing of it was left to a process that may be frozen now
        received = await queue.receive(10, 0, 30)
        assert [one.body for one in received] == [id_]
        assert api.function.starts == starts
        # and it is shown to its party by proof, and the same bytes get the same answer
        status, shown, _ = await api.call("GET", f"/v1/transactions/{id_}", holder=alice)
        assert (status, shown["status"], shown["details"]["message"]) == (200, "accepted", message.decode())
        assert await api.put(id_, message) == (202, {"transaction_id": id_, "status": "accepted"})
        assert (await queue.depth()).waiting == 0
        await queue.delete([one.receipt for one in received])
    await queue.close()


async def test_it_stays_small_over_hundreds_of_requests(home: Path, alice: Holder, bob: Holder) -> None:
    async with front(function("api", home)) as api:
        for _ in range(REQUESTS // 3):
            id_ = await api.new_id()
            await api.put(id_, signed_transfer(id_, alice, bob))
            await api.call("GET", f"/v1/transactions/{id_}", holder=bob)
        (pid,) = api.function.pids
        assert api.function.starts == 1
        assert _rss_mb(pid) <= RSS_MB_MAX


async def test_whoever_waits_is_let_go_before_the_functions_time_is_over(
    home: Path, alice: Holder, bob: Holder
) -> None:
    async with front(function("api", home, timeout_s=6.0)) as api:
        id_ = await api.new_id()
        await api.put(id_, signed_transfer(id_, alice, bob))
        began = time.monotonic()
        status, shown, _ = await api.call("GET", f"/v1/transactions/{id_}?wait=30")
        assert (status, shown["status"]) == (200, "accepted")
        assert 3.5 < time.monotonic() - began < 6.0
        assert api.function.starts == 1


async def test_what_is_too_large_is_refused_by_whoever_sees_it_first(home: Path) -> None:
    async with front(function("api", home)) as api:
        jose = {"Content-Type": "application/jose"}
        path = "/v1/transactions/019a8f2e-1c00-7a3b-8c4d-5e6f708192a3"
        # The API, with a problem document
        status, problem, headers = await api.call("PUT", path, b"x" * 9_000, **jose)
        assert (status, problem["code"]) == (413, "message_size")
        assert headers["content-type"] == "application/problem+json"
        # the service, since an event in base64 would have more than 6 MB; the gateway, above 10 MB: in their own words
        for size in (5_000_000, BODY_BYTES_MAX + 1):
            status, answer, _ = await api.call("PUT", path, b"x" * size, **jose)
            assert (status, answer) == (413, {"message": "Request Too Long"})
        # and it goes on
        assert (await api.call("GET", "/healthz"))[0] == 200
        assert api.function.starts == 1


async def test_a_function_that_cannot_open_its_database_fails_at_its_start_and_says_so(home: Path) -> None:
    broken = function("api", home, SDT_DATABASE__URL="postgresql://sdt@127.0.0.1:1/sdt")
    async with front(broken) as api:
        with pytest.raises(InitFailed, match="sdt-api does not start: Unavailable"):
            await broken.invoke(b"{}")
        # and a client hears that it is not his fault
        assert (await api.call("GET", "/healthz"))[:2] == (500, {"message": "Internal Server Error"})


async def test_an_event_that_is_none_is_an_error_of_the_invocation_and_the_process_lives(home: Path) -> None:
    async with front(function("api", home)) as api:
        with pytest.raises(FunctionError) as failed:
            await api.function.invoke(b'{"Records": []}')
        assert failed.value.facts["error_type"] == "ValueError"
        assert (await api.call("GET", "/healthz"))[0] == 200
        assert api.function.starts == 1


async def test_a_database_that_closed_its_connections_meanwhile_is_connected_anew(
    home: Path, postgres_database: str, alice: Holder
) -> None:
    # Given a function over PostgreSQL that has answered
    prepared = open_store(postgres_database, migrate=True)
    api = function("api", home, SDT_DATABASE__URL=postgres_database)
    async with front(api) as running:
        assert (await running.call("GET", "/readyz"))[0] == 200
        # when the server ends every connection while it is frozen
        (pid,) = api.pids
        os.kill(pid, signal.SIGSTOP)
        prepared.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = ?",
            (postgres_database.rpartition("/")[2],),
        )
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGCONT)
        # then one request may find out, and the next is answered by the same process
        statuses = [(await running.call("GET", f"/v1/accounts/{alice.account}", holder=alice))[0] for _ in range(4)]
        assert set(statuses) <= {200, 404, 503}
        assert statuses[-1] in (200, 404)
        assert api.starts == 1
    prepared.close()


async def test_a_screening_function_killed_in_the_middle_gets_its_message_again_and_judges_it_once(
    home: Path, alice: Holder, bob: Holder
) -> None:
    # Given an accepted payment in the queue, and a database that somebody else writes to just now
    async with front(function("api", home)) as api:
        id_ = await api.new_id()
        assert (await api.put(id_, signed_transfer(id_, alice, bob)))[0] == 202
    queue = EmbeddedQueue(home / "queue.db")
    screening = function("screening", home)
    source = EventSource(queue, screening, 2.0, 1)
    store = open_store(database_at(home / "sdt.db"))
    with store.transaction():
        store.execute("UPDATE transactions SET queued_at_ms = queued_at_ms WHERE id = ?", (id_,))
        # when the function is killed while it waits to judge
        (received,) = await queue.receive(10, 1, 2.0)
        handing = asyncio.create_task(source.hand_over([received]))
        while not screening.pids:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
        assert not handing.done()
        os.kill(screening.pids[0], signal.SIGKILL)
        await handing
    # then the message is not lost
    running = asyncio.create_task(source.run())
    until = time.monotonic() + 30
    while len(events.of(store, id_)) < 2 and time.monotonic() < until:
        await asyncio.sleep(0.05)
    # and is judged once, however often it comes: here nobody vouches for the payer, so it is refused
    await asyncio.sleep(0.5)
    assert [event.status.value for event in events.of(store, id_)] == ["accepted", "rejected"]
    assert (await queue.depth()).waiting + (await queue.depth()).in_flight == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert screening.starts == 2
    await screening.close()
    await queue.close()
    store.close()


async def test_the_sweeper_sends_what_an_api_that_was_killed_did_not(home: Path, alice: Holder, bob: Holder) -> None:
    # Given a payment that was committed seconds ago and is in no queue
    async with front(function("api", home)) as api:
        id_ = await api.new_id()
        assert (await api.put(id_, signed_transfer(id_, alice, bob)))[0] == 202
    queue = EmbeddedQueue(home / "queue.db")
    await queue.delete([one.receipt for one in await queue.receive(10, 1, 30)])
    store = open_store(database_at(home / "sdt.db"))
    with store.transaction():
        store.execute("UPDATE transactions SET accepted_at_ms = accepted_at_ms - 600000")
    store.close()
    # when the schedule comes round, twice; a queue that knows the id delivers it no second time within five minutes
    sweep = function("sweep", home)
    assert [await sweep.invoke(b"{}") for _ in range(2)] == [b'{"sent": 1}', b'{"sent": 0}']
    await sweep.close()
    await queue.close()


async def test_a_process_killed_between_invocations_is_replaced(home: Path) -> None:
    async with front(function("api", home)) as api:
        assert (await api.call("GET", "/healthz"))[0] == 200
        os.kill(api.function.pids[0], signal.SIGKILL)
        answers = [(await api.call("GET", "/healthz"))[0] for _ in range(2)]
        # The service may notice only when it invokes.
        assert answers[-1] == 200
        assert api.function.starts == 2
        assert issubclass(FunctionDied, Unavailable)


def _rss_mb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024
