"""OFAC's list as OFAC publishes it: SDN, ALT and ADD files as CSV, or the SDN file as XML, with one digest over all.

Source: OFAC, "Specifications for the SDN legacy flat files" (CSV) and the SDN XML schema, sdnList/sdnEntry.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from sys import intern
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sdt.domain.errors import Invalid

__all__ = ["Address", "BadList", "Diff", "Edition", "Listed", "check_whole", "diff", "merge", "read_csv", "read_xml"]

LIST_BYTES_MAX: Final = 128 * 1024 * 1024
ENTRIES_MAX: Final = 1_000_000
_ABSENT: Final = "-0-"
_SDN_COLUMNS: Final = 12
_ALT_COLUMNS: Final = 5
_ADD_COLUMNS: Final = 6
_CLOSING: Final = b"\x1a\r\n "
"""The control character of an old operating system at the end of a file, and what may stand after it."""
_WEAK: Final = re.compile(r"a\.k\.a\. '(.+?)'(?=[.;)]|$)")
"""In the flat files weak aliases stand among the remarks."""


class BadList(Invalid):
    """A list is not in OFAC's form: the one in force stays in force."""

    code = "sanctions_list"


@dataclass(frozen=True, slots=True)
class Address:
    """An address of somebody listed, in OFAC's three parts."""

    street: str
    city: str
    country: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Somebody or something on the list. `kind` is individual, vessel, aircraft or entity."""

    uid: int
    name: str
    kind: str
    programs: str
    aliases: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    remarks: str = ""
    weak: tuple[str, ...] = ()
    """Aliases that OFAC itself calls weak: broad, and no reason of their own to stop anybody."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name and every alias."""
        return (self.name, *self.aliases)

    @property
    def digest(self) -> bytes:
        """SHA-256 over everything about it: what a reviewer's decision is bound to."""
        return hashlib.sha256(repr(self).encode()).digest()


@dataclass(frozen=True, slots=True)
class Edition:
    """A whole list. `digest` is SHA-256 over the files in their order."""

    list_date: date
    digest: bytes
    entries: Mapping[int, Listed]


@dataclass(frozen=True, slots=True)
class Diff:
    """What a new edition changes, by uid."""

    added: tuple[int, ...]
    removed: tuple[int, ...]
    changed: tuple[int, ...]


def diff(before: Edition, after: Edition) -> Diff:
    """Return who was added, removed and changed between two editions."""
    old, new = before.entries, after.entries
    return Diff(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(sorted(uid for uid in new.keys() & old.keys() if new[uid] != old[uid])),
    )


def read_csv(sdn: bytes, alt: bytes, add: bytes, list_date: date) -> Edition:
    """Return the edition in OFAC's three CSV files. Errors: BadList, naming file and line."""
    entries = {}
    for row in _rows("sdn", sdn, _SDN_COLUMNS):
        uid, name, kind, programs, *_, remarks = row
        weak = tuple(_WEAK.findall(remarks))
        entries[int(uid)] = Listed(
            int(uid), name, intern(kind or "entity"), intern(programs), remarks=remarks, weak=weak
        )
    if not entries:
        raise BadList("The SDN file is empty: a list without entries would clear everybody.")
    for uid, _, _, alias, _ in _rows("alt", alt, _ALT_COLUMNS):
        entries[int(uid)] = _more(entries, "alt", int(uid), aliases=(alias,))
    for uid, _, street, city, country, _ in _rows("add", add, _ADD_COLUMNS):
        if street or city or country:
            entries[int(uid)] = _more(
                entries, "add", int(uid), addresses=(Address(street, intern(city), intern(country)),)
            )
    return Edition(list_date, _digest(sdn, alt, add), entries)


def check_whole(files: Mapping[str, bytes]) -> None:
    """Refuse CSV files of one list of which one is empty, or cut off where a line ends. Errors: BadList, naming it.

    OFAC's files end with a control character. A copy may have lost it, but then in every file of the list.
    """
    for name, data in files.items():
        if not data.strip(_CLOSING):
            raise BadList(f"{name} is empty: names without aliases and addresses are half a list.")
    closed = {name for name, data in files.items() if _CLOSING[:1] in data[-len(_CLOSING) :]}
    if closed and len(closed) < len(files):
        cut = ", ".join(name for name in files if name not in closed)
        raise BadList(f"{cut} lacks the character that ends the other files of the list: it is not whole.")


