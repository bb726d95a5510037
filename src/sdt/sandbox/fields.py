"""The forms of fields that several sandbox services take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from sdt.domain.errors import Invalid

Units = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,17}\Z")]
Account = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}\Z")]
Slug = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,39}\Z")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=80)]


class Address(Struct, frozen=True, forbid_unknown_fields=True):
    """A postal address in the United States."""

    street: Name
    city: Name
    state: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
    postal_code: Annotated[str, Meta(pattern=r"^[0-9]{5}(-[0-9]{4})?\Z")]


def rfc3339(unix_s: float) -> str:
    """Write a moment as 2026-11-23T09:30:00.123Z."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole_number(params: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """Read a whole number from the query.

    Errors: Invalid.
    """
    text = params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 15 and low <= int(text) <= high):
        raise Invalid(f"{name} is a whole number from {low} to {high}.", code="page")
    return int(text)
