"""RLP: what is written is read again, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain import rlp
from sdt.domain.errors import Invalid

ITEMS = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=5), max_leaves=20)


@given(ITEMS)
def test_what_is_written_is_read_again(item):
    assert rlp.decode(rlp.encode(item)) == item


@given(st.binary(max_size=80))
def test_what_is_read_has_one_encoding(data):
    try:
        item = rlp.decode(data)
    except Invalid:
        return
    assert rlp.encode(item) == data


@pytest.mark.parametrize(
    ("item", "encoded"),
    [
        (b"dog", "83646f67"),
        ([b"cat", b"dog"], "c88363617483646f67"),
        (b"", "80"),
        ([], "c0"),
        (0, "80"),
        (15, "0f"),
        (1024, "820400"),
        ([[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0"),
        (b"a" * 56, "b838" + "61" * 56),
    ],
)
def test_the_published_examples(item, encoded):
    # Source: ethereum.org, "Recursive-length prefix serialization", examples
    assert rlp.encode(item).hex() == encoded


@pytest.mark.parametrize(
    "data",
    [
        "",
        "8100",
        "b800",
        "b80161",
        "b90038" + "61" * 56,
        "f800",
        "c2",
        "83646f",
        "0000",
        "c0" * 2,
        "bfffffffffffffffff",
    ],
)
def test_what_is_not_the_one_form_is_refused(data):
    with pytest.raises(Invalid):
        rlp.decode(bytes.fromhex(data))


def test_deep_nesting_is_refused():
    item: list = []
    for _ in range(40):
        item = [item]
    with pytest.raises(Invalid):
        rlp.decode(rlp.encode(item))
