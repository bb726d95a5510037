"""The claims of everything that is signed: their forms, and how they are read, strictly and once for all.

Messages (which go on chain) and the officers' acts (which never do) are read through `read_claims`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from sdt.domain import strict_json
from sdt.domain.errors import Invalid

__all__ = ["day_of", "format_time", "parse_time", "read_claims", "read_plain", "read_strictly"]

T = TypeVar("T", bound=Struct)

Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")]
Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
OptionalDigest = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
Units = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,18})\Z")]
Time = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")]
Handle = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]*([._-][a-z0-9]+)*\Z", min_length=3, max_length=32)]
Symbol = Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,11}\Z")]
OptionalSymbol = Annotated[str, Meta(pattern=r"^([A-Z][A-Z0-9]{1,11})?\Z")]
RegionId = Annotated[str, Meta(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?\Z")]
Network = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,31}\Z")]
PublicKey = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]
Reference = Annotated[str, Meta(pattern=r"^(bank|dropoff|delivery):[A-Za-z0-9_-]{1,64}\Z")]
Legal = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./:_-]{0,79}\Z")]
Period = Annotated[int, Meta(ge=3_600, le=366 * 86_400)]
Sequence = Annotated[int, Meta(ge=0, le=2**53)]
DomainName = Literal["dollar", "cash"]
RoleName = Literal[
    "custodian", "issuer", "approver", "kyc_desk", "screening_desk", "compliance_officer", "administrator"
]
Reason = Annotated[str, Meta(min_length=3, max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+\Z")]
"""Why an officer decides so, in their own words: kept for the file, shown to the role alone."""

_TIME_CLAIMS: Final = ("issued_at", "expires_at", "as_of", "valid_until", "effective")


@lru_cache(maxsize=4096)
def parse_time(text: str) -> int:
    """Return unix seconds of an RFC 3339 time in UTC, written with Z and whole seconds, from 1970 on.

    Errors: Invalid.
    """
    try:
        unix_s = int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        raise Invalid(f"{text!r} is no time of the calendar.", code="time") from None
    if unix_s < 0:
        # The words on chain hold none. The latest that four digits of a year can say fits into all of them.
        raise Invalid(f"{text!r} is before 1970.", code="time")
    return unix_s


def format_time(unix_s: int) -> str:
    """Write unix seconds as messages carry them: 2026-11-23T09:30:00Z."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=256)
def _times_of(cls: type[Struct]) -> tuple[str, ...]:
    return tuple(name for name in _TIME_CLAIMS if name in cls.__struct_fields__)


def read_claims(kind: str, payload: bytes, types: Mapping[str, type[T]]) -> T:
    """Return the claims in `payload`, whose header announced `kind`, as the type that `types` gives it.

    Errors: Invalid, naming the claim that is wrong.
    """
    cls = types.get(kind)
    read = read_plain(payload, cls) if cls is not None else None
    if read is None:
        read = read_strictly(kind, payload, cls)
    for name in _times_of(type(read)):
        parse_time(getattr(read, name))
    return read


def read_strictly(kind: str, payload: bytes, cls: type[T] | None) -> T:
    """Read any payload, and judge it. Errors: Invalid."""
    claims = strict_json.parse_object(payload)
    if claims.get("type") != kind:
        raise Invalid(f"The header says {kind!r}, the claims say otherwise.", code="type_mismatch")
    if cls is None:
        raise Invalid(f"There is no message of type {kind!r}.", code="unknown_type")
    try:
        return msgspec.convert(claims, cls)
    except msgspec.ValidationError as error:
        raise Invalid(f"The {kind} message is not well formed: {error}.", code="claims") from None


def read_plain(payload: bytes, cls: type[T]) -> T | None:
    """Read a payload in which nothing can be ambiguous, in half the time; None leaves it to `read_strictly`.

    All claims but the version are strings, and none may be missing. So a flat object with no escapes has each claim
    once exactly when it has that many quotation marks; what else could be tasted differently is numbers, which are
    only the one version there is.
    """
    found = _plain(cls)
    if found is None:
        return None
    decoder, tag, quotes = found
    if payload.count(b'"') != quotes or tag not in payload or b"\\" in payload or payload.count(b"{") != 1:
        return None
    try:
        read: T = decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return read


@lru_cache(maxsize=256)
def _plain(cls: type[T]) -> tuple[msgspec.json.Decoder[T], bytes, int] | None:
    """Return how to read a type whose claims are all there and all strings but the version, if it is one.

    With its tag as compact JSON has it, and the quotation marks of the whole.
    """
    hints = get_type_hints(cls, include_extras=True)
    fields = {name: hints[name] for name in cls.__struct_fields__}
    others = {
        name for name, hint in fields.items() if get_origin(hint) is not Annotated or get_args(hint)[0] is not str
    }
    tag = cls.__struct_config__.tag
    if others != {"version"} or cls.__struct_defaults__ or fields["version"] != Literal[1] or not tag:
        return None
    # Each name has two; each value too, but the version's. The type, which is no field, comes on top.
    quotes = 2 * (len(fields) + 1) + 2 * len(fields)
    return msgspec.json.Decoder(cls), f'"type":"{tag}"'.encode(), quotes


def day_of(at_ms: int) -> date:
    """Return the day of a moment, in UTC. Units: unix milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()
