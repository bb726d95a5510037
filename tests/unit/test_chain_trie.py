"""The trie and its encoding against the published packages."""

from __future__ import annotations

import random

import pytest
import rlp as published_rlp
from eth_hash.auto import keccak as published_keccak
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from sdt.adapters.chain.embedded import rlp, trie
from sdt.adapters.chain.embedded.keccak import keccak

ITEMS = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=20), max_leaves=40)


@given(st.binary(max_size=600))
def test_keccak_is_the_published_one(data: bytes) -> None:
    assert keccak(data) == published_keccak(data)


@given(ITEMS)
def test_rlp_is_the_published_one(item: rlp.Item) -> None:
    encoded = rlp.encode(item)
    assert encoded == published_rlp.encode(item)
    assert rlp.decode(encoded) == published_rlp.decode(encoded)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 255, 256, 65_536])
def test_rlp_lengths(size: int) -> None:
    item: rlp.Item = [b"\x80" * size, [b"a"] * size]
    assert rlp.encode(item) == published_rlp.encode(item)
    assert rlp.decode(rlp.encode(item)) == item


class Nodes:
    """Nodes as the database holds them."""

    def __init__(self) -> None:
        self.by_key: dict[bytes, trie.Node] = {}

    def node(self, key: bytes) -> trie.Node:
        return self.by_key[key]

    def write(self, writes: dict[bytes, tuple[trie.Node, bytes] | None]) -> None:
        for key, write in writes.items():
            if write is None:
                self.by_key.pop(key, None)
            else:
                assert rlp.decode(write[1]) == write[0]
                self.by_key[key] = write[0]

    def reachable(self, prefix: bytes, path: bytes = b"", node: trie.Node | None = None) -> set[bytes]:
        """Return the keys of all stored nodes that hang on the root."""
        found = set()
        if node is None:
            found.add(prefix + path)
            node = self.by_key[prefix + path]
        if len(node) == 17:
            below = [(path + bytes([i]), node[i]) for i in range(16) if node[i]]
        else:
            own, leaf = trie._unpack(node[0])
            below = [] if leaf else [(path + own, node[1])]
        for where, child in below:
            found |= self.reachable(prefix, where, child if isinstance(child, list) else None)
        return found


@pytest.mark.parametrize("seed", range(60))
def test_any_changes_give_the_published_root_and_leave_no_litter(seed: int) -> None:
    # given keys close together and far apart, small values that live in their parents and large ones that do not
    rng = random.Random(seed)
    keys = [keccak(bytes([n]))[: rng.choice([2, 32])] for n in range(rng.choice([4, 30, 200]))]
    if rng.random() < 0.3:
        keys = [bytes([rng.randrange(3), rng.randrange(3), rng.randrange(2)]) for _ in range(20)]
    size = len(keys[0])
    keys = [key for key in keys if len(key) == size]
    nodes, published, root, model = Nodes(), HexaryTrie({}), trie.BLANK_ROOT, {}
    for _ in range(rng.randrange(1, 8)):
        # when a block's changes are applied at once
        changes = {}
        for key in rng.choices(keys, k=rng.randrange(1, 40)):
            value = rng.choice([b"", b"", b"\x01", rng.randbytes(rng.choice([2, 12, 33]))])
            changes[trie.nibbles(key)] = value
            model[key] = value
        for path, value in changes.items():
            key = bytes.fromhex("".join(f"{n:x}" for n in path))
            if value:
                published[key] = value
            elif key in published:
                del published[key]
        root, writes = trie.update(nodes, b"p", root, changes)
        nodes.write(writes)
        # then root, values and proofs are the published ones
        assert root == published.root_hash
        for key, value in model.items():
            path = trie.nibbles(key)
            assert trie.get(nodes, b"p", root, path) == value
            proof = [published_rlp.decode(node) for node in trie.prove(nodes, b"p", root, path)]
            if root != trie.BLANK_ROOT:
                assert HexaryTrie.get_from_proof(root, key, proof) == value
        # and nothing is stored that the root does not need
        assert set(nodes.by_key) == (nodes.reachable(b"p") if root != trie.BLANK_ROOT else set())


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 128, 129, 300])
def test_the_root_of_a_list(count: int) -> None:
    values = [keccak(bytes([n & 255])) * (1 + n % 5) for n in range(count)]
    published = HexaryTrie({})
    for n, value in enumerate(values):
        published[published_rlp.encode(n)] = value
    assert trie.ordered_root(values) == published.root_hash
