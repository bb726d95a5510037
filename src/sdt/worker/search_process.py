"""The search of the sanctions list as a process of its own: `python -m sdt.worker.search_process HOME DIGEST DATE`.

It holds the list in memory and answers one question a line on standard input, so that no search ever takes the time
of the loop that settles payments. Names come and go through the pipe and are written nowhere. It ends with its parent.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from sdt.domain.errors import SdtError
from sdt.domain.sanctions.index import Index
from sdt.domain.sanctions.search import search
from sdt.domain.sanctions.subjects import Found, Subject
from sdt.store.sanctions import ListRow
from sdt.workflows.sanctions_lists import open_edition

__all__ = ["Answer", "Question", "Ready", "main"]

NICE: Final = 5
"""Payments first: whoever is searched for can wait some milliseconds longer than whoever pays."""


class Question(Struct, frozen=True):
    """Parties to look for, each as its subjects. Units: threshold 0 to 100."""

    parties: tuple[tuple[Subject, ...], ...]
    threshold: int


class Answer(Struct, frozen=True):
    """Who may be meant, party by party."""

    found: tuple[tuple[Found, ...], ...]


class Ready(Struct, frozen=True):
    """The list is in memory; or it is not, and why."""

    digest: str
    entries: int = 0
    problem: str = ""


def answer_all(index: Index, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nobody asks any more."""
    decode, encode = msgspec.json.Decoder(Question).decode, msgspec.json.Encoder().encode
    for line in questions:
        question = decode(line)
        found = tuple(search(index, subjects, question.threshold) for subjects in question.parties)
        answers.write(encode(Answer(found)) + b"\n")
        answers.flush()


def main() -> None:
    """Read the list and answer."""
    home, digest, list_date = sys.argv[1:]
    os.nice(NICE)
    row = ListRow(digest, list_date, 0, 0, 0, 0, 0, 0, "")
    out = sys.stdout.buffer
    try:
        index = Index(open_edition(Path(home), row))
    except SdtError as error:
        out.write(msgspec.json.encode(Ready(digest, problem=error.detail)) + b"\n")
        return
    out.write(msgspec.json.encode(Ready(digest, len(index.edition.entries))) + b"\n")
    out.flush()
    answer_all(index, sys.stdin.buffer, out)


if __name__ == "__main__":
    main()
