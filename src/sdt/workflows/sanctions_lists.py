"""Lists on disk: read from a folder, checked, and kept under their digest in the platform's home.

A list is loaded by the operator and put in force by an officer's act; whoever reads it later checks the digest again.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NamedTuple

from sdt.adapters.ach.marks import sync
from sdt.domain.errors import Conflict, NotFound, Unavailable
from sdt.domain.sanctions.lists import BadList, Diff, Edition, check_whole, diff, merge, read_csv, read_xml
from sdt.store import Store, sanctions
from sdt.store.sanctions import ListRow

__all__ = ["INVENTED_DATE", "Loaded", "first_list", "folder_of", "load", "open_edition", "read_folder"]

_CSV: Final = (("sdn.csv", "alt.csv", "add.csv"), ("cons_prim.csv", "cons_alt.csv", "cons_add.csv"))
_XML: Final = ("sdn.xml", "consolidated.xml")
FILE_BYTES_MAX: Final = 128 * 1024 * 1024
INVENTED_DATE: Final = date(2026, 1, 5)
"""The day of the sandbox's list, on which nobody is who exists."""


class Loaded(NamedTuple):
    """What loading a list found: the row, whether it was new here, and what it changes against the one in force."""

    row: ListRow
    new: bool
    change: Diff | None


def read_folder(folder: Path, list_date: date | None = None, *, kept: bool = False) -> Edition:
    """Return the list in a folder: OFAC's XML or CSV files, the consolidated list beside the SDN list if it is there.

    CSV files carry no date: it is `list_date`, or the day on which the file was written. Files that are `kept` under
    their digest were judged when they were loaded, and are not judged again for being whole.
    Errors: NotFound where there is no list; BadList.
    """
    found = [_read(folder, names, xml, list_date, kept) for names, xml in zip(_CSV, _XML, strict=True)]
    sdn, consolidated = found
    if sdn is None:
        raise NotFound(f"{folder} has neither {_XML[0]} nor {', '.join(_CSV[0])}.", code="sanctions_list_missing")
    return merge(sdn, consolidated) if consolidated is not None else sdn


def _read(folder: Path, names: tuple[str, ...], xml: str, list_date: date | None, kept: bool) -> Edition | None:
    if (folder / xml).is_file():
        return read_xml(_bytes(folder / xml))
    files = [folder / name for name in names]
    there = [file for file in files if file.is_file()]
    if not there:
        return None
    if len(there) < len(files):
        missing = ", ".join(file.name for file in files if file not in there)
        raise BadList(f"The list lacks {missing}: names without aliases and addresses are half a list.")
    day = list_date or datetime.fromtimestamp(files[0].stat().st_mtime, UTC).date()
    sdn, alt, add = (_bytes(file) for file in files)
    if not kept:
        check_whole(dict(zip(names, (sdn, alt, add), strict=True)))
    return read_csv(sdn, alt, add, day)


def _bytes(file: Path) -> bytes:
    if file.stat().st_size > FILE_BYTES_MAX:
        raise BadList(f"{file.name} is larger than {FILE_BYTES_MAX} bytes.")
    return file.read_bytes()


def folder_of(home: Path, digest: str) -> Path:
    """Return where the files of a list are kept."""
    return home / "sanctions" / digest


def load(store: Store, home: Path, folder: Path, *, list_date: date | None, by: str, now_ms: int) -> Loaded:
    """Check a list, keep its files under its digest, and note it; it is not in force by that.

    Errors: as `read_folder`; Unavailable when the one in force cannot be read to be compared.
    """
    edition = read_folder(folder, list_date)
    digest = edition.digest.hex()
    _keep(folder, folder_of(home, digest))
    before = sanctions.in_force(store)
    change = diff(open_edition(home, before), edition) if before is not None else None
    row = ListRow(
        digest=digest,
        list_date=edition.list_date.isoformat(),
        entries=len(edition.entries),
        names=sum(len(entry.names) for entry in edition.entries.values()),
        added=len(change.added) if change else len(edition.entries),
        removed=len(change.removed) if change else 0,
        changed=len(change.changed) if change else 0,
        loaded_at_ms=now_ms,
        loaded_by=by,
        addresses=sum(len(entry.addresses) for entry in edition.entries.values()),
    )
    new = sanctions.add_list(store, row)
    known = sanctions.edition(store, digest)
    assert known is not None
    if known.list_date != row.list_date:
        raise Conflict(f"This very list was loaded before as of {known.list_date}.", code="list_date")
    return Loaded(known, new, change)


def _keep(folder: Path, kept: Path) -> None:
    """Copy the list's files to their place, whole or not at all."""
    if kept.is_dir():
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".loading-") as temporary:
        copied = Path(temporary) / "list"
        copied.mkdir()
        for name in (*_XML, *(name for names in _CSV for name in names)):
            if (folder / name).is_file():
                shutil.copy2(folder / name, copied / name)
                sync(copied / name)
        sync(copied)
        try:
            copied.rename(kept)
        except OSError:
            if not kept.is_dir():
                raise
    sync(kept.parent)


def open_edition(home: Path, row: ListRow) -> Edition:
    """Return a list that was loaded, if its files are still what they were. Errors: Unavailable."""
    folder = folder_of(home, row.digest)
    try:
        edition = read_folder(folder, date.fromisoformat(row.list_date), kept=True)
    except (NotFound, BadList, OSError):
        raise Unavailable("The files of the sanctions list in force cannot be read.", code="sanctions_list") from None
    if edition.digest.hex() != row.digest:
        raise Unavailable("The files of the sanctions list in force were changed.", code="sanctions_list")
    return edition


def first_list(store: Store, home: Path, folder: Path, now_ms: int, *, list_date: date | None = INVENTED_DATE) -> bool:
    """Put a first list in force where there is none: by the operator, at opening. Returns whether it did.

    `list_date` as `load` takes it. Errors: those of `load`.
    """
    if sanctions.in_force(store) is not None:
        return False
    loaded = load(store, home, folder, list_date=list_date, by="operator", now_ms=now_ms)
    sanctions.put_in_force(store, loaded.row.digest, "operator", now_ms)
    return True
