"""A whole file: its records in their order, read and written byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from sdt.domain.nacha.addenda import read_addenda
from sdt.domain.nacha.layout import RECORD_LENGTH, BadRecord, Record
from sdt.domain.nacha.records import (
    AdvBatchControl,
    AdvEntryDetail,
    AdvFileControl,
    BatchControl,
    BatchHeader,
    EntryDetail,
    FileControl,
    FileHeader,
    IatBatchHeader,
    IatEntryDetail,
)

__all__ = ["BLOCK_LINES", "FILE_BYTES_MAX", "Batch", "Entry", "NachaFile", "read_file"]

BLOCK_LINES: Final = 10
FILE_BYTES_MAX: Final = 256 * 1024 * 1024
_FILL: Final = "9" * RECORD_LENGTH
_R = TypeVar("_R", bound=Record)


@dataclass(frozen=True, slots=True)
class Entry:
    """A payment with its addenda."""

    detail: EntryDetail | IatEntryDetail | AdvEntryDetail
    addenda: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries between their header and their totals."""

    header: BatchHeader | IatBatchHeader
    entries: tuple[Entry, ...]
    control: BatchControl | AdvBatchControl


@dataclass(frozen=True, slots=True)
class NachaFile:
    """A file as it stands. `short_lines` had lost blanks at their end, which writing restores.

    `newline` is empty where records follow each other unseparated; `fill_lines` make the last block whole.
    """

    header: FileHeader
    batches: tuple[Batch, ...]
    control: FileControl | AdvFileControl
    fill_lines: int
    newline: str = "\n"
    ends_with_newline: bool = True
    short_lines: tuple[int, ...] = field(default=(), compare=False)

    def records(self) -> Iterator[Record]:
        """Yield the records in order, without the fill."""
        yield self.header
        for batch in self.batches:
            yield batch.header
            for entry in batch.entries:
                yield entry.detail
                yield from entry.addenda
            yield batch.control
        yield self.control

    def data(self) -> bytes:
        """Return the file's bytes. Errors: BadRecord for a value that does not fit its field."""
        lines = [record.line() for record in self.records()] + [_FILL] * self.fill_lines
        return (self.newline.join(lines) + self.newline * self.ends_with_newline).encode("ascii")


def read_file(data: bytes) -> NachaFile:
    """Return the file in `data`; its totals are not judged here but by `controls.faults_of`.

    Errors: BadRecord, naming line and column.
    """
    if len(data) > FILE_BYTES_MAX:
        raise BadRecord(f"The file is larger than {FILE_BYTES_MAX} bytes.")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadRecord(f"Byte {error.start + 1} of the file is not ASCII.") from None
    newline, ends, lines = _split(text)
    lines, short = _padded(lines)
    return _Reader(lines).file(newline, ends, short)


def _split(text: str) -> tuple[str, bool, list[str]]:
    newline = "\r\n" if "\r\n" in text else "\n" if "\n" in text else ""
    if not newline:
        return "", False, [text[at : at + RECORD_LENGTH] for at in range(0, len(text), RECORD_LENGTH)]
    ends = text.endswith(newline)
    return newline, ends, (text[: -len(newline)] if ends else text).split(newline)


def _padded(lines: list[str]) -> tuple[list[str], tuple[int, ...]]:
    """Give back what editors cut off: blanks at the end of a record, nines at the end of the fill."""
    short = tuple(number for number, line in enumerate(lines, 1) if 0 < len(line) < RECORD_LENGTH)
    for number in short:
        line = lines[number - 1]
        fill = number > 2 and set(line) == {"9"}
        lines[number - 1] = _FILL if fill else line.ljust(RECORD_LENGTH)
    return lines, short


class _Reader:
    """Takes the lines one after the other; each record says which may follow it."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0

    def file(self, newline: str, ends: bool, short: tuple[int, ...]) -> NachaFile:
        header = self._read(FileHeader)
        batches = []
        while self._next() == "5":
            batches.append(self._batch())
        advice = any(isinstance(batch.control, AdvBatchControl) for batch in batches)
        control = self._read(AdvFileControl) if advice else self._read(FileControl)
        fill = self._lines[self._at :]
        for line in fill:
            if line != _FILL:
                raise BadRecord("Behind the file's control stands something else than fill.", line=self._at + 1)
            self._at += 1
        return NachaFile(header, tuple(batches), control, len(fill), newline, ends, short)

    def _batch(self) -> Batch:
        sec_code = self._lines[self._at][50:53]
        header = self._read(IatBatchHeader) if sec_code == "IAT" else self._read(BatchHeader)
        detail: type[EntryDetail | IatEntryDetail | AdvEntryDetail] = {
            "IAT": IatEntryDetail,
            "ADV": AdvEntryDetail,
        }.get(sec_code, EntryDetail)
        entries = []
        while self._next() == "6":
            one = self._read(detail)
            addenda = []
            while self._next() == "7":
                addenda.append(self._addenda())
            entries.append(Entry(one, tuple(addenda)))
        control = self._read(AdvBatchControl) if sec_code == "ADV" else self._read(BatchControl)
        return Batch(header, tuple(entries), control)

    def _next(self) -> str:
        return self._lines[self._at][:1] if self._at < len(self._lines) else ""

    def _take(self) -> str:
        line = self._lines[self._at]
        self._at += 1
        if len(line) != RECORD_LENGTH:
            raise BadRecord(f"Line {self._at} has {len(line)} characters, not {RECORD_LENGTH}.", line=self._at)
        return line

    def _read(self, cls: type[_R]) -> _R:
        if self._next() != cls.PREFIX:
            found = f"begins with {self._next()!r}" if self._next() else "is missing"
            raise BadRecord(
                f"Line {self._at + 1} {found} where a {cls.__name__} ({cls.PREFIX}) is due.", line=self._at + 1
            )
        line = self._take()
        return self._placed(lambda: cls.read(line))

    def _addenda(self) -> Record:
        line = self._take()
        return self._placed(lambda: read_addenda(line))

    def _placed(self, read: Callable[[], _R]) -> _R:
        try:
            return read()
        except BadRecord as error:
            column = error.facts.get("column")
            raise BadRecord(f"Line {self._at}: {error.detail}", line=self._at, column=column) from None
