"""The hexary Merkle-Patricia trie, changed a whole block at a time.

Nodes are stored by their *path* and overwritten in place, so the database holds the present state and does not
grow with history; each node on a changed path is read, encoded and hashed once per block however many of its
leaves changed. A node is `[path, value]` (leaf), `[path, child]` (extension) or sixteen children and an empty
value (branch); a child is a hash, an inline node or b"".
Source: Ethereum yellow paper, appendix D.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sdt.adapters.chain.embedded import rlp
from sdt.adapters.chain.embedded.keccak import keccak

__all__ = ["BLANK_ROOT", "NodeSource", "get", "nibbles", "ordered_root", "prove", "update"]

Node = list[Any]
Ref = Any  # a 32-byte hash, an inline node (list), or b"" for nothing
Change = tuple[bytes, bytes]  # remaining nibbles, value (b"" deletes)

BLANK_ROOT = keccak(rlp.encode(b""))
_HEX = bytes.maketrans(b"0123456789abcdef", bytes(range(16)))
_DIGITS = b"0123456789abcdef" + bytes(240)
_EMPTY_BRANCH: Node = [b""] * 17


class NodeSource(Protocol):
    """Where nodes come from: by owner's prefix and path."""

    def node(self, key: bytes) -> Node:
        """Return the decoded node stored under this key; it must not be changed."""


def nibbles(key: bytes) -> bytes:
    """Return the key as one byte per half-byte."""
    return key.hex().encode().translate(_HEX)


def _pack(path: bytes, leaf: bool) -> bytes:
    """Return the hex-prefix encoding of a path."""
    lead = ("3" if leaf else "1") if len(path) & 1 else ("20" if leaf else "00")
    return bytes.fromhex(lead + path.translate(_DIGITS).decode())


def _unpack(packed: bytes) -> tuple[bytes, bool]:
    """Return the path and whether it belongs to a leaf."""
    path = nibbles(packed)
    return path[1 if path[0] & 1 else 2 :], path[0] >= 2


def _encode(node: Node) -> bytes:
    """Return a node's encoding; a branch, which most are, with its children's lengths known beforehand."""
    if len(node) != 17:
        return rlp.encode(node)
    body = b"".join([b"\xa0" + ref if len(ref) == 32 else rlp.encode(ref) if ref else b"\x80" for ref in node])
    if len(body) < 256:
        return (bytes((0xC0 + len(body),)) if len(body) < 56 else bytes((0xF8, len(body)))) + body
    return b"\xf9" + len(body).to_bytes(2, "big") + body


def _common(a: bytes, b: bytes) -> int:
    """Return how many leading nibbles two paths share."""
    size = min(len(a), len(b))
    for i in range(size):
        if a[i] != b[i]:
            return i
    return size


def get(source: NodeSource, prefix: bytes, root: bytes, key: bytes) -> bytes:
    """Return the value under a key (as nibbles), or b"" when there is none."""
    if root == BLANK_ROOT:
        return b""
    depth = 0
    node = source.node(prefix)
    while True:
        if len(node) == 17:
            ref = node[key[depth]]
            depth += 1
        else:
            path, leaf = _unpack(node[0])
            if key[depth : depth + len(path)] != path:
                return b""
            depth += len(path)
            if leaf:
                value: bytes = node[1]
                return value
            ref = node[1]
        if not ref:
            return b""
        node = ref if isinstance(ref, list) else source.node(prefix + key[:depth])


def prove(source: NodeSource, prefix: bytes, root: bytes, key: bytes) -> list[bytes]:
    """Return the encoded nodes from the root to where the key is or would be (EIP-1186)."""
    proof: list[bytes] = []
    if root == BLANK_ROOT:
        return proof
    depth = 0
    node = source.node(prefix)
    inline = False
    while True:
        if not inline:
            proof.append(rlp.encode(node))
        if len(node) == 17:
            ref = node[key[depth]]
            depth += 1
        else:
            path, leaf = _unpack(node[0])
            if leaf or key[depth : depth + len(path)] != path:
                return proof
            depth += len(path)
            ref = node[1]
        if not ref:
            return proof
        inline = isinstance(ref, list)
        node = ref if inline else source.node(prefix + key[:depth])


