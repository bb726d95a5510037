"""How alike two addresses are, from 0 to 100, and why: of one house number, spelt as the writer likes.

A city is no address: where a list names no street, nobody who lives in that town is meant.
Source: USPS Publication 28, "Postal Addressing Standards", appendices B (States), C1 (street suffixes), C2 (units).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from anyascii import anyascii
from rapidfuzz import fuzz

from sdt.domain.sanctions.match import Likeness

__all__ = ["ADDRESS_THRESHOLD", "Place", "address_likeness", "place_of"]

ADDRESS_THRESHOLD: Final = 90
ADDRESS_LENGTH_MAX: Final = 300
STREET_WEIGHT: Final = 0.65
CITY_MIN: Final = 80
OTHER_TOWN_MAX: Final = 85
"""Two post codes, or two cities, that differ leave a possible misprint, and no more."""

_SHORT: Final = {
    "street": "st", "avenue": "ave", "av": "ave", "boulevard": "blvd", "road": "rd", "drive": "dr", "lane": "ln",
    "court": "ct", "place": "pl", "square": "sq", "terrace": "ter", "trail": "trl", "parkway": "pkwy", "highway": "hwy",
    "expressway": "expy", "freeway": "fwy", "circle": "cir", "crossing": "xing", "plaza": "plz", "heights": "hts",
    "north": "n", "south": "s", "east": "e", "west": "w", "northeast": "ne", "northwest": "nw", "southeast": "se",
    "southwest": "sw", "saint": "st", "fort": "ft", "mount": "mt", "calle": "c", "rua": "r", "rue": "r",
}  # fmt: skip
"""Words that are written out or short as the writer likes. Source: USPS Publication 28, C1 and directionals."""
_STATES: Final = {
    "alabama": "al", "alaska": "ak", "arizona": "az", "arkansas": "ar", "california": "ca", "colorado": "co",
    "connecticut": "ct", "delaware": "de", "florida": "fl", "georgia": "ga", "hawaii": "hi", "idaho": "id",
    "illinois": "il", "indiana": "in", "iowa": "ia", "kansas": "ks", "kentucky": "ky", "louisiana": "la", "maine": "me",
    "maryland": "md", "massachusetts": "ma", "michigan": "mi", "minnesota": "mn", "mississippi": "ms", "missouri": "mo",
    "montana": "mt", "nebraska": "ne", "nevada": "nv", "new hampshire": "nh", "new jersey": "nj", "new mexico": "nm",
    "new york": "ny", "north carolina": "nc", "north dakota": "nd", "ohio": "oh", "oklahoma": "ok", "oregon": "or",
    "pennsylvania": "pa", "rhode island": "ri", "south carolina": "sc", "south dakota": "sd", "tennessee": "tn",
    "texas": "tx", "utah": "ut", "vermont": "vt", "virginia": "va", "washington": "wa", "west virginia": "wv",
    "wisconsin": "wi", "wyoming": "wy", "district of columbia": "dc", "puerto rico": "pr",
}  # fmt: skip
_STATE_CODES: Final = frozenset(_STATES.values())
_STATE_AT_END: Final = re.compile(rf"\b({'|'.join(sorted(_STATES, key=len, reverse=True))})$")
_COUNTRIES: Final = {"us": "united states", "usa": "united states", "united states of america": "united states"}
_ASIDE: Final = re.compile(r"\([^)]*\)|\bc/o\b[^,]*,?|\battn\b[^,]*,?", re.IGNORECASE)
_UNIT: Final = re.compile(
    r"\b(?:\d+(?:st|nd|rd|th)\s+floor|(?:suite|ste|apartment|apt|unit|room|rm|floor|fl|flat|office)\s*#?\s*[\w-]+)\b"
    r"|#\s*[\w-]+"
)
_BOX: Final = re.compile(r"\b(?:p\.?\s*o\.?\s*box|post\s+office\s+box|apartado(?:\s+postal)?|postfach)\b\.?")
_SPLIT: Final = re.compile(r"[^a-z0-9]+")
_POSTCODE: Final = re.compile(r"\b(\d{5})(?:-\d{4})?$")


@dataclass(frozen=True, slots=True)
class Place:
    """An address as it is compared. `number` is the house's or the box's; empty where there is none."""

    number: str
    street: str
    city: str
    postcode: str
    country: str

    def __repr__(self) -> str:
        return "Place(…)"


def place_of(street: str, city: str, country: str) -> Place | None:
    """Return an address as it is compared; None where there is no street, which is no address."""
    words = _words(_UNIT.sub(" ", _BOX.sub(" pobox ", _latin(_ASIDE.sub(" ", street)))))
    if not words:
        return None
    number = next((word for word in words if word[0].isdigit()), "")
    named = " ".join(word for word in words if word != number)
    town = _latin(city)
    found = _POSTCODE.search(town)
    postcode = found[1] if found else ""
    plain = " ".join(_words(town[: found.start()] if found else town))
    plain = _STATE_AT_END.sub(lambda state: _STATES[state[1]], plain)
    land = " ".join(_SPLIT.split(_latin(country))).strip()
    return Place(number, named, plain, postcode, _COUNTRIES.get(land, land))


def _latin(text: str) -> str:
    return anyascii(text[:ADDRESS_LENGTH_MAX]).lower()


def _words(text: str) -> list[str]:
    return [_SHORT.get(word, word) for word in _SPLIT.split(text) if word]


def address_likeness(a: Place, b: Place) -> Likeness:
    """Return how alike two addresses are, with the reasons as sentences. Units: 0 to 100."""
    if a.country != b.country:
        return Likeness(0, (f"{a.country or 'no country'} is not {b.country or 'no country'}",))
    if a.number != b.number:
        return Likeness(0, (f"number {a.number or 'none'} is not {b.number or 'none'}",))
    street = fuzz.token_sort_ratio(a.street, b.street)
    same_postcode = bool(a.postcode) and a.postcode == b.postcode
    city = 100.0 if same_postcode else _city_likeness(a.city, b.city)
    score = round(STREET_WEIGHT * street + (1 - STREET_WEIGHT) * city)
    reasons = [
        f"the number is the same ({a.number})" if a.number else "neither has a number",
        _said("street", a.street, b.street, street),
        f"the post code is the same ({a.postcode})" if same_postcode else _said("city", a.city, b.city, city),
    ]
    if city < CITY_MIN:
        score = min(score, OTHER_TOWN_MAX)
    if a.postcode and b.postcode and not same_postcode:
        score = min(score, OTHER_TOWN_MAX)
        reasons.append(f"post code {a.postcode} is not {b.postcode}")
    return Likeness(score, tuple(reasons))


def _city_likeness(a: str, b: str) -> float:
    """Compare the names of two cities; one name in two States is two cities."""
    (city_a, state_a), (city_b, state_b) = _parted(a), _parted(b)
    return 0.0 if state_a and state_b and state_a != state_b else fuzz.token_sort_ratio(city_a, city_b)


def _parted(city: str) -> tuple[str, str]:
    name, _, state = city.rpartition(" ")
    return (name, state) if name and state in _STATE_CODES else (city, "")


def _said(what: str, a: str, b: str, ratio: float) -> str:
    return f"the {what} is the same ({a})" if a == b else f"the {what} {a!r} is like {b!r} ({round(ratio)})"
