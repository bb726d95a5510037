"""What is known of people and their bank accounts: kept sealed, apart from the ledger, never in a message.

The API seals, the worker opens when a vendor needs it; both hold the same key of the vault. The account is sealed
with the record, so that a sealed row moved to another account does not open.
Source: libsodium secretbox (XSalsa20-Poly1305) through PyNaCl.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeVar

import msgspec
import nacl.exceptions
import nacl.secret
from msgspec import Meta, Struct

__all__ = ["BankDetails", "Person", "PersonAddress", "check_routing", "open_sealed", "seal"]

Text = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Routing = Annotated[str, Meta(pattern=r"^[0-9]{9}\Z")]
AccountNumber = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{4,17}\Z")]
_T = TypeVar("_T", "Person", "BankDetails")
_WEIGHTS: Final = (3, 7, 1) * 3


class PersonAddress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A United States address; `state` is the two-letter postal code."""

    street: Text
    city: Text
    state: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
    postal_code: Annotated[str, Meta(pattern=r"^[0-9]{5}(-[0-9]{4})?\Z")]

    def __repr__(self) -> str:
        return "PersonAddress(…)"


class Person(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who stands behind an account: what the KYC vendor asks for. `born_on` is written 1990-12-31."""

    given_name: Text
    family_name: Text
    born_on: Annotated[str, Meta(pattern=r"^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}\Z")]
    address: PersonAddress
    ssn_last4: Annotated[str, Meta(pattern=r"^[0-9]{4}\Z")]
    email: Annotated[str, Meta(max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\Z")]

    def __repr__(self) -> str:
        return "Person(…)"


class BankDetails(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user's own account at a bank."""

    routing_number: Routing
    account_number: AccountNumber
    kind: Literal["checking", "savings"]
    holder: Text

    def __repr__(self) -> str:
        return "BankDetails(…)"


def check_routing(routing_number: str) -> bool:
    """Return whether nine digits can be an ABA routing number. Source: ANSI X9.100-160, the check digit."""
    if len(routing_number) != 9 or not routing_number.isascii() or not routing_number.isdigit():
        return False
    digits = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, routing_number, strict=True))
    return digits % 10 == 0 and routing_number != "0" * 9


def seal(record: Person | BankDetails, account: str, key: bytes, nonce: bytes) -> bytes:
    """Return a record sealed for one account. Shape: key 32 bytes; nonce 24, fresh for every call."""
    plain = account.encode() + b"\0" + msgspec.json.encode(record)
    return bytes(nacl.secret.SecretBox(key).encrypt(plain, nonce))


def open_sealed(sealed: bytes, account: str, key: bytes, kind: type[_T]) -> _T:
    """Return what was sealed for this account. Another key, account or a changed byte: an AssertionError."""
    try:
        owner, _, record = nacl.secret.SecretBox(key).decrypt(sealed).partition(b"\0")
    except nacl.exceptions.CryptoError:
        raise AssertionError("a sealed record does not open with this key") from None
    assert owner.decode() == account, "a sealed record belongs to another account"
    return msgspec.json.decode(record, type=kind)
