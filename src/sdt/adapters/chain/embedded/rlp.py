"""Recursive length prefix: the two functions that the tries, headers and receipts need.

Source: Ethereum yellow paper, appendix B. The `rlp` package is checked against in tests; its typed layers cost
ten times as much as the bytes they produce.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

__all__ = ["Item", "decode", "encode", "int_bytes"]

Item: TypeAlias = "bytes | Sequence[Item]"


def int_bytes(value: int) -> bytes:
    """Return the integer big-endian without leading zeros; zero is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def encode(item: Item) -> bytes:
    """Return the encoding of bytes or of nested lists of bytes."""
    if isinstance(item, bytes):
        size = len(item)
        if size == 1 and item[0] < 0x80:
            return item
        return _prefix(size, 0x80) + item
    body = b"".join([encode(x) for x in item])
    return _prefix(len(body), 0xC0) + body


def _prefix(size: int, offset: int) -> bytes:
    if size < 56:
        return bytes((offset + size,))
    length = int_bytes(size)
    return bytes((offset + 55 + len(length),)) + length


def decode(data: bytes) -> Item:
    """Return what `encode` was given. Only for bytes that this process wrote: it checks no canonical form."""
    item, _ = _decode(data, 0)
    return item


def _decode(data: bytes, at: int) -> tuple[Item, int]:
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    if first < 0xC0:
        start, end = _span(data, at, first, 0x80)
        return data[start:end], end
    start, end = _span(data, at, first, 0xC0)
    items: list[Item] = []
    while start < end:
        item, start = _decode(data, start)
        items.append(item)
    return items, end


def _span(data: bytes, at: int, first: int, offset: int) -> tuple[int, int]:
    size = first - offset
    if size < 56:
        return at + 1, at + 1 + size
    width = size - 55
    start = at + 1 + width
    return start, start + int.from_bytes(data[at + 1 : start], "big")
