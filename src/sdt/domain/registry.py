"""What the Registry contract keeps of a key: whose it is, what it may do, until when.

One 256-bit word a key, so that a signer learns all of it in one call, from its own node and not from the API:
account (160 bits) | roles (16) | scope (8) | status (8) | expires, unix seconds (40) | zero (24).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from eth_hash.auto import keccak

from sdt.domain.errors import Invalid

__all__ = [
    "NEVER_S",
    "NOBODY",
    "Domain",
    "KeyStatus",
    "KeyWord",
    "Role",
    "account_bytes",
    "handle_hash",
    "pack_key_word",
    "unpack_key_word",
]

NOBODY: Final = "0x" + "00" * 20
"""The zero address: payer of a mint, payee of a burn, account of an official's key."""

NEVER_S: Final = 2**40 - 1
"""The latest time a contract can hold, for what does not expire."""

_ACCOUNT = re.compile(r"0x[0-9a-f]{40}", re.ASCII)


class Domain(IntEnum):
    """The two legal domains; no contract moves value from one to the other."""

    DOLLAR = 1
    CASH = 2


class Role(IntFlag):
    """What a key may sign. Custodian, issuer and approver are three people: no key holds two of them."""

    CLIENT = 1
    CUSTODIAN = 2
    ISSUER = 4
    APPROVER = 8
    KYC_DESK = 16
    SCREENING_DESK = 32
    COMPLIANCE_OFFICER = 64
    ADMINISTRATOR = 128


class KeyStatus(IntEnum):
    """Whether a key is known and in force; a revoked key never comes back."""

    NONE = 0
    ACTIVE = 1
    REVOKED = 2


@dataclass(frozen=True, slots=True)
class KeyWord:
    """A key's entry in the Registry.

    Units: expires_s in unix seconds (`NEVER_S`: does not expire).
    Errors: Invalid when a field does not fit.
    """

    account: str
    roles: Role
    scope: int = 0
    status: KeyStatus = KeyStatus.ACTIVE
    expires_s: int = NEVER_S

    def __post_init__(self) -> None:
        account_bytes(self.account)
        fits = 0 <= self.roles < 2**16 and 0 <= self.scope < 2**8 and 0 <= self.expires_s < 2**40
        if not fits:
            raise Invalid("A key's roles, scope or expiry is out of range.", code="key_word")

    def may(self, role: Role, now_s: int) -> bool:
        """Tell whether the key is active, unexpired and holds all of `role`."""
        return self.status is KeyStatus.ACTIVE and now_s < self.expires_s and self.roles & role == role


def pack_key_word(key: KeyWord) -> bytes:
    """Return the 32 bytes that the Registry stores."""
    return (
        account_bytes(key.account)
        + key.roles.to_bytes(2, "big")
        + key.scope.to_bytes(1, "big")
        + key.status.to_bytes(1, "big")
        + key.expires_s.to_bytes(5, "big")
        + bytes(3)
    )


def unpack_key_word(word: bytes) -> KeyWord:
    """Read what the Registry stored; all zero means a key nobody registered (status NONE).

    Errors: Invalid for a word of another form.
    """
    if len(word) != 32 or any(word[29:]) or word[23] > KeyStatus.REVOKED:
        raise Invalid("This is not a key word of the Registry.", code="key_word")
    return KeyWord(
        account="0x" + word[:20].hex(),
        roles=Role(int.from_bytes(word[20:22], "big")),
        scope=word[22],
        status=KeyStatus(word[23]),
        expires_s=int.from_bytes(word[24:29], "big"),
    )


def account_bytes(account: str) -> bytes:
    """Return an account's 20 bytes.

    Shape: lower-case 0x hex, 42 characters.
    Errors: Invalid.
    """
    if not _ACCOUNT.fullmatch(account):
        raise Invalid("An account is 0x and 40 lower-case hexadecimal digits.", code="account")
    return bytes.fromhex(account[2:])


def handle_hash(handle: str) -> bytes:
    """Return what the Registry stores of a handle: the keccak256 of its UTF-8 bytes."""
    return bytes(keccak(handle.encode()))
