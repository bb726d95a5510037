"""Certificates are replaced, authority and all, while calls go on."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import ports
from sdt.signing import link as links
from sdt.signing.link import Link, LinkLost, LinkServer
from sdt.signing.pki import HOLDER_DAYS, Authority, ends_s
from sdt.signing.wire import ActivateKey, Done, Promote

QUICK, SLOW = ActivateKey(b"quick", (b"", b"", b"")), Promote(b"slow", (b"", b"", b""))
"""Any two operations, both answered with `Done`."""

CALLER, SERVER = 1, 2


@pytest.fixture
def authorities(tmp_path):
    now = datetime.now(UTC)
    return [Authority.open(tmp_path / name, now) for name in ("old", "new")]


@pytest.fixture
def issued(authorities, tmp_path):
    return {party: authorities[0].issue(party, tmp_path / str(party), datetime.now(UTC)) for party in (CALLER, SERVER)}


def reissue(authority: Authority, party: int, files) -> None:
    """Put a new certificate and key in place, and leave the authorities as they are."""
    folder = Path(files.certificate).parent
    made = authority.issue(party, folder / "new", datetime.now(UTC))
    for here, there in ((made.certificate, files.certificate), (made.key, files.key)):
        shutil.move(here, there)


async def test_an_authority_is_replaced_without_a_missed_call(authorities, issued, tmp_path, monkeypatch):
    monkeypatch.setattr(links, "LOOK_PERIOD_S", 0.05)
    old, new = authorities
    gate, slow_began = asyncio.Event(), asyncio.Event()

    async def handle(caller, operation):
        if operation == SLOW:
            slow_began.set()
            await gate.wait()
        return Done()

    server, port = LinkServer(issued[SERVER], handle), ports.free_port()
    await server.start("127.0.0.1", port)
    link, calls, over = Link(SERVER, "127.0.0.1", port, issued[CALLER]), 0, False

    async def keep_calling():
        nonlocal calls
        while not over:
            assert await link.call(QUICK) == Done()
            calls += 1
            await asyncio.sleep(0.001)

    try:
        # given a caller that never stops, and one long call on the old connection
        calling = asyncio.create_task(keep_calling())
        long_call = asyncio.create_task(link.call(SLOW))
        await slow_began.wait()
        # when both sides first trust both authorities, then get certificates of the new one, then forget the old
        both = old.certificate_path.read_bytes() + new.certificate_path.read_bytes()
        for files in issued.values():
            Path(files.authority).write_bytes(both)
        await asyncio.sleep(0.3)
        for party, files in issued.items():
            reissue(new, party, files)
            await asyncio.sleep(0.3)
        for files in issued.values():
            Path(files.authority).write_bytes(new.certificate_path.read_bytes())
        await asyncio.sleep(0.3)
        over = True
        # then no call was missed, and the long one ends where it began
        await calling
        assert calls > 50
        gate.set()
        assert await long_call == Done()
        # and whoever holds a certificate of the old authority is a stranger now
        stale = old.issue(CALLER, tmp_path / "stale", datetime.now(UTC))
        Path(stale.authority).write_bytes(both)
        stranger = Link(SERVER, "127.0.0.1", port, stale)
        with pytest.raises(LinkLost):
            await stranger.call(QUICK, 1)
        await stranger.close()
    finally:
        gate.set()
        await link.close()
        await server.close()


async def test_files_that_do_not_fit_together_change_nothing(authorities, issued):
    async def handle(caller, operation):
        return Done()

    server, port = LinkServer(issued[SERVER], handle), ports.free_port()
    await server.start("127.0.0.1", port)
    link = Link(SERVER, "127.0.0.1", port, issued[CALLER])
    try:
        # given a key that is not the certificate's, as in the middle of a replacement
        shutil.copy(issued[CALLER].key, issued[SERVER].key)
        assert not await server.renew()
        # then the old certificate goes on
        assert await link.call(QUICK) == Done()
        # and so does the caller's, also for a new connection
        shutil.copy(issued[SERVER].certificate, issued[CALLER].certificate)
        link.give_up()
        assert await link.call(QUICK) == Done()
    finally:
        await link.close()
        await server.close()


def test_the_end_of_a_certificate_is_known_beforehand(issued):
    ends = datetime.fromtimestamp(ends_s(issued[SERVER]), UTC)
    assert abs(ends - datetime.now(UTC) - timedelta(days=HOLDER_DAYS)) < timedelta(minutes=1)
    Path(issued[SERVER].certificate).write_text("nothing")
    assert ends_s(issued[SERVER]) == 0
