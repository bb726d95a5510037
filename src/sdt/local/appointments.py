"""Who is appointed when a region opens: the two administrators and, for each desk, a public key with its role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from nacl.signing import SigningKey

from sdt.adapters.vault.private_file import read_private
from sdt.config import Settings
from sdt.domain.claims import RoleName
from sdt.domain.envelope import b64url, check_public_key, unb64url
from sdt.domain.errors import Conflict, Invalid, NotFound
from sdt.domain.region import Region
from sdt.local.secrets import ADMINISTRATORS, DESKS, Official

__all__ = ["Appointment", "desks_of", "public_key_in", "read_administrators", "read_appointments"]

_FILE_BYTES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Appointment:
    """An official's key (32 bytes) and the role that it gets; for one token, or for every one when that is empty."""

    name: str
    public_key: bytes
    role: str
    token: str

    @property
    def key_text(self) -> str:
        """The public key as messages carry it."""
        return b64url(self.public_key).decode()


def read_administrators(settings: Settings, files: Sequence[str]) -> tuple[Official, ...]:
    """Return the two administrators by their key files, or by those of the keys folder; none is ever made.

    Errors: NotFound, Invalid; Conflict when both files hold one key.
    """
    names = files or ADMINISTRATORS
    if len(names) != len(ADMINISTRATORS):
        raise Invalid("A region has two administrators: --administrator FILE for each.", code="administrators")
    found = tuple(_official(settings, name) for name in names)
    if len({bytes(one.key.verify_key) for one in found}) != len(found):
        raise Conflict("Both administrators have the same key; they are two people.", code="administrators")
    return found


def read_appointments(settings: Settings, region: Region, texts: Sequence[str]) -> tuple[Appointment, ...]:
    """Read appointments as they are written, ROLE=FILE or ROLE:TOKEN=FILE; without any, those of the keys folder.

    Errors: Invalid, NotFound; Conflict for one key with two roles.
    """
    found = tuple(_appointment(region, text) for text in texts) or desks_of(settings)
    if len({one.public_key for one in found}) != len(found):
        raise Conflict("One key is appointed twice; a key has one role.", code="appointment")
    return found


def desks_of(settings: Settings) -> tuple[Appointment, ...]:
    """Return the desks by the files of the keys folder: NAME.key, or NAME.pub of a desk that stands elsewhere.

    Errors: NotFound for a desk of which there is neither.
    """
    folder = settings.desks.keys_folder
    return tuple(
        Appointment(name, public_key_in(_one_of(folder / f"{name}.key", folder / f"{name}.pub")), role, token)
        for name, (role, token) in DESKS.items()
    )


def public_key_in(file: Path) -> bytes:
    """Return the public key of a key file (.key), or the one that a file of any other name shows.

    Errors: NotFound, Invalid; VaultUnreadable for a key file that others can read.
    """
    if not file.is_file():
        raise NotFound(f"There is no key file {file}.", code="key_file_missing")
    if file.suffix == ".key":
        return bytes(_signing_key(file).verify_key)
    with file.open("rb") as opened:
        raw = opened.read(_FILE_BYTES_MAX).strip()
    try:
        public_key = unb64url(raw)
        check_public_key(public_key)
    except Invalid:
        raise Invalid(f"{file} shows no public key; `sdt region public-key` prints one.", code="key_file") from None
    return public_key


def _official(settings: Settings, name: str) -> Official:
    file = Path(name) if Path(name).suffix == ".key" else settings.desks.keys_folder / f"{name}.key"
    if not file.is_file():
        raise NotFound(
            f"There is no key file {file} of an administrator: --administrator FILE for each of the two.",
            code="key_file_missing",
        )
    return Official(file.stem, _signing_key(file))


def _appointment(region: Region, text: str) -> Appointment:
    office, _, file = text.partition("=")
    role, _, token = office.partition(":")
    roles = get_args(RoleName)
    if role not in roles or not file:
        raise Invalid(f"{text}: write ROLE=FILE or ROLE:TOKEN=FILE; roles: {', '.join(roles)}.", code="appointment")
    if token:
        region.token(token)
    return Appointment(office, public_key_in(Path(file)), role, token)


def _one_of(first: Path, second: Path) -> Path:
    if not first.is_file() and not second.is_file():
        raise NotFound(
            f"There is neither {first} nor {second}: put a public key there, or appoint with --officer ROLE=FILE.",
            code="key_file_missing",
        )
    return first if first.is_file() else second


def _signing_key(file: Path) -> SigningKey:
    try:
        return SigningKey(bytes.fromhex(read_private(file).decode().strip()))
    except ValueError:
        raise Invalid(f"{file} is no key file: 32 bytes in hex.", code="key_file") from None
