"""The one spelling of CBOR: what the reader takes, an independent library reads the same; all else is refused."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.domain.cbor import read_cbor, write_cbor
from sdt.domain.errors import Invalid

numbers = st.integers(-(2**64), 2**64 - 1)
simple = st.none() | st.booleans() | numbers | st.binary(max_size=300) | st.text(max_size=40)
values = st.recursive(
    simple,
    lambda v: st.lists(v, max_size=5) | st.dictionaries(st.text(max_size=5) | numbers, v, max_size=5),
    max_leaves=12,
)


@given(values)
@settings(max_examples=100)
def test_what_is_written_reads_the_same_here_and_elsewhere(value):
    written = write_cbor(value)
    assert written == cbor2.dumps(value)
    assert read_cbor(written) == value == cbor2.loads(written)


@given(st.binary(max_size=40))
@settings(max_examples=300)
def test_whatever_is_read_has_no_other_spelling(data):
    try:
        value = read_cbor(data)
    except Invalid:
        return
    assert write_cbor(value) == data


@pytest.mark.parametrize(
    ("spelling", "what"),
    [
        ("1817", "a number longer than it need be"),
        ("190017", "the same in two bytes"),
        ("1a0000ffff", "the same in four"),
        ("1b00000000ffffffff", "the same in eight"),
        ("580161", "a length longer than it need be"),
        ("5f4161ff", "bytes of indefinite length"),
        ("9f01ff", "an array of indefinite length"),
        ("bf616101ff", "a map of indefinite length"),
        ("a2616101616102", "a key twice"),
        ("a1f401", "a key that is no text or number"),
        ("a14101f6", "a key of bytes"),
        ("0100", "something behind"),
        ("", "nothing"),
        ("42ff", "an early end"),
        ("9b7fffffffffffffff", "a count of what did not come"),
        ("61ff", "text that is not UTF-8"),
        ("c074", "a tag"),
        ("f97e00", "a float"),
        ("f7", "undefined"),
        ("f814", "false in two bytes"),
        ("81" * 9 + "80", "nesting"),
        ("81" * 100_000, "much nesting"),
    ],
)
def test_another_spelling_is_refused(spelling, what):
    with pytest.raises(Invalid):
        read_cbor(bytes.fromhex(spelling))
