"""The Merkle tree over a batch: one root that proves each of its messages.

Source: RFC 9162 section 2.1 (SHA-256, leaf prefix 0x00, node prefix 0x01).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

__all__ = ["merkle_proof", "merkle_root", "verify_proof"]

_LEAF = b"\x00"
_NODE = b"\x01"


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over these leaves' data; of none, the hash of nothing.

    Shape: 32 bytes.
    Source: RFC 9162 section 2.1.1.
    """
    if not leaves:
        return sha256(b"").digest()
    return _levels(leaves)[-1][0]


def merkle_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the sibling hashes from one leaf up to the root.

    Source: RFC 9162 section 2.1.3.1.
    """
    assert 0 <= index < len(leaves), f"leaf {index} of {len(leaves)}"
    path: list[bytes] = []
    for level in _levels(leaves)[:-1]:
        sibling = index ^ 1
        if sibling < len(level):  # the last node of an odd level rises by itself
            path.append(level[sibling])
        index >>= 1
    return path


def verify_proof(root: bytes, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bool:
    """Tell whether `leaf` is number `index` of the `count` leaves under `root`.

    Shape: everything may come from a stranger; a path of the wrong length or hash size is just false.
    Source: RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < count:
        return False
    node, last = sha256(_LEAF + leaf).digest(), count - 1
    for sibling in path:
        if last == 0 or len(sibling) != 32:
            return False
        if index & 1 or index == last:
            node = sha256(_NODE + sibling + node).digest()
            while index and not index & 1:  # levels that this node rose through alone
                index >>= 1
                last >>= 1
        else:
            node = sha256(_NODE + node + sibling).digest()
        index >>= 1
        last >>= 1
    return last == 0 and node == root


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return every level of the tree, leaf hashes first, the root alone last.

    Pairing neighbours and letting an odd last node rise gives the tree of the RFC's split at a power of two.
    """
    level = [sha256(_LEAF + leaf).digest() for leaf in leaves]
    levels = [level]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [sha256(_NODE + left + right).digest() for left, right in pairs]
        if len(level) & 1:
            above.append(level[-1])
        levels.append(above)
        level = above
    return levels
