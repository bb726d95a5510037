"""Preparing a fresh folder in a lost location's place: new signing and sealing keys, new certificates for everybody.

The old location's certificate must open no door: a new authority certifies all four, and the old folder is set aside.
Two shares of the old epoch still give the key until they are destroyed: that is part of the ceremony.
Everything new is made in `relocation/` first and put in place by renames: killed anywhere and run again, it goes on.
The new folder is sealed under a key file, whatever the old one was sealed under: its operator seals it anew.
For one organisation that runs all three; elsewhere each makes its own files and exchanges certificates and intent.pub.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sdt.domain.errors import Conflict, Invalid, NotFound
from sdt.signing.config import load_signer_config
from sdt.signing.pki import Authority
from sdt.signing.provision import FORMER_KEY_FILE, PARTIES, make_location, write_locations
from sdt.signing.reseal import Target, write_settings
from sdt.signing.tls import COORDINATOR

FOLDER: Final = "relocation"
AUTHORITY: Final = "signing-authority"
_NAMED: Final = ("region_file", "deployment_file", "attestation")
"""Files that signer.toml names and that a location does not make itself."""


def relocation_pending(home: Path) -> bool:
    """Tell whether a relocation was begun and not ended."""
    return (home / FOLDER).exists()


def relocate(home: Path, party: int) -> Path:
    """Set a location's folder aside and put a fresh one there; return where the old one is.

    Signers must be started anew. Errors: NotFound; Conflict when the folder is fresh already, or when another
    location's relocation was begun and not ended; Invalid when signer.toml names a file that its folder lacks.
    """
    if party not in PARTIES:
        raise NotFound("There are locations 1, 2 and 3.", code="unknown_location")
    if not relocation_pending(home):
        if not (home / f"signer-{party}" / "signer.db").exists():
            raise Conflict(f"Location {party} is fresh already; go on with the replacement.", code="location_fresh")
        _prepare(home, party)
    return _put_in_place(home, party)


def _prepare(home: Path, party: int) -> None:
    """Make everything new beside what is in use; whole, or not at all."""
    now, old, making = datetime.now(UTC), home / f"signer-{party}", home / f"{FOLDER}.new"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    authority = Authority.open(making / AUTHORITY, now)
    for holder in (COORDINATOR, *PARTIES):
        folder = making / _folder_of(holder)
        if holder == party:
            make_location(authority, party, folder, now)
            _copy_settings(old, folder)
            write_settings(folder / "signer.toml", Target())  # the new seal is the file that `make_location` made
            shutil.copy(old / "intent.pub", folder / FORMER_KEY_FILE)
        else:
            authority.issue(holder, folder, now)
    (making / f"{party}").write_text(now.strftime("%Y%m%dT%H%M%S"))
    making.rename(home / FOLDER)


def _copy_settings(old: Path, new: Path) -> None:
    """Copy signer.toml, and what it names within its own folder: elsewhere it is found from the new one too."""
    shutil.copy(old / "signer.toml", new / "signer.toml")
    said = tomllib.loads((new / "signer.toml").read_text())
    for name in _NAMED:
        # A link is followed when it is copied, not here: it would lead out of the folder.
        file = Path(os.path.normpath(old.absolute() / said.get(name, "..")))
        if not file.is_relative_to(old.absolute()):
            continue
        if not file.is_file():
            raise Invalid(f"signer.toml in {old.name} names {file.name}, which is not there.", code="signer_config")
        copy = new / file.relative_to(old.absolute())
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)


def _put_in_place(home: Path, party: int) -> Path:
    """Rename the new into the place of the old; each step may be found done."""
    new, mark = home / FOLDER, home / FOLDER / f"{party}"
    if not mark.exists():
        raise Conflict("Another location's replacement was begun: end that one first.", code="other_relocation")
    at = mark.read_text()
    for name in (AUTHORITY, _folder_of(party)):
        retired = home / f"{name}.retired-{at}"
        if (new / name).exists():
            if not retired.exists():
                (home / name).rename(retired)
            (new / name).rename(home / name)
    for holder in (COORDINATOR, *PARTIES):
        if holder != party:
            for file in sorted((new / _folder_of(holder)).iterdir()):
                file.replace(home / _folder_of(holder) / file.name)
    write_locations(home, load_signer_config(home / _folder_of(party)).locations)
    emptied = home / f"{FOLDER}.new"
    new.rename(emptied)  # ended with this, whatever becomes of the rest
    shutil.rmtree(emptied)
    return home / f"{_folder_of(party)}.retired-{at}"


def _folder_of(holder: int) -> str:
    return "coordinator" if holder == COORDINATOR else f"signer-{holder}"
