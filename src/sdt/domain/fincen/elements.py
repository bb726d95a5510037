"""Elements in the order in which FinCEN's layout has them, and the values it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from anyascii import anyascii

__all__ = ["YES", "Element", "day", "document", "dollars", "group", "prior_number", "text", "value"]

NAMESPACE: Final = "www.fincen.gov/base"
YES: Final = "Y"


@dataclass(frozen=True, slots=True)
class Element:
    """One element: either of text, or of others. Those of others are numbered in the order of the document."""

    name: str
    content: str | tuple[Element, ...]

    def __repr__(self) -> str:
        return f"Element({self.name})"


def text(name: str, content: str | None, most: int = 150) -> Iterator[Element]:
    """Yield an element of text, or none for nothing: the layout takes no empty value where it asks for one."""
    cleaned = value(content or "", most)
    if cleaned:
        yield Element(name, cleaned)


def group(name: str, *parts: Iterable[Element]) -> Iterator[Element]:
    """Yield an element of others, in their order."""
    yield Element(name, tuple(element for part in parts for element in part))


def prior_number(known: str) -> Element:
    """Return the BSA Identifier of the report before this one; 14 zeros stand for one that is not known.

    Source: the guides to both forms, EFilingPriorDocumentNumber.
    """
    return Element("EFilingPriorDocumentNumber", known if len(known) == 14 and known.isdigit() else "0" * 14)


def value(content: str, most: int) -> str:
    """Return a value as the system takes it: printable ASCII, single spaces, none at the ends, not too long."""
    plain = " ".join(anyascii(content).split())
    return "".join(letter for letter in plain if " " <= letter <= "~")[:most].strip()


def day(on: date) -> str:
    """Write a day: 20261126."""
    return on.strftime("%Y%m%d")


def dollars(cents: int) -> str:
    """Write an amount in whole dollars, rounded up as the forms demand."""
    assert cents >= 0
    return str(-(-cents // 100))


def document(form: str, schema: str, total: int, parties: int, activity: Element) -> bytes:
    """Return the file of one report. The same report is always the same bytes."""
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<fc2:EFilingBatchXML xmlns:fc2="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{NAMESPACE} https://www.fincen.gov/base/{schema}" '
        f'TotalAmount="{total}" PartyCount="{parties}" ActivityCount="1">\n'
        f"  <fc2:FormTypeCode>{form}</fc2:FormTypeCode>\n"
    )
    lines = list(_lines(activity, "  ", _Numbers()))
    return (head + "\n".join(lines) + "\n</fc2:EFilingBatchXML>\n").encode("ascii")


class _Numbers:
    """1, 2, 3: the SeqNum of each element of others."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        self._last += 1
        return self._last


def _lines(element: Element, indent: str, numbers: _Numbers) -> Iterator[str]:
    if isinstance(element.content, str):
        yield f"{indent}<fc2:{element.name}>{_escaped(element.content)}</fc2:{element.name}>"
        return
    yield f'{indent}<fc2:{element.name} SeqNum="{numbers.next()}">'
    for part in element.content:
        yield from _lines(part, indent + "  ", numbers)
    yield f"{indent}</fc2:{element.name}>"


def _escaped(content: str) -> str:
    return content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
