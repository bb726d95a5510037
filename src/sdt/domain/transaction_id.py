"""Transaction ids that the server hands out and recognises without having stored them.

A UUIDv7 whose last 36 bits are a truncated keyed hash over the rest and the region: an id nobody was given is
refused, its age is read from itself, and asking for one costs no database write.
Source: RFC 9562, section 5.7 (rand_b may carry implementation-specific data).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

from sdt.domain.errors import Invalid, NotFound

__all__ = ["RANDOM_BYTES", "IdIssuer", "id_bytes", "id_time_ms", "parse_id", "uuid7"]

RANDOM_BYTES: Final = 10
_TAG_BITS: Final = 36
_TAG_MASK: Final = (1 << _TAG_BITS) - 1
_FORM: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z", re.ASCII)


def _text(value: int) -> str:
    h = f"{value:032x}"
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def uuid7(now_ms: int, random: bytes) -> str:
    """Return a plain UUIDv7.

    Units: now_ms since 1970 in milliseconds. Shape: random has 10 bytes.
    """
    assert len(random) == RANDOM_BYTES
    value = now_ms << 80 | int.from_bytes(random, "big")
    value &= ~(0xF000 << 64 | 0xC000 << 48)
    return _text(value | 0x7000 << 64 | 0x8000 << 48)


def parse_id(text: object) -> str:
    """Return `text` if it has the one spelling an id has. Errors: Invalid."""
    if type(text) is not str or not _FORM.match(text):
        raise Invalid("A transaction_id is a lower-case UUID of version 7.", code="transaction_id")
    return text


def id_bytes(transaction_id: str) -> bytes:
    """Return the 16 bytes of an id."""
    return bytes.fromhex(transaction_id.replace("-", ""))


def id_time_ms(transaction_id: str) -> int:
    """Return when an id was made. Units: milliseconds since 1970."""
    return int(transaction_id[:8] + transaction_id[9:13], 16)


@dataclass(frozen=True, slots=True)
class IdIssuer:
    """Makes and recognises one region's ids.

    `keys` are the newest first: ids made under an older one are still recognised while they live.
    """

    region: str
    keys: tuple[bytes, ...]

    def __post_init__(self) -> None:
        assert self.keys and all(16 <= len(key) <= 64 for key in self.keys)

    def __repr__(self) -> str:
        return f"IdIssuer({self.region!r})"

    def _tag(self, value: int, key: bytes) -> int:
        head = (value >> _TAG_BITS).to_bytes(12, "big") + self.region.encode()
        return int.from_bytes(hashlib.blake2b(head, key=key, digest_size=8).digest(), "big") & _TAG_MASK

    def issue(self, now_ms: int, random: bytes) -> str:
        """Return a new id. Shape: random has 10 bytes, fresh for every id."""
        value = int(uuid7(now_ms, random).replace("-", ""), 16) & ~_TAG_MASK
        return _text(value | self._tag(value, self.keys[0]))

    def check(self, transaction_id: str) -> int:
        """Return when this id was given. Units: milliseconds since 1970.

        Errors: Invalid for another form; NotFound for an id that was never given in this region.
        """
        value = int(parse_id(transaction_id).replace("-", ""), 16)
        ours = (value & _TAG_MASK).to_bytes(8, "big")
        if not any(hmac.compare_digest(self._tag(value, key).to_bytes(8, "big"), ours) for key in self.keys):
            raise NotFound(
                "This transaction_id was not given by this region. Ask for one with POST /v1/transactions.",
                code="unknown_transaction_id",
            )
        return id_time_ms(transaction_id)