class _Update:
    """One pass over one trie: `writes` collects new nodes by key, None where a node is gone."""

    def __init__(self, source: NodeSource, prefix: bytes) -> None:
        self.source = source
        self.prefix = prefix
        self.writes: dict[bytes, tuple[Node, bytes] | None] = {}

    def open(self, ref: Ref, path: bytes) -> Node | None:
        """Return the node behind a reference; if it was stored it counts as gone until written again."""
        if not ref:
            return None
        if isinstance(ref, list):
            return ref
        key = self.prefix + path
        pending = self.writes.get(key)
        self.writes[key] = None
        return pending[0] if pending else self.source.node(key)

    def close(self, node: Node | None, path: bytes) -> Ref:
        """Return the reference to a node, storing it unless it is small enough to live in its parent."""
        if node is None:
            return b""
        encoded = _encode(node)
        if len(encoded) < 32:
            return node
        self.writes[self.prefix + path] = (node, encoded)
        return keccak(encoded)

    def apply(self, ref: Ref, path: bytes, changes: Sequence[Change]) -> Node | None:
        node = self.open(ref, path)
        if node is None:
            return self.build([c for c in changes if c[1]], path)
        if len(node) == 17:
            return self.branch(node, path, changes)
        own, leaf = _unpack(node[0])
        if leaf:
            merged = {own: node[1], **dict(changes)}
            return self.build(sorted((k, v) for k, v in merged.items() if v), path)
        return self.extension(own, node[1], path, changes)

    def branch(self, node: Node, path: bytes, changes: Sequence[Change]) -> Node | None:
        children = node.copy()
        for first, group in _by_first_nibble(changes):
            below = path + bytes((first,))
            children[first] = self.close(self.apply(children[first], below, group), below)
        left = [i for i in range(16) if children[i]]
        if len(left) > 1:
            return children
        if not left:
            return None
        return self.collapse(children[left[0]], path, bytes(left))

    def collapse(self, ref: Ref, path: bytes, lead: bytes) -> Node:
        """Return the only child of a vanished branch (or of a lengthened extension) as one node."""
        below = path + lead
        key = self.prefix + below
        if isinstance(ref, list):
            child = ref
        else:
            pending = self.writes.get(key)
            child = pending[0] if pending else self.source.node(key)
        if len(child) == 17:
            return [_pack(lead, False), ref]
        own, leaf = _unpack(child[0])
        if not isinstance(ref, list):
            self.writes[key] = None
        return [_pack(lead + own, leaf), child[1]]

    def extension(self, own: bytes, child: Ref, path: bytes, changes: Sequence[Change]) -> Node | None:
        shared = min(_common(own, key) for key, _ in changes)
        if shared == len(own):
            below = path + own
            stripped = [(key[shared:], value) for key, value in changes]
            ref = self.close(self.apply(child, below, stripped), below)
            return self.collapse(ref, path, own) if ref else None
        branch = _EMPTY_BRANCH.copy()
        rest = own[shared + 1 :]
        branch[own[shared]] = self.close([_pack(rest, False), child], path + own[: shared + 1]) if rest else child
        stripped = [(key[shared:], value) for key, value in changes]
        if not shared:
            return self.branch(branch, path, stripped)
        below = path + own[:shared]
        ref = self.close(self.branch(branch, below, stripped), below)
        return self.collapse(ref, path, own[:shared]) if ref else None

    def build(self, items: Sequence[Change], path: bytes) -> Node | None:
        """Return a fresh subtree for sorted items that share nothing with what is stored."""
        if not items:
            return None
        if len(items) == 1:
            return [_pack(items[0][0], True), items[0][1]]
        shared = _common(items[0][0], items[-1][0])
        if shared:
            below = path + items[0][0][:shared]
            stripped = [(key[shared:], value) for key, value in items]
            return [_pack(items[0][0][:shared], False), self.close(self.build(stripped, below), below)]
        children = _EMPTY_BRANCH.copy()
        for first, group in _by_first_nibble(items):
            below = path + bytes((first,))
            children[first] = self.close(self.build(group, below), below)
        return children


def _by_first_nibble(changes: Sequence[Change]) -> list[tuple[int, list[Change]]]:
    groups: dict[int, list[Change]] = {}
    for key, value in changes:
        groups.setdefault(key[0], []).append((key[1:], value))
    return list(groups.items())


def update(
    source: NodeSource, prefix: bytes, root: bytes, changes: dict[bytes, bytes]
) -> tuple[bytes, dict[bytes, tuple[Node, bytes] | None]]:
    """Apply changes (nibbles to value, b"" deletes) and return the new root and the nodes to store or drop.

    Shape: keys are prefix-free, as fixed-length hashes are; new nodes come decoded and encoded.
    """
    run = _Update(source, prefix)
    top = run.apply(b"" if root == BLANK_ROOT else root, b"", sorted(changes.items()))
    if top is None:
        return BLANK_ROOT, run.writes
    encoded = _encode(top)
    run.writes[prefix] = (top, encoded)
    return keccak(encoded), run.writes


def ordered_root(values: Sequence[bytes]) -> bytes:
    """Return the root over a list, keyed by encoded position, as headers have for transactions and receipts."""
    if not values:
        return BLANK_ROOT
    keyed = {nibbles(rlp.encode(rlp.int_bytes(i))): value for i, value in enumerate(values)}
    run = _Update(_Nothing(), b"")
    return keccak(rlp.encode(run.build(sorted(keyed.items()), b"") or b""))


class _Nothing:
    def node(self, key: bytes) -> Node:
        raise AssertionError("a fresh trie reads no node")
