"""Points of secp256k1 on libsecp256k1, through coincurve's cffi.

A point is its 64 bytes x‖y; a scalar is an int below `ORDER`. Two kinds of multiplication, never to be mixed up:
`multiply_secret` and `multiply_base` take the same time whatever the scalar; `multiply_public` does not and is
for checking what everybody may know. A test holds every caller to that.
"""

from __future__ import annotations

from typing import Any, Final

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from sdt.domain.errors import Invalid

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
POINT_BYTES: Final = 64

_ctx: Final = GLOBAL_CONTEXT.ctx
_UNCOMPRESSED: Final = b"\x04"


class BadPoint(Invalid):
    """Bytes that are not a point of the curve, or a sum that has no affine form."""

    code = "bad_point"


@ffi.callback("int(unsigned char *, const unsigned char *, const unsigned char *, void *)")  # type: ignore[untyped-decorator]
def _keep_point(output: Any, x: Any, y: Any, _data: Any) -> int:
    """Stand in for ECDH's hash: hand out the point itself."""
    ffi.memmove(output, x, 32)
    ffi.memmove(output + 32, y, 32)
    return 1


def _parse(point: bytes) -> Any:
    key = ffi.new("secp256k1_pubkey *")
    if len(point) != POINT_BYTES or not lib.secp256k1_ec_pubkey_parse(_ctx, key, _UNCOMPRESSED + point, 65):
        raise BadPoint("These bytes are not a point of secp256k1.")
    return key


def _serialize(key: Any) -> bytes:
    out = ffi.new("unsigned char[65]")
    length = ffi.new("size_t *", 65)
    lib.secp256k1_ec_pubkey_serialize(_ctx, out, length, key, lib.SECP256K1_EC_UNCOMPRESSED)
    return bytes(ffi.buffer(out, 65)[1:])


def check_point(point: bytes) -> bytes:
    """Return the point unchanged if it is one.

    Errors: BadPoint.
    """
    _parse(point)
    return point


def multiply_base(scalar: int) -> bytes:
    """Return scalar·G in constant time; the scalar may be secret.

    Errors: BadPoint for zero.
    """
    key = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ec_pubkey_create(_ctx, key, scalar.to_bytes(32, "big")):
        raise BadPoint("Zero times the generator is not a point.")
    return _serialize(key)


def multiply_secret(point: bytes, scalar: int) -> bytes:
    """Return scalar·point in constant time (ECDH, with the point handed out in place of its hash).

    Errors: BadPoint for zero.
    """
    out = ffi.new("unsigned char[64]")
    if not lib.secp256k1_ecdh(_ctx, out, _parse(point), scalar.to_bytes(32, "big"), _keep_point, ffi.NULL):
        raise BadPoint("Zero times a point is not a point.")
    return bytes(ffi.buffer(out, 64))


def multiply_public(point: bytes, scalar: int) -> bytes:
    """Return scalar·point in VARIABLE time: for values that everybody may know, never for a share.

    Errors: BadPoint for zero.
    """
    key = _parse(point)
    if not lib.secp256k1_ec_pubkey_tweak_mul(_ctx, key, scalar.to_bytes(32, "big")):
        raise BadPoint("Zero times a point is not a point.")
    return _serialize(key)


def _sum(keys: list[Any]) -> Any:
    total = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ec_pubkey_combine(_ctx, total, keys, len(keys)):
        raise BadPoint("These points add up to infinity.")
    return total


def add(*points: bytes) -> bytes:
    """Return the sum of points.

    Errors: BadPoint.
    """
    return _serialize(_sum([_parse(point) for point in points]))


def on_line_at_zero(p1: bytes, p2: bytes, p3: bytes) -> bytes | None:
    """Return f(0)·G from f(1)·G, f(2)·G, f(3)·G when f is of degree one, else None.

    Three locations hold points of a line when p1 + p3 = 2·p2; the line meets zero at 2·p1 − p2.
    Errors: BadPoint.
    """
    k1, k2, k3 = _parse(p1), _parse(p2), _parse(p3)
    if lib.secp256k1_ec_pubkey_cmp(_ctx, _sum([k1, k3]), _sum([k2, k2])):
        return None
    lib.secp256k1_ec_pubkey_negate(_ctx, k2)
    return _serialize(_sum([k1, k1, k2]))


def is_line_through(at_zero: bytes, p1: bytes, p2: bytes, p3: bytes) -> bool:
    """Tell whether three points lie on a line that is `at_zero` at zero: one inversion fewer than computing it.

    Errors: BadPoint.
    """
    k1, k2, k3 = _parse(p1), _parse(p2), _parse(p3)
    twice = _sum([k2, k2])
    if lib.secp256k1_ec_pubkey_cmp(_ctx, _sum([k1, k3]), twice):
        return False
    return not lib.secp256k1_ec_pubkey_cmp(_ctx, _sum([_parse(at_zero), k2]), _sum([k1, k1]))


def compressed(point: bytes) -> bytes:
    """Return the 33-byte form.

    Source: SEC 1, 2.3.3.
    """
    return bytes([2 + (point[63] & 1)]) + point[:32]


GENERATOR: Final = multiply_base(1)
