"""The two joint protocols, over MPyC: key generation and presigning with every check.

Nothing here touches a disk. A failed check raises and the job is thrown away: with three locations and one cheat, the
two honest shares fix the line, so an abort tells the cheat nothing that it did not know. An abort names nobody.
Source: design as in docs/security.md; Damgård et al. (2020), figures 3 and 4; Gennaro, Rabin, Rabin (1998) for the
multiplication.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

import gmpy2
import numpy as np

from sdt.domain.errors import Unprocessable
from sdt.signing.curve import (
    GENERATOR,
    ORDER,
    POINT_BYTES,
    BadPoint,
    is_line_through,
    multiply_base,
    multiply_secret,
    on_line_at_zero,
)
from sdt.signing.mpyc_runtime import PARTIES, JointRuntime, exchange, with_peers
from sdt.signing.transcript import PublicPresignature, digest

_NONCE_BYTES: Final = 32


class CheckFailed(Unprocessable):
    """A joint job's values do not fit together: somebody deviated, and nobody can be named."""

    code = "joint_check_failed"


@dataclass(frozen=True, slots=True)
class KeyShare:
    """One location's share of the chain key, and what all three know of it."""

    secret: int
    public: bytes
    points: tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Presignature:
    """One location's share of a presignature: as good as a share of the key, spent or not."""

    public: PublicPresignature
    kappa: int
    xi: int


def _field(runtime: JointRuntime) -> Any:
    return runtime.SecFld(modulus=ORDER)


def _secure(runtime: JointRuntime, shares: list[int]) -> Any:
    """Wrap this location's own shares as a secure array; sends nothing."""
    field = _field(runtime)
    return field.array(field.field.array(np.array(shares, dtype=object), check=False))


async def _own_shares(runtime: JointRuntime, values: Any) -> list[int]:
    """Return this location's shares, in range whatever a peer sent."""
    array = await with_peers(runtime, runtime.gather(values))
    return [int(value) % ORDER for value in array.value.reshape(-1)]


def _same(parts: list[bytes], what: str) -> None:
    if any(part != parts[0] for part in parts):
        raise CheckFailed(f"The locations disagree about {what}.")


async def agree(runtime: JointRuntime, terms: bytes) -> None:
    """Make sure that the three are in one and the same job, on the same terms, before anything secret is made.

    Errors: CheckFailed, PeerLost.
    """
    _same(await exchange(runtime, terms), "the terms of the job")


async def generate_key(runtime: JointRuntime, terms: bytes) -> KeyShare:
    """Make a key that no location ever holds, with commitments before points.

    A location shows its point only when both peers' commitments are in and all three have echoed the same three, so
    nobody chooses its contribution after seeing another's.
    Errors: CheckFailed, PeerLost.
    """
    await agree(runtime, terms)
    dealt = runtime.input(_secure(runtime, [secrets.randbelow(ORDER)]))
    [share] = await _own_shares(runtime, dealt[0] + dealt[1] + dealt[2])
    point, nonce = multiply_base(share), secrets.token_bytes(_NONCE_BYTES)

    def commitment(pid: int, opening: bytes) -> bytes:
        return digest("commitment", terms, pid + 1, opening)

    commitments = await exchange(runtime, commitment(runtime.pid, point + nonce))
    _same(await exchange(runtime, b"".join(commitments)), "the commitments")
    openings = await exchange(runtime, point + nonce)
    for pid, opening in enumerate(openings):
        if len(opening) != POINT_BYTES + _NONCE_BYTES or commitment(pid, opening) != commitments[pid]:
            raise CheckFailed("A commitment was opened to another point.")
    points = (openings[0][:POINT_BYTES], openings[1][:POINT_BYTES], openings[2][:POINT_BYTES])
    public = _checked_line(points, "the shares of the key")
    return KeyShare(share, public, points)


