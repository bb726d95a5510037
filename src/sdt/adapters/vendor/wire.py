"""Forms that several vendors' answers share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from msgspec import Meta, Struct

from sdt.domain.money import Amount, Asset, units_from_digits
from sdt.ports import PostalAddress, StatementLine, VendorFault

Moment = Annotated[datetime, Meta(tz=True)]
Sequence = Annotated[int, Meta(ge=0, le=2**53)]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class AddressWire(Struct, frozen=True):
    """A postal address as sent."""

    street: str
    city: str
    state: str
    postal_code: str


def address_wire(address: PostalAddress) -> AddressWire:
    """Return an address as sent."""
    return AddressWire(address.street, address.city, address.state, address.postal_code)


def amount(digits: str, asset: Asset) -> Amount:
    """Read a digit string.

    Errors: Invalid.
    """
    return Amount(units_from_digits(digits), asset)


def segment(text: str) -> str:
    """Return text as one segment of a path, whatever it holds."""
    return quote(text, safe="")


def same(**pairs: tuple[object, object]) -> None:
    """Refuse an answer about something else than what was asked.

    Errors: VendorFault.
    """
    for name, (asked, answered) in pairs.items():
        if asked != answered:
            raise VendorFault(f"The vendor's answer is about another {name}.")


def check_lines(lines: tuple[StatementLine, ...], after: int, last: int, more: bool) -> None:
    """Refuse lines that leave a gap, repeat one, or end before the number they say they reach.

    Errors: VendorFault.
    """
    if any(line.sequence != after + place for place, line in enumerate(lines, 1)):
        raise VendorFault("The statement's lines are not numbered one after the other.")
    reached = lines[-1].sequence if lines else after
    if (lines and reached > last) or more != (reached < last):
        raise VendorFault("The statement's lines do not reach the number it names.")
