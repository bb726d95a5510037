"""Recursive length prefix: the one encoding of chain transactions and block headers.

Integers are big-endian without leading zeros, zero is empty. Reading is strict: every item has one encoding only.
Source: Ethereum Yellow Paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sdt.domain.errors import Invalid

__all__ = ["Item", "decode", "encode"]

Item = int | bytes | Sequence["Item"]
"""What can be encoded. Reading gives bytes and lists."""
DEPTH_MAX: Final = 16


def encode(item: Item) -> bytes:
    """Return the encoding of an integer, of bytes, or of a list of such."""
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else _length(len(item), 0x80) + item
    payload = b"".join(map(encode, item))
    return _length(len(payload), 0xC0) + payload


def _length(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size


def decode(data: bytes) -> Item:
    """Return what is encoded: bytes, or a list.

    Errors: Invalid when anything is encoded in another way than the shortest, cut short, nested too deeply, or
    followed by more.
    """
    item, end = _item(data, 0, len(data), 0)
    if end != len(data):
        raise _broken()
    return item


def _item(data: bytes, at: int, limit: int, depth: int) -> tuple[Item, int]:
    if at >= limit or depth > DEPTH_MAX:
        raise _broken()
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    start, end = _span(data, at, limit, 0x80 if first < 0xC0 else 0xC0)
    if first < 0xC0:
        content = data[start:end]
        if len(content) == 1 and content[0] < 0x80:
            raise _broken()
        return content, end
    items: list[Item] = []
    while start < end:
        item, start = _item(data, start, end, depth + 1)
        items.append(item)
    return items, end


def _span(data: bytes, at: int, limit: int, offset: int) -> tuple[int, int]:
    """Return where an item's content begins and ends."""
    short = data[at] - offset
    if short < 56:
        start, length = at + 1, short
    else:
        start = at + 1 + short - 55
        length = int.from_bytes(data[at + 1 : start], "big")
        if start > limit or data[at + 1] == 0 or length < 56:
            raise _broken()
    if start + length > limit:
        raise _broken()
    return start, start + length


def _broken() -> Invalid:
    return Invalid("That is not RLP in its one form.", code="bad_rlp")
