"""Who may call a signer, and what happens to those who break the framing."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import pytest

import ports
from sdt.domain.errors import Conflict, Forbidden, RateLimited
from sdt.signing.job_wire import JobFailed, JobSpec
from sdt.signing.jobs import JobThrownAway, run_job
from sdt.signing.link import BadAnswer, Link, LinkLost, LinkServer
from sdt.signing.pki import Authority
from sdt.signing.tls import COORDINATOR, client_context
from sdt.signing.wire import FRAME_BYTES_MAX, ActivateKey, Done, Promote, Reply, Request, Status, encode

QUICK, SLOW = ActivateKey(b"quick", (b"", b"", b"")), Promote(b"slow", (b"", b"", b""))
"""Any two operations, both answered with `Done`."""


@pytest.fixture(scope="module")
def holders(tmp_path_factory):
    """Certificates of the coordinator (0), three parties, and a stranger of another authority."""
    home, now = tmp_path_factory.mktemp("pki"), datetime.now(UTC)
    ours, theirs = Authority.open(home / "ours", now), Authority.open(home / "theirs", now)
    made = {party: ours.issue(party, home / str(party), now) for party in (COORDINATOR, 1, 2, 3)}
    made["stranger"] = theirs.issue(1, home / "stranger", now)
    return made


@asynccontextmanager
async def serving(files, handle):
    server, port = LinkServer(files, handle), ports.free_port()
    await server.start("127.0.0.1", port)
    try:
        yield port
    finally:
        await server.close()


@asynccontextmanager
async def linked(party, port, files):
    link = Link(party, "127.0.0.1", port, files)
    try:
        yield link
    finally:
        await link.close()


async def done(caller, operation):
    return Done()


async def test_the_handler_is_told_who_calls_and_answers_overlap(holders):
    callers, gate = [], asyncio.Event()

    async def handle(caller, operation):
        callers.append(caller)
        if operation == SLOW:
            await gate.wait()
        return Done()

    async with serving(holders[2], handle) as port:
        for caller in (COORDINATOR, 3):
            async with linked(2, port, holders[caller]) as link:
                slow = asyncio.create_task(link.call(SLOW))
                # a call made later is answered first
                assert await link.call(QUICK) == Done()
                assert not slow.done()
                gate.set()
                assert await slow == Done()
    assert callers == [COORDINATOR, COORDINATOR, 3, 3]


async def test_an_answer_to_something_else_is_an_error_and_names_its_sender(holders):
    async with serving(holders[1], done) as port, linked(1, port, holders[COORDINATOR]) as link:
        with pytest.raises(BadAnswer, match="Location 1"):
            await link.call(Status())


async def test_errors_travel_with_their_kind_code_and_facts(holders):
    async def refuse(caller, operation):
        if operation == SLOW:
            raise AssertionError("a bug")
        raise RateLimited("Too much.", code="nonce_exhausted", retry_after_s=3)

    async with serving(holders[1], refuse) as port, linked(1, port, holders[COORDINATOR]) as link:
        with pytest.raises(RateLimited) as caught:
            await link.call(QUICK)
        assert (caught.value.code, caught.value.facts) == ("nonce_exhausted", {"retry_after_s": "3"})
        with pytest.raises(Exception, match="does not explain"):
            await link.call(SLOW)


@pytest.mark.parametrize("caller", ["stranger"])
async def test_a_certificate_of_another_authority_gets_nowhere(holders, caller):
    async with serving(holders[1], done) as port, linked(1, port, holders[caller]) as link:
        with pytest.raises(LinkLost):
            await link.call(QUICK)


async def test_whoever_answers_in_anothers_place_is_not_believed(holders):
    for other in (2, COORDINATOR, "stranger"):
        async with serving(holders[other], done) as port, linked(1, port, holders[COORDINATOR]) as link:
            with pytest.raises(LinkLost):
                await link.call(QUICK)


async def first_byte(port, context):
    """Ask for the status under this TLS context and return the first byte of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    frame = encode(Request(1, Status()))
    writer.write(len(frame).to_bytes(4, "big") + frame)
    return await reader.readexactly(1)


async def test_nothing_below_tls_1_3_and_nobody_without_a_certificate(holders):
    async with serving(holders[1], done) as port:
        old = client_context(holders[COORDINATOR])
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
        nameless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        nameless.check_hostname = False
        nameless.load_verify_locations(holders[COORDINATOR].authority)
        for context in (old, nameless):
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await first_byte(port, context)


