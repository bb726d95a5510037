"""Points, lines and ECDSA parts."""

from __future__ import annotations

import ast
import hashlib
import secrets
from pathlib import Path

import pytest
from coincurve import PrivateKey

import sdt.signing
from sdt.signing import curve, ecdsa
from sdt.signing.curve import ORDER, BadPoint, multiply_base, multiply_public, multiply_secret


def scalar() -> int:
    return 1 + secrets.randbelow(ORDER - 1)


def line(at_zero: int, slope: int, x: int) -> int:
    return (at_zero + slope * x) % ORDER


def test_the_constant_time_path_gives_the_same_points():
    a, b = scalar(), scalar()
    point = multiply_base(a)
    assert multiply_secret(point, b) == multiply_public(point, b) == multiply_base(a * b % ORDER)
    assert multiply_base(a) == PrivateKey(a.to_bytes(32, "big")).public_key.format(compressed=False)[1:]


@pytest.mark.parametrize("wrong", [b"", bytes(64), b"\1" * 64, b"\1" * 63])
def test_what_is_no_point_is_refused(wrong):
    with pytest.raises(BadPoint):
        curve.check_point(wrong)
    with pytest.raises(BadPoint):
        multiply_secret(wrong, 1)


def test_zero_gives_no_point():
    for multiply in (multiply_public, multiply_secret):
        with pytest.raises(BadPoint):
            multiply(curve.GENERATOR, 0)
    with pytest.raises(BadPoint):
        multiply_base(0)


def test_three_points_of_a_line_and_of_no_line():
    secret, slope = scalar(), scalar()
    p1, p2, p3 = (multiply_base(line(secret, slope, x)) for x in (1, 2, 3))
    assert curve.on_line_at_zero(p1, p2, p3) == multiply_base(secret)
    assert curve.is_line_through(multiply_base(secret), p1, p2, p3)
    assert curve.on_line_at_zero(p1, p2, multiply_base(scalar())) is None
    assert not curve.is_line_through(multiply_base(scalar()), p1, p2, p3)
    assert not curve.is_line_through(multiply_base(secret), p1, p2, p1)


def presignature():
    """Return a key, a nonce point, and shares of 1/k and x/k on lines."""
    x, k = scalar(), scalar()
    kappa, xi = pow(k, -1, ORDER), pow(k, -1, ORDER) * x % ORDER
    slopes = scalar(), scalar()
    shares = {i: (line(kappa, slopes[0], i), line(xi, slopes[1], i)) for i in (1, 2, 3)}
    return multiply_base(x), multiply_base(k), shares


def test_any_two_parts_make_a_low_s_signature_that_recovers_the_key():
    for _ in range(20):
        public, point, shares = presignature()
        digest = secrets.token_bytes(32)
        for pair in ((1, 2), (1, 3), (2, 3)):
            parts = {i: ecdsa.partial(digest, point, *shares[i]) for i in pair}
            signature = ecdsa.combine(digest, point, public, parts)
            assert signature is not None
            assert signature.s <= ORDER // 2
            recovered = PrivateKey(b"\1" * 32).public_key.from_signature_and_message(
                signature.compact() + bytes([signature.recovery]), digest, hasher=None
            )
            assert recovered.format(compressed=False)[1:] == public


def test_a_bad_part_is_told_from_a_good_one_and_gives_no_signature():
    public, point, shares = presignature()
    digest = secrets.token_bytes(32)
    kappa, xi = shares[1]
    a, b = multiply_base(1), multiply_base(1)
    a, b = multiply_secret(point, kappa), multiply_secret(point, xi)
    good = ecdsa.partial(digest, point, kappa, xi)
    assert ecdsa.partial_is_good(digest, point, a, b, good)
    for bad in (0, good ^ 1, ORDER, ecdsa.partial(hashlib.sha256(digest).digest(), point, kappa, xi)):
        assert not ecdsa.partial_is_good(digest, point, a, b, bad)
    assert ecdsa.combine(digest, point, public, {1: good ^ 1, 2: ecdsa.partial(digest, point, *shares[2])}) is None


VARIABLE_TIME = {
    "secp256k1_ec_pubkey_tweak_mul",
    "secp256k1_ec_seckey_tweak_mul",
    "multiply_public",
    "multiply",
    "tweak_mul",
}
"""What takes longer for one scalar than for another: libsecp256k1's, coincurve's, and our own name for it."""


def users_of_variable_time(source: str) -> set[str]:
    """Return where a source names any of it: by function, or `<module>`; under another name or as text too."""
    found = set()

    def visit(node: ast.AST, inside: str) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = node.name if inside == "<module>" else inside
        name = {ast.Attribute: "attr", ast.Name: "id", ast.Constant: "value"}.get(type(node), "")
        renamed = isinstance(node, ast.alias) and node.asname and node.name in VARIABLE_TIME
        if renamed or (name and getattr(node, name) in VARIABLE_TIME):
            found.add(inside)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(source), "<module>")
    return found


def test_variable_time_multiplication_is_used_only_where_everything_is_public():
    root = Path(sdt.signing.__file__).parents[1]
    found = {path.relative_to(root).as_posix(): users_of_variable_time(path.read_text()) for path in root.rglob("*.py")}
    assert {name: users for name, users in found.items() if users} == {
        "signing/curve.py": {"multiply_public"},
        "signing/ecdsa.py": {"partial_is_good"},  # the check of a part, whose every value is public
        "signing/sharing.py": {"is_dealt", "new_points"},  # points, by party numbers and Lagrange weights
    }


@pytest.mark.parametrize(
    "planted",
    [
        "def f(p, share):\n    return curve.multiply_public(p, share)",
        "def f(p, share):\n    return multiply_public(p, share)",
        "from sdt.signing.curve import multiply_public as times\ndef f(p, share):\n    return times(p, share)",
        "def f(p, share):\n    return PublicKey(p).multiply(share)",
        "def f(p, share):\n    return getattr(lib, 'secp256k1_ec_pubkey_tweak_mul')(ctx, p, share)",
        "class A:\n    async def f(self, p, share):\n        return lib.secp256k1_ec_pubkey_tweak_mul(ctx, p, share)",
    ],
)
def test_a_new_user_of_it_would_be_found(planted):
    assert users_of_variable_time(planted) <= {"f", "<module>"}
    assert users_of_variable_time(planted)
