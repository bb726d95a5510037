"""What a client's key may do for its account: one byte of the Registry's key word, so that every signer holds to it.

Many people act for a business, each with a key of their own: a manager's does everything, a payer's moves value, a
viewer's signs reads alone. A key may be limited to one token besides.
An official's key has the token's place plus one in the same byte, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

__all__ = ["EVERYTHING", "TOKEN_BITS", "KeyRole", "KeyScope", "scope_of"]

KeyRole = Literal["manager", "payer", "viewer"]
TOKEN_BITS: Final = 0b0011_1111
"""Where the byte has a token's place plus one; 0 for every token."""
_ROLE_AT: Final = 6
_ROLES: Final[tuple[KeyRole, ...]] = get_args(KeyRole)


@dataclass(frozen=True, slots=True)
class KeyScope:
    """A client key's scope. Shape: `token` is the token's place in Settlement's list, None for every one."""

    role: KeyRole
    token: int | None = None

    def pack(self) -> int:
        """Return the byte that the Registry keeps."""
        place = 0 if self.token is None else self.token + 1
        assert 0 <= place <= TOKEN_BITS, "a region has at most 32 tokens"
        return _ROLES.index(self.role) << _ROLE_AT | place

    def allows(self, kind: str, token: int | None) -> bool:
        """Return whether a message of this type, about this token, may be signed. Who only reads signs none.

        Who manages one token gives keys of that token alone.
        """
        if self.role == "viewer" or (self.role == "payer" and kind == "rotate_key"):
            return False
        return self.token is None or token == self.token


EVERYTHING: Final = KeyScope("manager")


def scope_of(byte: int) -> KeyScope:
    """Return a client key's scope. A role that this version does not know may do nothing."""
    code, place = byte >> _ROLE_AT, byte & TOKEN_BITS
    role: KeyRole = _ROLES[code] if code < len(_ROLES) else "viewer"
    return KeyScope(role, place - 1 if place else None)
