"""A joint job whose party deviates inside the protocol: `python tests/lying_job.py WHAT`, else as `sdt.signing.job`."""

from __future__ import annotations

import asyncio
import sys

from sdt.signing import job, mpyc_runtime, protocol
from sdt.signing.curve import GENERATOR, ORDER, POINT_BYTES, add


def spoil_point(point: bytes) -> bytes:
    return add(point, GENERATOR)


async def after_the_others(runtime, answer):
    """Take what the others send before sending anything, and send what `answer` makes of it."""

    @mpyc_runtime.asyncoro.mpc_coro
    async def late():
        await runtime.returnType(asyncio.Future)
        others = [pid for pid in range(mpyc_runtime.PARTIES) if pid != runtime.pid]
        got = dict(zip(others, await runtime.gather([runtime._receive_message(pid) for pid in others]), strict=True))
        data = answer(got)
        for pid in others:
            runtime._send_message(pid, data)
        return [data if pid == runtime.pid else got[pid] for pid in range(mpyc_runtime.PARTIES)]

    return [bytes(part) for part in await mpyc_runtime.with_peers(runtime, late())]


def deal_a_parabola() -> None:
    """Deal polynomials of degree two wherever MPyC deals lines."""
    thresha = mpyc_runtime.mpyc.thresha
    split, np_split = thresha.random_split, thresha.np_random_split
    thresha.random_split = lambda field, s, t, m: split(field, s, t + 1, m)
    thresha.np_random_split = lambda field, s, t, m: np_split(field, s, t + 1, m)


def lie(what: str) -> None:
    """Make this process deviate, where its own code would have been honest."""
    if what == "degree":
        deal_a_parabola()
    own_shares, exchange = protocol._own_shares, protocol.exchange
    multiply_base, multiply_secret = protocol.multiply_base, protocol.multiply_secret
    calls = {"shares": 0, "exchange": 0}

    async def shares(runtime, values):
        found = await own_shares(runtime, values)
        calls["shares"] += 1
        if (what, calls["shares"]) in (("dealing", 1), ("product", 2)):
            found[0] = (found[0] + 1) % ORDER
        return found

    async def sent(runtime, data):
        calls["exchange"] += 1
        if what in ("flood", "long") and calls["exchange"] == 1:  # messages that nobody waits for, or one without end
            count, size = (12, 3 * 2**20) if what == "flood" else (1, 5 * 2**20)
            for party in runtime.parties:
                for at in range(count if party.pid != runtime.pid else 0):
                    party.protocol.send(2**40 + at, bytes(size))
        if what == "late" and calls["exchange"] == 2:  # says nothing when its turn comes
            await asyncio.sleep(3600)
        if what == "copy" and calls["exchange"] in (2, 4):  # commits to, and opens, what another has shown already
            return await after_the_others(runtime, lambda got: got[0])
        if what == "choose" and calls["exchange"] == 4:  # opens a point that it chose after seeing the others'
            honest = data
            return await after_the_others(runtime, lambda got: add(got[0][:POINT_BYTES], GENERATOR) + honest[64:])
        if what == "opening" and calls["exchange"] == 4:  # terms, commitments, echo, opening
            data = spoil_point(data[:POINT_BYTES]) + data[POINT_BYTES:]
        if what == "echo" and calls["exchange"] == 3:
            data = bytes(len(data))
        if what == "short" and calls["exchange"] == 2:
            data = data[:-1]
        return await exchange(runtime, data)

    def to_one_peer(runtime, peer, data):
        """Tell party 3 something else than party 1."""
        if what == "split_commitments" and calls["exchange"] == 2 and peer == 2:
            data = bytes(len(data))
        if what == "split_openings" and calls["exchange"] == 4 and peer == 2:
            data = spoil_point(data[:POINT_BYTES]) + data[POINT_BYTES:]
        if what == "equivocation" and calls["exchange"] == 3 and peer == 2 and len(data) > 2 * POINT_BYTES:
            data = spoil_point(data[:POINT_BYTES]) + data[POINT_BYTES:]
        return send(runtime, peer, data)

    send = mpyc_runtime.JointRuntime._send_message
    mpyc_runtime.JointRuntime._send_message = to_one_peer
    protocol._own_shares, protocol.exchange = shares, sent
    if what == "nonce":
        protocol.multiply_base = lambda scalar: spoil_point(multiply_base(scalar))
    if what == "inverse":
        protocol.multiply_secret = lambda point, scalar: spoil_point(multiply_secret(point, scalar))
    if what == "opened":
        secure = protocol._secure

        def spoilt(runtime, values):
            if len(values) == 3 and calls["shares"] == 2:  # the products k·a that are about to be opened
                values = [values[0] + 1, *values[1:]]
            return secure(runtime, values)

        protocol._secure = spoilt


if __name__ == "__main__":
    lie(sys.argv[1])
    job.main()
