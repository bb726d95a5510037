"""The batch's Merkle tree against published roots and against the RFC's own recursive definition."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.merkle import merkle_proof, merkle_root, verify_proof

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
# Source: the reference tree of the Certificate Transparency project (merkletree tests), for RFC 6962 and 9162.
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

some_leaves = st.lists(st.binary(max_size=60), min_size=1, max_size=40)


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 9162 section 2.1.1 writes it: split at the largest power of two below the count."""
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\1" + defined_root(leaves[:split]) + defined_root(leaves[split:])).digest()


@pytest.mark.parametrize("count", range(len(ROOTS)))
def test_the_root_is_the_published_one(count: int) -> None:
    assert merkle_root(LEAVES[:count]).hex() == ROOTS[count]


@given(some_leaves)
def test_the_root_is_the_rfc_s_by_definition(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == defined_root(leaves)


@given(some_leaves, st.data())
def test_every_leaf_is_proved_and_nothing_else_is(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, path, count = merkle_root(leaves), merkle_proof(leaves, index), len(leaves)

    assert verify_proof(root, leaves[index], index, count, path)
    assert not verify_proof(root, leaves[index] + b"!", index, count, path)
    assert not verify_proof(sha256(root).digest(), leaves[index], index, count, path)
    assert not verify_proof(root, leaves[index], index, count, [*path, root])
    assert not verify_proof(root, leaves[index], count, count, path)
    assert not verify_proof(root, leaves[index], -1, count, path)
    for other in range(count):
        proves = verify_proof(root, leaves[index], other, count, path)
        assert not proves or (other == index or leaves[other] == leaves[index])
    if path:
        assert not verify_proof(root, leaves[index], index, count, path[:-1])
        assert not verify_proof(root, leaves[index], index, count, [path[0][:31], *path[1:]])
        assert not verify_proof(root, leaves[index], index, count, [sha256(path[0]).digest(), *path[1:]])


def test_a_node_cannot_pass_for_a_leaf() -> None:
    inner = b"".join(sha256(b"\0" + leaf).digest() for leaf in LEAVES[:2])

    assert merkle_root([inner]) != merkle_root(LEAVES[:2])
