"""What judging and storing transfers costs with nothing around it: the limit that the whole flow is held against."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import psycopg

from sdt.demo.crowd import Crowd
from sdt.domain.envelope import open_envelope
from sdt.domain.message import read_message

__all__ = ["Work", "of_crowd", "us_each", "us_each_on_both_cores"]

BULK = 500
JUDGES = 3
"""The API and two signers, each of which verifies and reads a message by itself."""


@dataclass(frozen=True, slots=True)
class Work:
    """Signed messages, the keys they are signed with, and a database to store them in."""

    ids: Sequence[str]
    messages: Sequence[bytes]
    keys: dict[str, bytes]
    database_url: str
    table: str = "bare"


def of_crowd(crowd: Crowd, ids: Sequence[str], database_url: str) -> Work:
    """Return payments between the people of a crowd, one for each id."""
    keys = {who.client.kid: bytes(who.wallet.key.verify_key) for who in crowd.people}
    return Work(ids, crowd.payments(ids, random.Random(5)), keys, database_url)


def us_each(work: Work) -> float:
    """Do the work in this process; return its time for each transfer. Units: microseconds."""
    began = time.perf_counter()
    for _ in range(JUDGES):
        for raw in work.messages:
            envelope = open_envelope(raw)
            envelope.verify(work.keys[envelope.kid])
            read_message(raw, envelope)
    judged_s = time.perf_counter() - began
    return (judged_s + _stored_s(work)) / len(work.ids) * 1e6


def us_each_on_both_cores(work: Work) -> float:
    """Do the work twice over, in two processes at once; return the time for each transfer. Units: microseconds."""
    first, second = work, replace(work, table="bare_2")
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as both:
        list(both.map(_wait_s, (0.5, 0.5)))  # by then each has loaded this module
        began = time.perf_counter()
        list(both.map(us_each, (first, second)))
        return (time.perf_counter() - began) / (2 * len(work.ids)) * 1e6


def _wait_s(seconds: float) -> None:
    time.sleep(seconds)


def _stored_s(work: Work) -> float:
    with psycopg.connect(work.database_url) as database, database.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {work.table} (id text PRIMARY KEY, raw bytea NOT NULL, status text NOT NULL)")
        database.commit()
        rows = list(zip(work.ids, work.messages, strict=True))
        began = time.perf_counter()
        for start_at in range(0, len(rows), BULK):
            part = rows[start_at : start_at + BULK]
            cursor.executemany(f"INSERT INTO {work.table} VALUES (%s, %s, 'accepted')", part)  # noqa: S608
            database.commit()
            settled = [id_ for id_, _ in part]
            cursor.execute(f"UPDATE {work.table} SET status = 'settled' WHERE id = ANY(%s)", (settled,))  # noqa: S608
            database.commit()
        took = time.perf_counter() - began
        cursor.execute(f"DROP TABLE {work.table}")
        return took
