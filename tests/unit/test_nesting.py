"""Texts nested without end are refused and take no process down, whatever recursion limit a library asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import pytest

from sdt.domain.errors import Invalid
from sdt.domain.strict_json import NESTING_MAX, nests_too_deep, parse_object

FRAMES_MAX = 3 * NESTING_MAX + 20
"""What reading takes of a stack of a thousand: three frames a level, and its own."""
_DEEP = 'b"[" * 200_000'


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "reading",
    [
        "from sdt.adapters.vendor.answers import read_json as read, AnswerUnreadable as refused",
        "from sdt.adapters.vendor.schemas import Schema as read, SchemaInvalid as refused",
        "from sdt.domain.strict_json import parse_object as read; from sdt.domain.errors import Invalid as refused",
    ],
)
def test_a_reader_counts_levels_before_it_descends(reading: str) -> None:
    code = (
        f"import sys; {reading}; sys.setrecursionlimit(1_000_000)\ntry: read({_DEEP})\nexcept refused: print('refused')"
    )

    ended = _run(code)

    assert ended.stdout == "refused\n", ended


def test_the_embedded_chain_leaves_a_limit_that_the_stack_carries() -> None:
    code = (
        "import sdt.adapters.chain.embedded, json, msgspec\n"
        f"for read in (json.loads, msgspec.json.decode):\n    try: read({_DEEP})\n"
        "    except RecursionError: print('refused')"
    )

    ended = _run(code)

    assert ended.stdout == "refused\n" * 2, ended


@pytest.mark.parametrize(
    ("text", "too_deep"),
    [
        (b"[" * NESTING_MAX + b"]" * NESTING_MAX, False),
        (b"[" * (NESTING_MAX + 1) + b"]" * (NESTING_MAX + 1), True),
        (b"[" + b"[]," * 1_000 + b"[]]", False),
        (b'["' + b"[" * 1_000 + b'"]', False),
        (b'["\\"' + b"[" * 1_000 + b'"]', False),
        (b'{"a":' * (NESTING_MAX + 1), True),
    ],
)
def test_levels_are_counted_outside_of_strings(text: bytes, too_deep: bool) -> None:
    assert nests_too_deep(text) is too_deep


@contextmanager
def _frames_left(count: int) -> Iterator[None]:
    """Leave so little room on the stack."""
    limit, frame, deep = sys.getrecursionlimit(), sys._getframe(), 0
    while frame is not None:
        frame, deep = frame.f_back, deep + 1
    sys.setrecursionlimit(deep + count)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_deepest_object_that_is_read_takes_little_of_the_stack(opening: bytes, closing: bytes) -> None:
    levels = NESTING_MAX - 1
    text = b'{"b":' + opening * levels + b'"\\u00e9"' + closing * levels + b"}"
    with _frames_left(FRAMES_MAX):
        assert parse_object(text)["b"]


def test_nothing_is_read_deeper_than_was_counted() -> None:
    # Given texts that open a string, or leave one, in every way before they go deep
    marks = (b'"', b"\\", b"[", b"]", b'{"a":', b"}", b",", b'""', b"\x00")
    for before, deep in product(product(marks, repeat=4), (b"[" * 200, b'{"a":' * 200, b'[{"a":' * 100)):
        text = b'{"a":' + b"".join(before) + deep
        # Then each is refused before it fills the stack
        with pytest.raises(Invalid), _frames_left(FRAMES_MAX):
            parse_object(text)
