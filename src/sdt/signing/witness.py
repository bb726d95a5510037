"""What was done in a ceremony, as a statement that every location signs, and the transcript file that keeps it.

A location signs only what it knows to be so: its network, and the epoch, job, key and points that are in force at it.
Who stood by is the operators' own signature over the plan, which anybody can check.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from nacl.signing import SigningKey, VerifyKey

from sdt.domain.errors import Conflict, Forbidden, Invalid
from sdt.signing.config import SignerConfig
from sdt.signing.keyring import ChainKey
from sdt.signing.pki import write_secret
from sdt.signing.transcript import digest, is_signed, sign

CLOCK_SLACK_S: Final = 3600


class Person(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who confirmed. Shape: public key and signature over the plan, hex."""

    name: str
    key: str
    confirmed: str


class Ceremony(Struct, frozen=True, forbid_unknown_fields=True):
    """What was done. Shape: hex throughout; points by party − 1; people by name. Units: unix seconds."""

    kind: Literal["generate", "presign", "refresh", "replace"]
    network: str
    epoch: int
    job: str
    public: str
    points: tuple[str, str, str]
    replaced: int
    people: tuple[Person, ...]
    steps: tuple[str, ...]
    began_s: int
    ended_s: int
    plan: str


def canonical(value: Any) -> bytes:
    """Return the one JSON form of a value: keys in order, no spaces."""
    plain = msgspec.to_builtins(value)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def plan_of(kind: str, network: str, replaced: int, began_s: int) -> bytes:
    """Return what a person confirms beforehand: this ceremony, here, now."""
    return digest("ceremony/plan", kind, network, replaced, began_s)


def statement_digest(network: str, statement: bytes) -> bytes:
    """Return what a location signs of a statement."""
    return digest("ceremony", network, statement)


def read_statement(statement: bytes) -> Ceremony:
    """Return a statement that is in canonical form and whose people confirmed its plan.

    Errors: Invalid; Forbidden, naming whose confirmation is bad.
    """
    try:
        ceremony = msgspec.json.decode(statement, type=Ceremony)
    except msgspec.MsgspecError as error:
        raise Invalid(f"This is no statement of a ceremony: {error}.", code="bad_statement") from None
    if canonical(ceremony) != statement:
        raise Invalid("The statement is not in canonical form.", code="bad_statement")
    plan = plan_of(ceremony.kind, ceremony.network, ceremony.replaced, ceremony.began_s)
    if ceremony.plan != plan.hex():
        raise Invalid("The statement's plan is another one.", code="bad_statement")
    if len({person.key for person in ceremony.people}) != len(ceremony.people):
        raise Forbidden("One person confirmed twice.", code="same_person")
    for person in ceremony.people:
        try:
            key, signature = VerifyKey(bytes.fromhex(person.key)), bytes.fromhex(person.confirmed)
        except ValueError:
            raise Invalid("A person's key or signature is malformed.", code="bad_statement") from None
        if not is_signed(key, plan, signature):
            raise Forbidden(f"{person.name} did not confirm this.", code="not_confirmed", name=person.name)
    return ceremony


def witness(key: SigningKey, statement: bytes, config: SignerConfig, held: ChainKey, now_s: float) -> bytes:
    """Sign a statement if it says what this location knows.

    Errors: Invalid, Forbidden, Conflict.
    """
    ceremony = read_statement(statement)
    points = tuple(point.hex() for point in held.points)
    said = (ceremony.network, ceremony.epoch, ceremony.job, ceremony.public, ceremony.points)
    if said != (config.network, held.epoch, held.job.hex(), held.public.hex(), points):
        raise Conflict("That is not the key in force at this location.", code="not_so")
    if abs(now_s - ceremony.ended_s) > CLOCK_SLACK_S or ceremony.ended_s < ceremony.began_s:
        raise Conflict("The ceremony's time is not near this location's.", code="not_so")
    return sign(key, statement_digest(config.network, statement))


def check_transcript(path: Path, keys: Mapping[int, VerifyKey]) -> Ceremony:
    """Read a transcript and check its people's and all locations' signatures.

    Errors: Invalid, Forbidden.
    """
    try:
        file = json.loads(path.read_text())
        statement = canonical(file["statement"])
        signatures = {int(party): bytes.fromhex(value) for party, value in file["signatures"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise Invalid(f"{path.name} is no transcript: {error}.", code="bad_transcript") from None
    ceremony = read_statement(statement)
    for party, key in keys.items():
        if not is_signed(key, statement_digest(ceremony.network, statement), signatures.get(party, b"")):
            raise Forbidden(f"Location {party} did not sign this transcript.", code="not_witnessed", party=party)
    return ceremony


def write_transcript(folder: Path, statement: bytes, signatures: Mapping[int, bytes]) -> Path:
    """Keep a transcript in a new file, 0600; return it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = json.loads(statement)
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    path = folder / f"{at}-{content.get('kind', 'ceremony')}.json"
    file = {"statement": content, "signatures": {str(party): value.hex() for party, value in signatures.items()}}
    write_secret(path, json.dumps(file, indent=2, sort_keys=True, ensure_ascii=False).encode())
    return path


def write_recovery(key_file: Path, one: Any, two: Any, first: Path, second: Path) -> Path:
    """Log beforehand that a key is assembled: which backups, of which key; return the file, 0600, beside the key's."""
    path = key_file.with_name(key_file.name + ".transcript.json")
    content = {
        "kind": "recover",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": os.uname().nodename,
        "network": one.network,
        "epoch": one.epoch,
        "public": one.public,
        "locations": [one.party, two.party],
        "backups": [hashlib.sha256(file.read_bytes()).hexdigest() for file in (first, second)],
        "key_file": key_file.name,
    }
    write_secret(path, json.dumps(content, indent=2).encode() + b"\n")
    return path
