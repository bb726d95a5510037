"""How monitoring tells that two records are of one person, without knowing who that is.

A keyed digest of name and date of birth: whoever lacks the key can neither name a person nor try names out. Two
people of one name born on one day fall together; what is found so is an officer's to tell apart.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Final

from sdt.domain.personal import Business, Party, Person

__all__ = ["PREFIX", "digest_key", "person_id", "persons_in"]

PREFIX: Final = "p:"


def digest_key(master_key: bytes) -> bytes:
    """Return the key of these digests, which opens nothing that the master key opens."""
    return hashlib.blake2b(b"sdt persons of monitoring", key=master_key, digest_size=32).digest()


def person_id(key: bytes, given_name: str, family_name: str, born_on: str) -> str:
    """Return a person's digest. Shape: p: and 64 hexadecimal digits; born_on as 1990-12-31."""
    text = "\0".join((_plain(given_name), _plain(family_name), born_on))
    return PREFIX + hashlib.blake2b(text.encode(), key=key, digest_size=32).hexdigest()


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


def persons_in(party: Party, key: bytes) -> list[str]:
    """Return everybody behind an account: the person, or a business's control person and owners."""
    people: tuple[Person, ...] = party.people if isinstance(party, Business) else (party,)
    return sorted({person_id(key, one.given_name, one.family_name, one.born_on) for one in people})