@pytest.mark.parametrize(
    "sent",
    [
        (FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
        (5).to_bytes(4, "big") + b"hello",
        *(
            len(frame).to_bytes(4, "big") + frame
            for frame in (
                msgspec.msgpack.encode([1, {"type": "assemble_the_key"}]),
                msgspec.msgpack.encode([1, {"type": "show_batch", "head": b"h", "more": 1}]),
                msgspec.msgpack.encode([1, {"type": "show_batch", "head": 7}]),
                msgspec.msgpack.encode([1, {"type": "status"}, "longer than any trace's name" * 10]),
                msgspec.msgpack.encode([1, {"type": "status"}, 7]),
            )
        ),
    ],
)
async def test_what_is_no_request_ends_the_connection_and_nothing_else(holders, sent):
    async with serving(holders[1], done) as port:
        context = client_context(holders[COORDINATOR])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        async with linked(1, port, holders[COORDINATOR]) as link:
            assert await link.call(QUICK) == Done()


@pytest.mark.parametrize("label", ["", "assemble_the_key", f"00-{'ab' * 16}-{'cd' * 8}-01", "Maria Muster\n"])
async def test_whose_trace_a_call_names_changes_nothing(holders, label):
    seen = []

    async def handle(caller, operation):
        seen.append((caller, operation))
        return Done()

    async with serving(holders[1], handle) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context(holders[COORDINATOR]))
        call = encode(Request(4, QUICK, label))
        writer.write(len(call).to_bytes(4, "big") + call)
        answer = encode(Reply(4, Done()))
        assert await asyncio.wait_for(reader.readexactly(4 + len(answer)), 5) == len(answer).to_bytes(4, "big") + answer
        writer.close()
    assert seen == [(COORDINATOR, QUICK)]


async def test_a_link_finds_a_server_again_that_went_away(holders):
    async with serving(holders[1], done) as port:
        link = Link(1, "127.0.0.1", port, holders[COORDINATOR])
        assert await link.call(QUICK) == Done()
    with pytest.raises(LinkLost):
        await link.call(QUICK)
    server = LinkServer(holders[1], done)
    await server.start("127.0.0.1", port)
    assert await link.call(QUICK) == Done()
    await link.close()
    await server.close()


async def test_a_peer_that_hangs_costs_no_more_than_the_deadline(holders):
    async def hang(caller, operation):
        await asyncio.sleep(60)

    async with serving(holders[1], hang) as port, linked(1, port, holders[COORDINATOR]) as link:
        with pytest.raises(LinkLost):
            await link.call(QUICK, timeout_s=0.2)


@pytest.mark.slow
async def test_a_joint_job_does_not_begin_with_a_certificate_of_another_number(holders):
    # given three jobs, the third of which shows the second's certificate
    addresses = [("127.0.0.1", ports.free_port()) for _ in range(3)]

    def spec(party, files):
        return JobSpec(
            kind="key",
            job=b"j" * 16,
            network="test",
            epoch=1,
            party=party,
            addresses=addresses,
            certificate=files.certificate,
            key=files.key,
            authority=files.authority,
            deadline_s=2.5,
        )

    # when they are run
    runs = [run_job(spec(party, holders[2 if party == 3 else party])) for party in (1, 2, 3)]
    results = await asyncio.gather(*runs, return_exceptions=True)
    # then none of them makes a key
    assert [type(result) for result in results] == [JobThrownAway] * 3


@pytest.mark.slow
async def test_a_joint_job_ends_when_the_terms_differ(holders):
    addresses = [("127.0.0.1", ports.free_port()) for _ in range(3)]

    def spec(party):
        return JobSpec(
            kind="key",
            job=(b"x" if party == 1 else b"j") * 16,
            network="test",
            epoch=1,
            party=party,
            addresses=addresses,
            certificate=holders[party].certificate,
            key=holders[party].key,
            authority=holders[party].authority,
            deadline_s=20,
        )

    results = await asyncio.gather(*(run_job(spec(party)) for party in (1, 2, 3)), return_exceptions=True)
    assert {result.code for result in results} <= {"joint_check_failed", "peer_lost"}


async def test_one_caller_holds_so_many_connections_and_its_calls_count_together(holders, monkeypatch):
    # given a server that lets one caller have three connections, and two calls at once over all of them
    monkeypatch.setattr("sdt.signing.link.CONNECTIONS_MAX", 3)
    monkeypatch.setattr("sdt.signing.link.CALLS_AT_ONCE_MAX", 2)
    running, most, gate = 0, 0, asyncio.Event()

    async def handle(caller, operation):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return Done()

    async with serving(holders[2], handle) as port:
        context = client_context(holders[3])
        opened = [await asyncio.open_connection("127.0.0.1", port, ssl=context) for _ in range(5)]
        await asyncio.sleep(0.3)
        # then the two oldest were closed, and another caller still gets in
        assert [reader.at_eof() for reader, _ in opened] == [True, True, False, False, False]
        for number, (_, writer) in enumerate(opened[2:]):
            call = encode(Request(number, QUICK))
            for _ in range(3):
                writer.write(len(call).to_bytes(4, "big") + call)
        await asyncio.sleep(0.3)
        assert most <= 2 + 3, "each connection may have had one frame in hand when reading was held"
        gate.set()
        async with linked(2, port, holders[COORDINATOR]) as link:
            assert await link.call(QUICK) == Done()
        for _, writer in opened:
            writer.close()


def test_errors_keep_their_kind_on_the_way():
    from sdt.signing.wire import error_of, failure_of

    for error in (Conflict("a", code="b"), Forbidden("c", party=2)):
        again = error_of(failure_of(error))
        assert (type(again), again.code, again.detail) == (type(error), error.code, error.detail)
    assert JobFailed("a", "b").code == "a"
