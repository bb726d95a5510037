"""The tries of a block: their roots and proofs against a published library and the embedded chain's own."""

from __future__ import annotations

import random

import pytest
import rlp as published_rlp
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from sdt.adapters.chain.embedded.trie import ordered_root
from sdt.domain import rlp
from sdt.domain.errors import Invalid
from sdt.domain.mpt import EMPTY_ROOT, IndexTrie, NotProven, prove_index

VALUES = st.lists(st.binary(min_size=32, max_size=200), max_size=40)
SIZES = [1, 2, 3, 16, 17, 127, 128, 129, 130, 255, 256, 257, 300]


def values_of(size: int) -> list[bytes]:
    chance = random.Random(size)
    return [chance.randbytes(chance.randrange(32, 300)) for _ in range(size)]


def published(values: list[bytes]) -> HexaryTrie:
    found = HexaryTrie({})
    for index, value in enumerate(values):
        found[published_rlp.encode(index)] = value
    return found


@given(VALUES)
def test_the_root_is_that_of_the_library_and_of_the_embedded_chain(values: list[bytes]) -> None:
    root = IndexTrie(values).root
    assert root == published(values).root_hash == ordered_root(values)


@pytest.mark.parametrize("size", SIZES)
def test_every_position_is_proven_with_the_librarys_own_nodes(size: int) -> None:
    # given lists around the lengths at which keys become longer
    values = values_of(size)
    trie, theirs = IndexTrie(values), published(values)
    assert trie.root == theirs.root_hash
    for index, value in enumerate(values):
        # then our proof has exactly the library's nodes, and proves the value
        nodes = trie.prove(index)
        assert nodes == [published_rlp.encode(node) for node in theirs.get_proof(published_rlp.encode(index))]
        assert prove_index(trie.root, index, nodes) == value


def test_an_empty_list_has_the_known_root() -> None:
    assert IndexTrie([]).root == EMPTY_ROOT == HexaryTrie({}).root_hash


@pytest.mark.parametrize("size", [1, 2, 17, 129, 300])
def test_a_proof_proves_one_position_only(size: int) -> None:
    trie = IndexTrie(values_of(size))
    for index in range(size):
        nodes = trie.prove(index)
        for other in {index + 1, index - 1, index + 128, index ^ 1, 0, size} - {index, -1}:
            with pytest.raises(NotProven):
                prove_index(trie.root, other, nodes)


def test_no_changed_bit_no_node_less_and_no_node_more_is_taken() -> None:
    trie = IndexTrie(values_of(300))
    nodes = trie.prove(200)
    assert len(nodes) >= 3
    for at in range(len(nodes)):
        for bit in range(8 * len(nodes[at])):
            changed = bytearray(nodes[at])
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises((NotProven, Invalid)):
                prove_index(trie.root, 200, [*nodes[:at], bytes(changed), *nodes[at + 1 :]])
        for wrong in (nodes[:at], nodes[:at] + nodes[at + 1 :], [*nodes[:at], nodes[at], *nodes[at:]]):
            with pytest.raises(NotProven):
                prove_index(trie.root, 200, wrong)
    with pytest.raises(NotProven):
        prove_index(bytes(32), 200, nodes)


def under(*nodes: object) -> tuple[bytes, list[bytes]]:
    """Return a root and the one-node proof that a dishonest maker would hash to it."""
    encoded = [rlp.encode(node) for node in nodes]  # type: ignore[arg-type]
    return keccak(encoded[0]), encoded


@pytest.mark.parametrize(
    "node",
    [
        [b"\x31", b"v" * 40],
        [b"\x21\x01", b"v" * 40],  # the pad of an even path is not zero
        [b"\x40\x01", b"v" * 40],
        [b"", b"v" * 40],
        [b"\x00", b"v" * 32],  # an extension of nothing
        [b"v" * 40],
        [b"\x20\x01", [b"v" * 40]],
        [b"" for _ in range(16)] + [b"v" * 40],
        [[b"\x31", b"v" * 10], *[b""] * 16],  # a node inside its parent
        b"v" * 40,
    ],
)
def test_nodes_that_no_index_trie_has_are_refused(node: object) -> None:
    # given that the same form with the right path is taken
    root, nodes = under([b"\x20\x01", b"v" * 40])
    assert prove_index(root, 1, nodes) == b"v" * 40
    root, nodes = under(node)
    with pytest.raises((NotProven, Invalid)):
        prove_index(root, 1, nodes)


def test_a_value_that_would_fit_into_its_parent_is_refused() -> None:
    with pytest.raises(Invalid):
        IndexTrie([b"v" * 31])


@given(st.binary(max_size=300), st.integers(0, 300))
def test_nonsense_is_refused_and_nothing_else(node: bytes, index: int) -> None:
    with pytest.raises((NotProven, Invalid)):
        prove_index(keccak(node), index, [node])
