"""The arithmetic of dealing anew: values of lines over the group order, and their checks in the exponent.

*Refresh*: each of the three deals a line through zero, and everybody adds what it was dealt to its share. *Replace*:
the two survivors each deal a line through their own weighted share, and what a location was dealt is its share. Either
way the secret at zero stays, and the slope is new as long as one dealer is honest.
Source: Herzberg et al. (1995) for refreshing; Feldman (1987) for the checks; Desmedt, Jajodia (1997) for dealing anew.
"""

from __future__ import annotations

from typing import Final

from sdt.signing.curve import ORDER, add, multiply_base, multiply_public, on_line_at_zero
from sdt.signing.keyring import ChainKey
from sdt.signing.wire_lifecycle import NOBODY

PARTIES: Final = (1, 2, 3)


def dealers(replaced: int) -> tuple[int, ...]:
    """Return who deals: everybody in a refresh, the survivors in a replacement."""
    return tuple(party for party in PARTIES if party != replaced)


def weight(party: int, partner: int) -> int:
    """Return the Lagrange weight at zero of a party's share, beside its partner's."""
    return partner * pow(partner - party, -1, ORDER) % ORDER


def constant(party: int, replaced: int, share: int) -> int:
    """Return where a dealer's line meets zero: at zero itself in a refresh. Secret as the share is."""
    if replaced == NOBODY:
        return 0
    return weight(party, _partner(party, replaced)) * share % ORDER


def value_at(party: int, at_zero: int, slope: int) -> bytes:
    """Return what a dealer gives one party, 32 bytes, secret."""
    return ((at_zero + party * slope) % ORDER).to_bytes(32, "big")


def is_dealt(value: bytes, to: int, dealer: int, slope_point: bytes, key: ChainKey, replaced: int) -> bool:
    """Tell whether a dealt value lies on the line that the dealer committed itself to.

    Errors: BadPoint.
    """
    on_line = multiply_public(slope_point, to)
    if replaced != NOBODY:
        at_zero = multiply_public(key.points[dealer - 1], weight(dealer, _partner(dealer, replaced)))
        on_line = add(at_zero, on_line)
    return len(value) == 32 and multiply_base(int.from_bytes(value, "big")) == on_line


def new_share(values: list[bytes], share: bytearray, replaced: int) -> bytes:
    """Return a location's share of the next epoch from what it was dealt, and from its old one in a refresh."""
    total = sum(int.from_bytes(value, "big") for value in values)
    if replaced == NOBODY:
        total += int.from_bytes(share, "big")
    return (total % ORDER).to_bytes(32, "big")


def new_points(slopes: list[bytes], key: ChainKey, replaced: int) -> tuple[bytes, bytes, bytes] | None:
    """Return the points of the next epoch's shares, or None when they would stand for another key.

    Errors: BadPoint.
    """
    slope = add(*slopes)
    bases = key.points if replaced == NOBODY else (key.public,) * 3
    one, two, three = (add(base, multiply_public(slope, party)) for party, base in zip(PARTIES, bases, strict=True))
    return (one, two, three) if on_line_at_zero(one, two, three) == key.public else None


def _partner(party: int, replaced: int) -> int:
    return next(each for each in dealers(replaced) if each != party)