def merge(first: Edition, second: Edition) -> Edition:
    """Return two lists as one: the SDN list, and OFAC's consolidated list of everybody else. Errors: BadList."""
    if first.entries.keys() & second.entries.keys():
        raise BadList("Both lists have an entry of one number: they are the same list twice.")
    whole = hashlib.sha256(first.digest + second.digest).digest()
    return Edition(max(first.list_date, second.list_date), whole, {**first.entries, **second.entries})


def _more(
    entries: Mapping[int, Listed],
    file: str,
    uid: int,
    *,
    aliases: tuple[str, ...] = (),
    addresses: tuple[Address, ...] = (),
) -> Listed:
    known = entries.get(uid)
    if known is None:
        raise BadList(f"The {file} file names {uid}, who is not in the SDN file: they are of different days.")
    return replace(known, aliases=known.aliases + aliases, addresses=known.addresses + addresses)


def _rows(file: str, data: bytes, columns: int) -> Iterator[list[str]]:
    if len(data) > LIST_BYTES_MAX:
        raise BadList(f"The {file} file is larger than {LIST_BYTES_MAX} bytes.")
    # The files end with the control character of an old operating system, and are Latin-1 where not ASCII.
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    try:
        for number, row in enumerate(csv.reader(text.rstrip("\x1a\r\n").splitlines(), strict=True), 1):
            if not row:
                continue
            cells = ["" if cell.strip() == _ABSENT else cell.strip() for cell in row]
            if len(cells) != columns or not cells[0].isdigit():
                raise BadList(f"Line {number} of the {file} file has not {columns} columns after a number.")
            yield cells
    except csv.Error as error:
        raise BadList(f"The {file} file is no CSV: {error}.") from None


def _digest(*files: bytes) -> bytes:
    whole = hashlib.sha256()
    for file in files:
        whole.update(hashlib.sha256(file).digest())
    return whole.digest()


def read_xml(data: bytes) -> Edition:
    """Return the edition in OFAC's SDN.XML. Errors: BadList."""
    if len(data) > LIST_BYTES_MAX:
        raise BadList(f"The list is larger than {LIST_BYTES_MAX} bytes.")
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise BadList("The list declares a document type, which OFAC's does not.") from None
    except ParseError as error:
        raise BadList(f"The list is no XML: {error}.") from None
    published = _text(root, "publshInformation/Publish_Date") or _text(root, "publishInformation/Publish_Date")
    try:
        month, day, year = (int(part) for part in published.split("/"))
        list_date = date(year, month, day)
    except ValueError:
        raise BadList(f"The list's date {published!r} is not MM/DD/YYYY.") from None
    entries = {entry.uid: entry for entry in map(_entry, _all(root, "sdnEntry"))}
    if not entries:
        raise BadList("The list is empty: it would clear everybody.")
    return Edition(list_date, _digest(data), entries)


def _entry(node: Element) -> Listed:
    uid = _text(node, "uid")
    if not uid.isdigit():
        raise BadList("An entry of the list has no number.")
    return Listed(
        uid=int(uid),
        name=_name(node),
        kind=(_text(node, "sdnType") or "entity").lower(),
        programs="; ".join(program.text or "" for program in _all(node, "programList/program")),
        aliases=tuple(_name(aka) for aka in _all(node, "akaList/aka") if not _is_weak(aka)),
        addresses=tuple(_address(address) for address in _all(node, "addressList/address")),
        remarks=_text(node, "remarks"),
        weak=tuple(_name(aka) for aka in _all(node, "akaList/aka") if _is_weak(aka)),
    )


def _is_weak(aka: Element) -> bool:
    return _text(aka, "category").lower() == "weak"


def _name(node: Element) -> str:
    last, first = _text(node, "lastName"), _text(node, "firstName")
    return f"{last}, {first}" if first else last


def _address(node: Element) -> Address:
    street = ", ".join(filter(None, (_text(node, f"address{n}") for n in (1, 2, 3))))
    city = " ".join(filter(None, (_text(node, name) for name in ("city", "stateOrProvince", "postalCode"))))
    return Address(street, city, _text(node, "country"))


def _all(node: Element, path: str) -> Sequence[Element]:
    """Find elements whatever namespace this year's schema has."""
    return node.findall("/".join(f"{{*}}{name}" for name in path.split("/")))


def _text(node: Element, path: str) -> str:
    found = _all(node, path)
    return (found[0].text or "").strip() if found else ""
