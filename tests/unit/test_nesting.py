"""Texts nested without end are refused and take no process down, whatever recursion limit a library asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sdt.domain.strict_json import NESTING_MAX, nests_too_deep

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
