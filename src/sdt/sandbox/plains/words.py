"""The second door's way of writing things: decimal dollars and grams, American dates, milliseconds, capital codes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Final

from sdt.sandbox.fields import rfc3339

__all__ = ["TIME", "address", "address_in", "code", "day", "day_in", "decimal", "ms", "table", "units"]

_DECIMAL = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}", re.ASCII)
TIME: Final = "%Y-%m-%dT%H:%M:%S.%f%z"


def decimal(digits: str, scale: int) -> str:
    """ "1234" of cents is "12.34"."""
    padded = digits.rjust(scale + 1, "0")
    return f"{padded[:-scale]}.{padded[-scale:]}"


def units(text: str, scale: int) -> str:
    """ "12.34" is "1234" cents. Errors: ValueError for any other form, zero included."""
    if not _DECIMAL.fullmatch(text) or len(text.partition(".")[2]) != scale:
        raise ValueError
    return str(int(text.replace(".", "")))


def day(text: str) -> str:
    """2026-11-26 is 11/26/2026."""
    return f"{date.fromisoformat(text):%m/%d/%Y}"


def day_in(text: str) -> str:
    """11/26/2026 is 2026-11-26. Errors: ValueError."""
    return datetime.strptime(text, "%m/%d/%Y").date().isoformat()  # noqa: DTZ007 - a day has no zone


def ms(moment: str | None) -> int | None:
    """Milliseconds since 1970 of an RFC 3339 time."""
    if moment is None:
        return None
    whole = round(datetime.fromisoformat(moment).timestamp() * 1000)
    assert rfc3339(whole / 1000) == datetime.fromisoformat(moment).astimezone(UTC).isoformat(
        timespec="milliseconds"
    ).replace("+00:00", "Z")
    return whole


def code(word: str) -> str:
    """name_not_found is NAME-NOT-FOUND."""
    return word.upper().replace("_", "-")


def table(ours: dict[str, str], there: str) -> str:
    """Return our word for one of this door's. Errors: KeyError."""
    return {theirs: word for word, theirs in ours.items()}[there]


def address(kept: dict[str, Any]) -> dict[str, Any]:
    """An address in this door's words."""
    return {
        "line1": kept["street"],
        "town": kept["city"],
        "stateCode": kept["state"],
        "zip": kept["postal_code"],
    }


def address_in(given: dict[str, Any]) -> dict[str, Any]:
    """An address in the service's words. Errors: KeyError."""
    return {
        "street": given["line1"],
        "city": given["town"],
        "state": given["stateCode"],
        "postal_code": given["zip"],
    }
