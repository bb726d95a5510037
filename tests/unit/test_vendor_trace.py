"""What is written down about a call: its shape, and of its values only those that are listed."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sdt.adapters.vendor.trace import FILE, Trace, read_trace, redacted

ENTRY = {"operation": "apply", "key": "k"}


def trace(folder: Path, size: int = 10_000, files: int = 3) -> Trace:
    return Trace(folder, ["id", "lines[].no"], ["id", "name", "lines", "no", "text"], size, files)


def entries(folder: Path) -> list[dict[str, Any]]:
    return read_trace(folder, 10_000)


def test_only_listed_values_and_known_names_are_shown(tmp_path: Path) -> None:
    message = {"id": "a-1", "name": "Ada", "lines": [{"no": 1, "text": "Ada"}], "Ada Samplename": True, "n": None}
    trace(tmp_path).write(ENTRY, request=message, answer=json.dumps(message).encode())

    (found,) = entries(tmp_path)
    shown = {
        "id": "a-1",
        "name": "‹text›",
        "lines": [{"no": 1, "text": "‹text›"}],
        "‹name›": None,
    }
    assert found["request"] == found["answer"] == shown
    assert "Ada" not in (tmp_path / FILE).read_text()


def test_a_listed_value_that_is_a_sentence_is_hidden_and_a_refusal_shows_no_value(tmp_path: Path) -> None:
    trace(tmp_path).write(ENTRY, request={"id": "Ada Samplename"}, answer=b'{"id":"a-1"}')
    trace(tmp_path).write(ENTRY, request={"id": "a-1"}, answer=b'{"id":"Ada"}', refused=True)

    first, second = entries(tmp_path)
    assert (first["request"], first["answer"]) == ({"id": "‹text›"}, {"id": "a-1"})
    assert (second["request"], second["answer"]) == ({"id": "a-1"}, {"id": "‹text›"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_nothing_unlisted_ever_shows(value: Any) -> None:
    def leaves(one: Any) -> set[object]:
        if isinstance(one, dict):
            return {leaf for name, below in one.items() for leaf in (name, *leaves(below))}
        if isinstance(one, list):
            return {leaf for below in one for leaf in leaves(below)}
        return {one}

    assert leaves(redacted(value, frozenset(), frozenset())) <= {None, "‹text›", "‹number›", "‹truth›", "‹name›"}


def test_files_and_folder_are_private_and_the_oldest_goes(tmp_path: Path) -> None:
    folder = tmp_path / "vendors" / "acme"
    writing = trace(folder, size=10_000, files=3)
    for number in range(400):
        writing.write({**ENTRY, "key": f"{number:04d}"}, request={"id": "x" * 50}, answer=b"{}")

    files = sorted(file.name for file in folder.glob(f"{FILE}*"))
    assert files == [FILE, f"{FILE}.1", f"{FILE}.2"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.glob(f"{FILE}*")} == {0o600}
    assert all(file.stat().st_size <= 10_000 for file in folder.glob(f"{FILE}*"))
    keys = [one["key"] for one in entries(folder)]
    assert keys == [f"{number:04d}" for number in range(400 - len(keys), 400)]
    assert [one["key"] for one in read_trace(folder, 2)] == ["0398", "0399"]


def test_a_huge_message_and_an_unreadable_answer_are_told_by_their_size(tmp_path: Path) -> None:
    writing = trace(tmp_path, size=1_000_000)
    writing.write(ENTRY, request={"lines": [{"no": n} for n in range(100)]}, answer=b"<Ada>" * 20_000)
    writing.write(ENTRY, request={"lines": [[[1] * 60] * 60] * 60}, answer=b"no json of Ada")

    first, second = entries(tmp_path)
    assert (first["answer"], first["answer_bytes"], first["request"]["lines"][-1]) == (None, 100_000, "and 50 more")
    assert (second["request"], second["answer_bytes"]) == ("too large to show", 14)


def test_a_disk_that_cannot_be_written_to_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    trace(tmp_path / "file" / "below").write(ENTRY, request={}, answer=b"{}")


def _write(folder: Path) -> None:
    for _ in range(100):
        trace(folder, files=100).write(ENTRY, request={"id": "x" * 100}, answer=b"{}")


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [multiprocessing.get_context("fork").Process(target=_write, args=(tmp_path,)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(entries(tmp_path)) == 300
