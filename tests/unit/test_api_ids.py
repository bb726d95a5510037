"""Ids follow the keys of the vault, and a miss is looked at twice."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from sdt.api import ids as ids_module
from sdt.api.ids import Ids
from sdt.api.models import IdRequest
from sdt.api.standing import standing_of
from sdt.api.transactions import give_ids
from sdt.domain.errors import Invalid, NotFound
from sdt.domain.transaction_id import IdIssuer

OLD, NEW, NEXT = (bytes([n]) * 32 for n in range(3))
RANDOM = b"0123456789"
MS = 1_800_000_000_000


def given(*keys: bytes) -> str:
    return IdIssuer("US-TX", keys).issue(MS, RANDOM)


def test_a_rotation_counts_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [(OLD,)]
    ids = Ids("US-TX", lambda: now[0])
    assert ids.check(given(OLD)) == MS
    now[0] = (NEW, OLD)
    assert ids.issuer().keys == (OLD,), "the keys are not asked for with every message"
    monkeypatch.setattr(ids_module, "FOLLOWS_S", 0)
    assert ids.issuer().keys == (NEW, OLD)
    assert (ids.check(given(OLD)), ids.check(given(NEW))) == (MS, MS)


def test_an_id_under_a_key_that_others_saw_first_counts_at_once() -> None:
    now, looked = [(OLD,)], []

    def look_again() -> None:
        looked.append(1)
        now[0] = (NEW, OLD)

    ids = Ids("US-TX", lambda: now[0], look_again)
    assert ids.check(given(OLD)) == MS
    assert looked == []
    assert ids.check(given(NEW)) == MS
    assert looked == [1]
    for unknown in (given(NEXT), IdIssuer("US-CA", (NEW,)).issue(MS, RANDOM)):
        with pytest.raises(NotFound):
            ids.check(unknown)
    with pytest.raises(Invalid):
        ids.check("no id")
    assert looked == [1, 1, 1], "what is no id at all makes nobody look"
    assert OLD.hex() not in repr(ids)


async def test_one_answer_never_gives_the_same_id_twice() -> None:
    # Given chance that repeats itself within one millisecond
    drawn = iter([RANDOM, RANDOM, RANDOM[::-1], RANDOM, bytes(10)])
    services: Any = SimpleNamespace(
        now_ms=lambda: MS,
        ids=Ids("US-TX", lambda: (OLD,)),
        random=lambda _: next(drawn),
        region=SimpleNamespace(acceptance_window_s=60),
    )
    # Then three asked for are three
    given = await give_ids(services, IdRequest(count=3), None)
    assert len(set(given.transaction_ids)) == 3 and given.transaction_id in given.transaction_ids


async def test_while_the_vault_is_asked_about_an_id_that_is_not_ours_others_are_served() -> None:
    # Given a vault that answers once something else was served, and else not
    served, waited = threading.Event(), []
    ids = Ids("US-TX", lambda: (OLD,), lambda: waited.append(served.wait(3)))

    async def nothing(*_: Any) -> None:
        return None

    services: Any = SimpleNamespace(ids=ids, store=SimpleNamespace(read=nothing))
    asking = asyncio.ensure_future(standing_of(services, None, given(NEW), 0, None))  # type: ignore[arg-type]
    # When somebody asks where an id stands that nobody gave
    asyncio.get_running_loop().call_later(0.05, served.set)
    # Then the loop went on meanwhile
    with pytest.raises(NotFound):
        await asking
    assert waited == [True]