def _checked_line(points: tuple[bytes, bytes, bytes], what: str) -> bytes:
    try:
        at_zero = on_line_at_zero(*points)
    except BadPoint as error:
        raise CheckFailed(f"A location sent no point for {what}.") from error
    if at_zero is None:
        raise CheckFailed(f"The points of {what} are not on one line.")
    return at_zero


async def presign(runtime: JointRuntime, terms: bytes, key_share: int, public: bytes, count: int) -> list[Presignature]:
    """Make `count` presignatures, each checked: K on one line, A(0) = G, B(0) = Y.

    Errors: CheckFailed, PeerLost.
    """
    await agree(runtime, terms)
    shares = await _own_shares(runtime, runtime._np_randoms(_field(runtime), 2 * count))
    k, a = shares[:count], shares[count:]
    # One round of multiplication makes [k·a] and [x·a]; resharing makes them fresh and of degree one.
    left, right = _secure(runtime, k + [key_share] * count), _secure(runtime, a + a)
    products = await _own_shares(runtime, left * right)
    opened = await with_peers(runtime, runtime.output(_secure(runtime, products[:count]), raw=True))
    w = [int(value) % ORDER for value in opened.value]
    if not all(w):
        raise CheckFailed("A product opened to zero.")
    # Only now, with w fixed, does anything of k appear in the exponent.
    points = await _nonce_points(runtime, k)
    inverse = [int(gmpy2.invert(value, ORDER)) for value in w]
    kappa = [u * value % ORDER for u, value in zip(inverse, a, strict=True)]
    xi = [u * value % ORDER for u, value in zip(inverse, products[count:], strict=True)]
    publics = await _checked_rows(runtime, public, points, w, kappa, xi)
    return [Presignature(row, mine, mine_x) for row, mine, mine_x in zip(publics, kappa, xi, strict=True)]


async def _nonce_points(runtime: JointRuntime, k: list[int]) -> list[bytes]:
    """Return R = k·G for each shared k."""
    blobs = await exchange(runtime, b"".join(map(multiply_base, k)))
    rows = _rows_of_three(blobs, len(k), POINT_BYTES)
    return [_checked_line(row, "a nonce") for row in rows]


async def _checked_rows(
    runtime: JointRuntime, public: bytes, points: list[bytes], w: list[int], kappa: list[int], xi: list[int]
) -> list[PublicPresignature]:
    """Show κ·R and ξ·R to all, and check that they stand for 1/k and x/k."""
    mine = b"".join(
        multiply_secret(point, u) + multiply_secret(point, v) for point, u, v in zip(points, kappa, xi, strict=True)
    )
    both = _rows_of_three(await exchange(runtime, mine), len(points), 2 * POINT_BYTES)
    publics = []
    for index, (point, row) in enumerate(zip(points, both, strict=True)):
        a = (row[0][:POINT_BYTES], row[1][:POINT_BYTES], row[2][:POINT_BYTES])
        b = (row[0][POINT_BYTES:], row[1][POINT_BYTES:], row[2][POINT_BYTES:])
        try:
            good = is_line_through(GENERATOR, *a) and is_line_through(public, *b)
        except BadPoint as error:
            raise CheckFailed("A location sent no point for a presignature.") from error
        if not good:
            raise CheckFailed("A presignature does not stand for this key.")
        publics.append(PublicPresignature(index, point, w[index].to_bytes(32, "big"), a, b))
    return publics


def _rows_of_three(blobs: list[bytes], count: int, size: int) -> list[tuple[bytes, bytes, bytes]]:
    """Cut three blobs of `count` pieces into rows."""
    if any(len(blob) != count * size for blob in blobs):
        raise CheckFailed("A location sent too much or too little.")
    first, second, third = blobs
    return [
        (first[at : at + size], second[at : at + size], third[at : at + size]) for at in range(0, count * size, size)
    ]


def terms_of(*fields: bytes | int | str) -> bytes:
    """Return the digest of a job's terms, the same at all three locations."""
    return digest("terms", *fields)


assert PARTIES == 3, "the line checks are written out for three locations"
