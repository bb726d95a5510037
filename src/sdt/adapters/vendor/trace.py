"""What was said to a vendor and answered, written down without anybody's data: a ring of small private files.

Every value is replaced by its kind unless the vendor's folder lists its path and it is no sentence, and every member's
name unless a schema of the folder has it: what nobody thought of stays hidden. Of a refusal only the code is written.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from sdt.adapters.vendor.answers import AnswerUnreadable, read_json

__all__ = ["Trace", "read_trace", "redacted"]

FILE: Final = "trace.jsonl"
ENTRY_BYTES_MAX: Final = 32_768
ANSWER_BYTES_MAX: Final = 65_536
"""Of a larger answer only the size is written down."""
_ITEMS_MAX: Final = 50
_TOKEN = re.compile(r"[A-Za-z0-9._:+/-]{0,100}", re.ASCII)
"""An id, an amount, a date, a code: nothing that has words in it."""


class Trace:
    """The trace of one vendor in `folder`; any number of processes may write to it."""

    def __init__(
        self, folder: Path | None, keep: Iterable[str], names: Iterable[str], file_bytes_max: int, files_max: int
    ) -> None:
        self._folder = folder
        self._keep = frozenset(keep)
        self._names = frozenset(names)
        self._bytes_max = file_bytes_max
        self._files_max = files_max

    def write(self, entry: dict[str, Any], *, request: Any, answer: bytes, refused: bool = False) -> None:
        """Append one call. A disk that cannot be written to must not stop a payment: nothing is written then."""
        if self._folder is None:
            return
        shown = {
            "answer_bytes": len(answer),
            "request": redacted(request, self._keep, self._names),
            "answer": redacted(_shape_of(answer), frozenset() if refused else self._keep, self._names),
        }
        entry = {**entry, **shown}
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        if len(line) > ENTRY_BYTES_MAX:
            short = {**entry, "request": "too large to show", "answer": "too large to show"}
            line = json.dumps(short, separators=(",", ":")).encode() + b"\n"
        try:
            self._append(self._folder, line)
        except OSError:
            return

    def _append(self, folder: Path, line: bytes) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            file = folder / FILE
            if file.exists() and file.stat().st_size + len(line) > self._bytes_max:
                self._rotate(folder)
            opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(opened, line)
            finally:
                os.close(opened)
        finally:
            os.close(lock)

    def _rotate(self, folder: Path) -> None:
        for number in range(self._files_max - 1, 0, -1):
            older = folder / (FILE if number == 1 else f"{FILE}.{number - 1}")
            if older.exists():
                os.replace(older, folder / f"{FILE}.{number}")
        (folder / FILE).unlink(missing_ok=True)


def _shape_of(answer: bytes) -> Any:
    if not answer or len(answer) > ANSWER_BYTES_MAX:
        return None
    try:
        return read_json(answer)
    except AnswerUnreadable:
        return None


def read_trace(folder: Path, last: int) -> list[dict[str, Any]]:
    """Return the newest entries of a trace, the oldest of them first."""
    numbered = sorted(
        folder.glob(f"{FILE}*"), key=lambda file: int(file.suffix[1:]) if file.suffix[1:].isdecimal() else 0
    )
    entries: list[dict[str, Any]] = []
    for file in numbered:
        entries = [json.loads(line) for line in file.read_bytes().splitlines()] + entries
        if len(entries) >= last:
            break
    return entries[-last:]


def redacted(value: Any, keep: frozenset[str], names: frozenset[str], path: str = "") -> Any:
    """Return the shape of a message, with the values whose path is in `keep`; of a long list its first items."""
    if isinstance(value, dict):
        return {
            (name if name in names else "‹name›"): redacted(below, keep, names, f"{path}.{name}" if path else str(name))
            for name, below in value.items()
        }
    if isinstance(value, list | tuple):
        shown = [redacted(one, keep, names, f"{path}[]") for one in value[:_ITEMS_MAX]]
        return [*shown, f"and {len(value) - _ITEMS_MAX} more"] if len(value) > _ITEMS_MAX else shown
    if value is None or (path in keep and (not isinstance(value, str) or _TOKEN.fullmatch(value))):
        return value
    return "‹text›" if isinstance(value, str) else "‹truth›" if isinstance(value, bool) else "‹number›"
