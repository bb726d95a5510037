"""Claims as they are typed at the command line."""

from __future__ import annotations

from typing import Any

import pytest

from sdt.cli.office import _claim
from sdt.domain.errors import Invalid


@pytest.mark.parametrize(
    ("typed", "name", "value"),
    [
        ("case=3f0c", "case", "3f0c"),
        ("reason=Born in 1988, not in 1961.", "reason", "Born in 1988, not in 1961."),
        ("reason=a=b", "reason", "a=b"),
        ("reason=so:=it", "reason", "so:=it"),
        ("empty=", "empty", ""),
        ("entries:=[1, 2]", "entries", [1, 2]),
        ("score:=92", "score", 92),
    ],
)
def test_a_claim_is_text_or_json(typed: str, name: str, value: Any) -> None:
    assert _claim(typed) == (name, value)


@pytest.mark.parametrize("typed", ["case", "score:=", "score:=nine", ""])
def test_what_is_neither_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        _claim(typed)
