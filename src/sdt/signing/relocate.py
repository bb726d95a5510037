"""Preparing a fresh folder in a lost location's place: new signing and sealing keys, new certificates for everybody.

The old location's certificate must open no door: a new authority certifies all four, and the old folder is set aside.
Two shares of the old epoch still give the key until they are destroyed: that is part of the ceremony.
For one organisation that runs all three; elsewhere each makes its own files and exchanges certificates and intent.pub.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from sdt.domain.errors import Conflict, NotFound
from sdt.signing.config import load_signer_config
from sdt.signing.pki import Authority
from sdt.signing.provision import FORMER_KEY_FILE, PARTIES, make_location, write_locations
from sdt.signing.tls import COORDINATOR


def relocate(home: Path, party: int) -> Path:
    """Set a location's folder aside and make a fresh one; return where the old one is. Signers must be started anew.

    Errors: NotFound; Conflict when the folder is fresh already.
    """
    folder, now = home / f"signer-{party}", datetime.now(UTC)
    if party not in PARTIES:
        raise NotFound("There are locations 1, 2 and 3.", code="unknown_location")
    if not (folder / "signer.db").exists():
        raise Conflict(f"Location {party} is fresh already; go on with the replacement.", code="location_fresh")
    settings = (folder / "signer.toml").read_text()
    at = now.strftime("%Y%m%dT%H%M%S")
    old, old_authority = home / f"signer-{party}.retired-{at}", home / f"signing-authority.retired-{at}"
    os.rename(folder, old)
    os.rename(home / "signing-authority", old_authority)
    authority = Authority.open(home / "signing-authority", now)
    make_location(authority, party, folder, now)
    (folder / "signer.toml").write_text(settings)
    (folder / FORMER_KEY_FILE).write_text((old / "intent.pub").read_text())
    for holder, path in ((COORDINATOR, home / "coordinator"), *((each, home / f"signer-{each}") for each in PARTIES)):
        if holder != party:
            authority.issue(holder, path, now)
    write_locations(home, load_signer_config(folder).locations)
    return old
