"""How many signed messages a second the API takes in: `python -m bench.intake`.

The real process on SQLite, with real signatures, every answer checked: once one request each (`PUT`), once 500 a
request (`POST …/batch`). The client signs beforehand and shares the machine's cores with the API. Beside it stands
what the same work costs bare: one PyNaCl verification, one strict reading, and one bulk insert a message.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import nacl.signing

from sdt.domain.envelope import kid_of, open_envelope, seal_envelope
from sdt.domain.message import NEVER_S, format_time, read_message
from sdt.domain.registry import Role
from sdt.store import accounts, open_store
from sdt.store.accounts import KeyRow
from sdt.store.intake import AcceptedRow, insert_accepted

__all__ = ["Figures", "measure"]

NETWORK = "sdt-bench"
PAYERS = 50
CONNECTIONS = 64
BATCH = 500


@dataclass(frozen=True, slots=True)
class Figures:
    """Messages a second, the 99th percentile of one request, the API's CPU for one message. Units: in the names."""

    bare_per_s: float
    single_per_s: float
    single_p99_ms: float
    single_cpu_us: float
    batch_per_s: float
    batch_cpu_us: float


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process so far. Source: proc(5), fields utime and stime."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _payer(number: int) -> tuple[nacl.signing.SigningKey, str]:
    return nacl.signing.SigningKey(number.to_bytes(32, "big")), f"0x{number:040x}"


def _prepare(home: Path) -> None:
    store = open_store(f"sqlite:///{home / 'sdt.db'}", migrate=True)
    with store.transaction():
        for number in range(1, PAYERS + 1):
            key, account = _payer(number)
            public_key = bytes(key.verify_key)
            accounts.upsert_key(
                store,
                KeyRow(kid_of(public_key), public_key, account, int(Role.CLIENT), 0, "active", NEVER_S, None),
            )
    store.close()


def _signed(transaction_id: str, number: int) -> bytes:
    payer, payee = number % PAYERS + 1, (number + 1) % PAYERS + 1
    key, account = _payer(payer)
    now_s = int(time.time())
    claims = {
        "type": "transfer",
        "version": 1,
        "network": NETWORK,
        "transaction_id": transaction_id,
        "region": "US-TX",
        "issued_at": format_time(now_s),
        "token": "TXD",
        "payer": account,
        "payee": f"0x{payee:040x}",
        "payee_handle": f"user{payee}",
        "amount": "125",
        "fee_max": "0",
        "memo": "",
        "expires_at": format_time(now_s + 3600),
    }
    return seal_envelope("transfer", claims, key)


async def _messages(session: aiohttp.ClientSession, url: str, count: int) -> list[tuple[str, bytes]]:
    ids: list[str] = []
    while len(ids) < count:
        async with session.post(f"{url}/v1/transactions", json={"count": min(500, count - len(ids))}) as answer:
            ids += (await answer.json())["transaction_ids"]
    return [(id_, _signed(id_, number)) for number, id_ in enumerate(ids)]


async def _single(session: aiohttp.ClientSession, url: str, count: int) -> tuple[float, float]:
    waiting = await _messages(session, url, count)
    took: list[float] = []

    async def lane() -> None:
        while waiting:
            id_, message = waiting.pop()
            begun = time.perf_counter()
            async with session.put(
                f"{url}/v1/transactions/{id_}", data=message, headers={"Content-Type": "application/jose"}
            ) as answer:
                assert answer.status == 202, await answer.text()
                await answer.read()
            took.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(CONNECTIONS)))
    seconds = time.perf_counter() - begun
    return count / seconds, sorted(took)[int(len(took) * 0.99)] * 1000


async def _batched(session: aiohttp.ClientSession, url: str, count: int) -> float:
    messages = [message.decode() for _, message in await _messages(session, url, count)]
    bodies = [json.dumps({"messages": messages[i : i + BATCH]}).encode() for i in range(0, count, BATCH)]

    async def lane() -> None:
        while bodies:
            async with session.post(
                f"{url}/v1/transactions/batch", data=bodies.pop(), headers={"Content-Type": "application/json"}
            ) as answer:
                answers = (await answer.json())["answers"]
                assert {one["http_status"] for one in answers} == {202}

    begun = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(4)))
    return count / (time.perf_counter() - begun)


def _bare(folder: Path, count: int) -> float:
    """The same work without HTTP, queue and checks, in one thread."""
    from sdt.domain.transaction_id import uuid7

    now_ms = time.time_ns() // 1_000_000
    messages = [_signed(uuid7(now_ms, os.urandom(10)), number) for number in range(count)]
    keys = {kid_of(bytes(key.verify_key)): bytes(key.verify_key) for key, _ in map(_payer, range(1, PAYERS + 1))}
    store = open_store(f"sqlite:///{folder / 'bare.db'}", migrate=True)
    begun = time.perf_counter()
    for start in range(0, count, BATCH):
        rows = []
        for raw in messages[start : start + BATCH]:
            envelope = open_envelope(raw)
            envelope.verify(keys[envelope.kid])
            signed = read_message(raw, envelope)
            m = signed.message
            rows.append(
                AcceptedRow(
                    m.transaction_id, signed.type, False, signed.kid, m.payer, m.payee, m.token, int(m.amount), 0,
                    signed.digest, raw, signed.issued_at_s, signed.expires_at_s, now_ms,
                )
            )  # fmt: skip
        insert_accepted(store, rows)
    seconds = time.perf_counter() - begun
    store.close()
    return count / seconds


async def _load(port: int, pid: int, count: int) -> tuple[float, float, float, float, float]:
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        await _single(session, url, min(500, count))
        begun_s = _cpu_s(pid)
        single, p99 = await _single(session, url, count)
        between_s = _cpu_s(pid)
        batched = await _batched(session, url, count)
        cpu = (between_s - begun_s, _cpu_s(pid) - between_s)
        return single, p99, cpu[0] / count * 1e6, batched, cpu[1] / count * 1e6


def measure(count: int) -> Figures:
    """Return the figures of one run with `count` messages each way."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _prepare(home)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SDT_")}
        environment |= {"SDT_NETWORK": NETWORK}
        environment |= dict.fromkeys(("SDT_API__BACKLOG_MAX", "SDT_API__ACCOUNT_BACKLOG_MAX"), "10000000")
        process = subprocess.Popen(
            [sys.executable, "-m", "sdt.api", "--home", folder], stdout=subprocess.PIPE, text=True, env=environment
        )
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().split()[1])
            loaded = asyncio.run(_load(port, process.pid, count))
        finally:
            process.terminate()
            process.wait()
        return Figures(_bare(home, count), *loaded)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.intake", description=__doc__)
    parser.add_argument("--messages", type=int, default=5_000, help="how many, each way")
    found = measure(parser.parse_args().messages)
    print(f"bare work        {found.bare_per_s:8,.0f} /s")
    ratio = found.batch_per_s / found.bare_per_s
    print(f"500 a request    {found.batch_per_s:8,.0f} /s   CPU {found.batch_cpu_us:.0f} µs   {ratio:.2f} of bare")
    print(
        f"one a request    {found.single_per_s:8,.0f} /s   CPU {found.single_cpu_us:.0f} µs   "
        f"p99 {found.single_p99_ms:.1f} ms"
    )


if __name__ == "__main__":
    main()
