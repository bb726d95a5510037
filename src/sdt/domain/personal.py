"""What is known of people, businesses and their bank accounts: kept sealed, apart from the ledger and messages."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from sdt.domain import sealing

__all__ = [
    "BankDetails",
    "Business",
    "BusinessKind",
    "Owner",
    "Party",
    "Person",
    "PersonAddress",
    "check_routing",
    "open_record",
    "read_record",
    "seal_record",
]

Text = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
LegalName = Annotated[str, Meta(min_length=1, max_length=160, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
State = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
Routing = Annotated[str, Meta(pattern=r"^[0-9]{9}\Z")]
AccountNumber = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{4,17}\Z")]
BusinessKind = Literal["corporation", "llc", "partnership", "sole_proprietorship", "nonprofit", "trust", "agency"]
SHARE_PPM: Final = 1_000_000
_WEIGHTS: Final = (3, 7, 1) * 3


class PersonAddress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A United States address; `state` is the two-letter postal code."""

    street: Text
    city: Text
    state: State
    postal_code: Annotated[str, Meta(pattern=r"^[0-9]{5}(-[0-9]{4})?\Z")]

    def __repr__(self) -> str:
        return "PersonAddress(…)"


class Person(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="party", tag="person"):
    """A natural person: what the KYC vendor asks for. `born_on` is written 1990-12-31."""

    given_name: Text
    family_name: Text
    born_on: Annotated[str, Meta(pattern=r"^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}\Z")]
    address: PersonAddress
    ssn_last4: Annotated[str, Meta(pattern=r"^[0-9]{4}\Z")]
    email: Annotated[str, Meta(max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\Z")]

    @property
    def name(self) -> str:
        """The name as lists and vendors are asked for it."""
        return f"{self.given_name} {self.family_name}"

    def __repr__(self) -> str:
        return "Person(…)"


class Owner(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A beneficial owner. Units: `share_ppm` millionths of the equity."""

    person: Person
    share_ppm: Annotated[int, Meta(ge=1, le=SHARE_PPM)]

    def __repr__(self) -> str:
        return "Owner(…)"


class Business(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="party", tag="business"):
    """A legal entity, the person who controls it, and whoever owns a quarter of it or more.

    `merchant_category` says what a merchant sells, by its four digits. Source: ISO 18245.
    """

    legal_name: LegalName
    kind: BusinessKind
    ein_last4: Annotated[str, Meta(pattern=r"^[0-9]{4}\Z")]
    formed_in: State
    address: PersonAddress
    merchant_category: Annotated[str, Meta(pattern=r"^([0-9]{4})?\Z")] = ""
    control: Person
    owners: tuple[Owner, ...] = ()

    @property
    def name(self) -> str:
        """The name as lists and vendors are asked for it."""
        return self.legal_name

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody behind it who is identified and screened: the control person first."""
        return (self.control, *(owner.person for owner in self.owners))

    def __repr__(self) -> str:
        return "Business(…)"


class BankDetails(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user's own account at a bank."""

    routing_number: Routing
    account_number: AccountNumber
    kind: Literal["checking", "savings"]
    holder: Text

    def is_same_account(self, other: BankDetails) -> bool:
        """Return whether both name one account of one bank, whatever its kind and however its number is written."""
        return self._number == other._number

    @property
    def _number(self) -> tuple[str, str]:
        return self.routing_number, self.account_number.replace("-", "").lstrip("0").upper()

    def __repr__(self) -> str:
        return "BankDetails(…)"


Party = Person | Business
"""Who stands behind an account."""
_T = TypeVar("_T")


def check_routing(routing_number: str) -> bool:
    """Return whether nine digits can be an ABA routing number. Source: ANSI X9.100-160, the check digit."""
    if len(routing_number) != 9 or not routing_number.isascii() or not routing_number.isdigit():
        return False
    digits = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, routing_number, strict=True))
    return digits % 10 == 0 and routing_number != "0" * 9


def seal_record(record: Party | BankDetails, account: str, key: bytes, nonce: bytes) -> bytes:
    """Return a record sealed for one account: moved to another account's row it does not open."""
    return sealing.seal(msgspec.json.encode(record), f"{account} {_name(record)}", key, nonce)


def open_record(sealed: bytes, account: str, key: bytes, kind: Any) -> Any:
    """Return the `Party` or `BankDetails` that was sealed for this account. Errors: SealBroken for anything else."""
    label = f"{account} {'bank' if kind is BankDetails else 'party'}"
    return msgspec.json.decode(sealing.unseal(sealed, label, key), type=kind)


def _name(record: Party | BankDetails) -> str:
    return "bank" if isinstance(record, BankDetails) else "party"


def read_record(plain: bytes, kind: type[_T]) -> _T:
    """Return a record from before people had keys of their own, unsealed."""
    return msgspec.json.decode(plain, type=kind)
