"""The trie of a block's chain transactions or receipts: its root, and proofs that a value stands at a position.

The key is the encoded position, so no key begins another, and every value is longer than a hash, so no node is kept
inside its parent: reading refuses both. Source: Ethereum Yellow Paper, section 4.3.2 and appendix D.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from eth_hash.auto import keccak

from sdt.domain import rlp
from sdt.domain.errors import Invalid, Unprocessable

__all__ = ["EMPTY_ROOT", "IndexTrie", "NotProven", "prove_index"]

EMPTY_ROOT: Final = bytes(keccak(rlp.encode(b"")))
VALUE_BYTES_MIN: Final = 32
"""A chain transaction has a signature of 65 bytes, a receipt a filter of 256: neither fits into its parent node."""

_HASH_BYTES: Final = 32
_BRANCH: Final = 17


class NotProven(Unprocessable):
    """The nodes do not lead from the root to a value at that position."""

    code = "not_proven"


def prove_index(root: bytes, index: int, nodes: Sequence[bytes]) -> bytes:
    """Return the value at a position under `root`, which `nodes`, from the root down, prove.

    Shape: everything may come from a stranger. No node more or less than the way needs.
    Errors: NotProven; Invalid for a node that is not RLP.
    """
    expected, path = root, _nibbles(rlp.encode(index))
    for depth, node in enumerate(nodes):
        if bytes(keccak(node)) != expected:
            raise NotProven(f"Node {depth} of the proof is not the one that its parent names.")
        found, used, leaf = _step(node, path)
        path = path[used:]
        if leaf:
            if path or depth != len(nodes) - 1:
                raise NotProven("The proof ends elsewhere than at that position.")
            return found
        if len(found) != _HASH_BYTES:
            raise NotProven("The proof leads to a place where nothing is, or to a node that is not one of these tries.")
        expected = found
    raise NotProven("The proof ends before it reaches a value.")


def _step(node: bytes, path: bytes) -> tuple[bytes, int, bool]:
    """Return what a node leads to on this path, how much of the path it uses, and whether that is the value."""
    items = rlp.decode(node)
    if not isinstance(items, list) or not all(isinstance(item, bytes) for item in items):
        raise NotProven("A node of the proof is not one of these tries.")
    if len(items) == _BRANCH:
        if items[16] != b"" or not path:
            raise NotProven("A branch holds a value; positions never end there.")
        return items[path[0]], 1, False
    if len(items) != 2:
        raise NotProven("A node of the proof has neither 2 nor 17 items.")
    own, leaf = _unpack(items[0])
    if path[: len(own)] != own or not (leaf or own):
        raise NotProven("The proof leads to another position.")
    return items[1], len(own), leaf


class IndexTrie:
    """The trie over a list of values. `root` is what a header shows.

    Errors: Invalid for a value shorter than any chain transaction or receipt.
    """

    def __init__(self, values: Sequence[bytes]) -> None:
        if any(len(value) < VALUE_BYTES_MIN for value in values):
            raise Invalid("That is no encoded chain transaction or receipt.", code="short_value")
        self._count = len(values)
        self._nodes: dict[bytes, bytes] = {}
        keyed = sorted((_nibbles(rlp.encode(index)), value) for index, value in enumerate(values))
        self.root = self._build(keyed, 0) if keyed else EMPTY_ROOT

    def prove(self, index: int) -> list[bytes]:
        """Return the nodes from the root down to the value at a position."""
        assert 0 <= index < self._count, f"position {index} of {self._count}"
        path = _nibbles(rlp.encode(index))
        on_the_way = (self._nodes.get(path[:depth]) for depth in range(len(path) + 1))
        return [node for node in on_the_way if node is not None]

    def _build(self, items: list[tuple[bytes, bytes]], depth: int) -> bytes:
        """Keep the node over these items, which share the first `depth` of their paths; return its hash."""
        first = items[0][0]
        if len(items) == 1:
            return self._keep(first[:depth], [_pack(first[depth:], leaf=True), items[0][1]])
        shared = _common(first, items[-1][0])
        if shared > depth:
            return self._keep(first[:depth], [_pack(first[depth:shared], leaf=False), self._build(items, shared)])
        children = [b""] * _BRANCH
        for nibble, group in groupby(items, key=lambda item: item[0][depth]):
            children[nibble] = self._build(list(group), depth + 1)
        return self._keep(first[:depth], children)

    def _keep(self, path: bytes, node: list[bytes]) -> bytes:
        encoded = rlp.encode(node)
        self._nodes[path] = encoded
        return bytes(keccak(encoded))


def _common(first: bytes, last: bytes) -> int:
    """Return how much two paths share; of a sorted list, its ends share what all do."""
    return next(depth for depth, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)


def _nibbles(data: bytes) -> bytes:
    return bytes(int(digit, 16) for digit in data.hex())


def _pack(path: bytes, *, leaf: bool) -> bytes:
    """Return the hex-prefix encoding of a path."""
    flag = 2 * leaf + len(path) % 2
    digits = f"{flag:x}" + ("" if len(path) % 2 else "0") + "".join(f"{nibble:x}" for nibble in path)
    return bytes.fromhex(digits)


def _unpack(packed: rlp.Item) -> tuple[bytes, bool]:
    """Return a path and whether it ends at a value; there is one encoding of each."""
    assert isinstance(packed, bytes), "the caller looked"
    nibbles = _nibbles(packed)
    if not nibbles or nibbles[0] > 3 or (nibbles[0] % 2 == 0 and nibbles[1] != 0):
        raise NotProven("A path in the proof is not in its one form.")
    return nibbles[1 if nibbles[0] % 2 else 2 :], nibbles[0] >= 2
