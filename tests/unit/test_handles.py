"""Handles: one spelling, no two that look alike, and names of office only with leave. Properties and cases."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.errors import Unprocessable
from sdt.domain.handle import PARTS, WHOLE_LABELS, is_handle, is_reserved, normalised, skeleton

LABEL = st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True)
HANDLES = st.lists(LABEL, min_size=1, max_size=3).map(".".join).filter(is_handle)
LOOKALIKES = {
    "a": "аɑａ", "b": "Ьｂ", "c": "сϲｃ", "e": "еｅ", "i": "іıｉ1l", "l": "ⅼｌ1i", "o": "оοｏ0", "p": "рρ", "s": "ѕｓ",
    "x": "хｘ", "y": "уｙ", "0": "oо", "1": "li", "m": ("rn",), "w": ("vv",),
}  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bob.tx", "b0b.tx"),
        ("bob.tx", "bοb.tx"),  # a Greek omicron
        ("bob.tx", "bоb.tx"),  # a Cyrillic o
        ("bob.tx", "BOB-TX"),
        ("bob.tx", "ｂｏｂ.tx"),
        ("bob.tx", "bób.tx"),
        ("bill.tx", "b1ll.tx"),
        ("bill.tx", "bi1l.tx"),
        ("mary.tx", "rnary.tx"),
        ("will.tx", "vvill.tx"),
        ("dvw.tx", "dvvv.tx"),
        ("dvw.tx", "dwv.tx"),
        ("vwvw.tx", "wwvv.tx"),
        ("sue_ann.tx", "sue-ann.tx"),
        ("paypal.tx", "рауpal.tx"),
    ],
)
def test_what_looks_alike_is_one(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"), [("bob.tx", "bod.tx"), ("ann.tx", "anna.tx"), ("ann1.tx", "ann2.tx"), ("tim.tx", "tom.tx")]
)
def test_what_looks_different_is_two(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@given(HANDLES | HANDLES.map(lambda handle: handle.translate(str.maketrans("bdgt", "vwmr"))), st.data())
def test_any_letter_may_be_swapped_for_one_like_it(handle: str, data: st.DataObject) -> None:
    disguised = "".join(data.draw(st.sampled_from([c, *LOOKALIKES.get(c, ())])) for c in handle)
    assert skeleton(disguised) == skeleton(handle)
    assert is_reserved(disguised) == is_reserved(handle)


@given(st.text(max_size=40))
def test_a_skeleton_is_its_own_skeleton_whatever_the_text(text: str) -> None:
    assert skeleton(skeleton(text)) == skeleton(text)


@given(HANDLES)
def test_a_handle_is_its_own_spelling_and_case_and_width_do_not_matter(handle: str) -> None:
    assert normalised(handle) == handle
    assert normalised(handle.upper()) == handle
    wide = "".join(chr(ord(c) + 0xFEE0) if c in string.ascii_lowercase else c for c in handle)
    assert normalised(wide) == handle


@given(st.text(max_size=40))
def test_what_is_normalised_stays_so_or_is_refused(text: str) -> None:
    with contextlib.suppress(Unprocessable):
        once = normalised(text)
        assert normalised(once) == once


@given(HANDLES, HANDLES)
def test_two_plain_handles_share_a_skeleton_only_by_letters_that_pass_for_each_other(one: str, other: str) -> None:
    plain = str.maketrans(dict.fromkeys("0o1ilrnmvw._-", ""))
    if skeleton(one) == skeleton(other):
        assert one.translate(plain) == other.translate(plain)


@pytest.mark.parametrize("text", ["", " ", "bob tx", "bob\x00", "ﬁsh.tx", "bob\u202e.tx", "\U0001f600"])
def test_what_no_handle_is_written_like_is_refused(text: str) -> None:
    with pytest.raises(Unprocessable):
        normalised(text)


@pytest.mark.parametrize("handle", ["bob.tx", "jim.bank.of-america.x", "a" * 33, "ab", "bob..tx", "Bob.tx", "1bob"])
def test_a_handle_has_one_form(handle: str) -> None:
    assert is_handle(handle) == (handle in ("bob.tx", "jim.bank.of-america.x"))


@given(st.sampled_from(WHOLE_LABELS + PARTS), st.sampled_from(["{}", "{}.tx", "my-{}.tx", "{}_desk.tx", "a.{}.b"]))
def test_names_of_office_take_leave_however_they_are_dressed(name: str, form: str) -> None:
    assert is_reserved(form.format(name))
    assert is_reserved(form.format(name).replace("o", "0").replace("i", "1").upper())


@pytest.mark.parametrize(
    "handle", ["alice.tx", "goldie.tx", "taxi.tx", "banker-joe.tx", "texan.tx", "mary.tx", "x.gov"]
)
def test_ordinary_names_take_none(handle: str) -> None:
    assert not is_reserved(handle)


@pytest.mark.parametrize(
    "handle",
    [
        "thetreasury", "texas-treasury.tx", "treasury1.tx", "off1cial-bob.tx",
        "gover-nment.tx", "gover_norr.tx", "governornancy.tx", "governor.nancy.tx", "treasurernick.tx",
    ],
)  # fmt: skip
def test_some_words_are_an_offices_wherever_they_stand(handle: str) -> None:
    assert is_reserved(handle)
