"""A joint job whose party deviates inside the protocol: `python tests/lying_job.py WHAT`, else as `sdt.signing.job`."""

from __future__ import annotations

import sys

from sdt.signing import job, mpyc_runtime, protocol
from sdt.signing.curve import GENERATOR, ORDER, POINT_BYTES, add


def spoil_point(point: bytes) -> bytes:
    return add(point, GENERATOR)


def lie(what: str) -> None:
    """Make this process deviate, where its own code would have been honest."""
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
        if what == "opening" and calls["exchange"] == 4:  # terms, commitments, echo, opening
            data = spoil_point(data[:POINT_BYTES]) + data[POINT_BYTES:]
        if what == "echo" and calls["exchange"] == 3:
            data = bytes(len(data))
        if what == "short" and calls["exchange"] == 2:
            data = data[:-1]
        return await exchange(runtime, data)

    def to_one_peer(runtime, peer, data):
        """Tell party 3 something else than party 1, in the last exchange: the points A and B."""
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
