"""Our messages to vendors as JSON: derived from the dataclasses of the ports, so that there is one source of truth.

An amount is `{"asset": "USD/2", "units": "12000"}`, a date `2026-11-26`, a time of day `15:04:05`, a moment RFC 3339,
bytes base64, an enum its value.
Evidence is not in it: the exact bytes of the answer are added to whatever is built from it.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from sdt.domain.money import Amount, Asset, units_from_digits
from sdt.ports.evidence import Evidence

__all__ = ["build", "personal_values", "shape", "to_json"]

INTEGER_MAX: Final = 2**53
"""Largest integer that every JSON reader keeps exactly."""
TEXT_MAX: Final = 4096

_Text = Annotated[str, Meta(max_length=TEXT_MAX)]
_Integer = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
_Moment = Annotated[datetime, Meta(tz=True)]
_AssetText = Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,11}/[0-9]{1,2}\Z")]
_Digits = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,18})\Z")]


class _Amount(Struct, frozen=True, forbid_unknown_fields=True):
    """A quantity: digits in the asset's smallest unit."""

    asset: _AssetText
    units: _Digits


_PLAIN: Final[dict[Any, Any]] = {
    str: _Text,
    int: _Integer,
    datetime: _Moment,
    Asset: _AssetText,
    Amount: _Amount,
}


@cache
def shape(of: Any) -> Any:
    """Return the type with which msgspec reads, checks and describes the JSON of one of the ports' types."""
    if of in _PLAIN:
        return _PLAIN[of]
    origin, arguments = get_origin(of), get_args(of)
    if origin is Annotated:
        return of
    if origin in (Union, types.UnionType):
        return Union[tuple(shape(one) for one in arguments)]  # noqa: UP007 - built at run time
    if origin is tuple:
        return tuple[tuple(one if one is Ellipsis else shape(one) for one in arguments)]  # type: ignore[misc]
    if is_dataclass(of):
        return _struct(of)
    assert of in (bool, float, bytes, date, time, type(None)) or issubclass(of, Enum), f"{of} has no canonical form"
    return of


@cache
def _hints(of: Any) -> dict[str, Any]:
    """The types of a dataclass's members; looking them up takes longer than anything else here."""
    return get_type_hints(of, include_extras=True)


def _struct(of: Any) -> type[Struct]:
    hints = _hints(of)
    members: list[Any] = []
    for field in fields(of):
        if hints[field.name] is Evidence:
            continue
        member = (field.name, shape(hints[field.name]))
        members.append(member if field.default is MISSING else (*member, field.default))
    made = msgspec.defstruct(of.__name__, members, frozen=True, forbid_unknown_fields=True, kw_only=True)
    made.__doc__ = of.__doc__
    return made


def build(of: Any, value: Any, evidence: Evidence) -> Any:
    """Return one of the ports' objects from what `shape` read, with the evidence wherever it belongs.

    Errors: Invalid for an amount that is none.
    """
    if value is None:
        return None
    if of is Amount:
        return Amount(units_from_digits(value.units), Asset.parse(value.asset))
    if of is Asset:
        return Asset.parse(value)
    origin, arguments = get_origin(of), get_args(of)
    if origin in (Union, types.UnionType):
        (inner,) = (one for one in arguments if one is not type(None))
        return build(inner, value, evidence)
    if origin is tuple:
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(build(kind, one, evidence) for kind, one in zip(kinds, value, strict=True))
    if not is_dataclass(of):
        return value
    made: Any = of
    return made(
        **{
            name: evidence if hint is Evidence else build(hint, getattr(value, name), evidence)
            for name, hint in _hints(made).items()
        }
    )


def to_json(value: Any) -> Any:
    """Return one of the ports' objects as JSON's own types."""
    if isinstance(value, Amount):
        return {"asset": str(value.asset), "units": str(value.units)}
    if isinstance(value, Asset):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name))
            for field in fields(value)
            if not isinstance(getattr(value, field.name), Evidence)
        }
    if isinstance(value, tuple | list):
        return [to_json(one) for one in value]
    return msgspec.to_builtins(value)


def personal_values(value: Any) -> list[str]:
    """Return every text in a message that is personal: what its dataclass never prints."""
    if isinstance(value, tuple | list):
        return [text for one in value for text in personal_values(one)]
    if not is_dataclass(value) or isinstance(value, type | Evidence):
        return []
    found = []
    for field in fields(value):
        member = getattr(value, field.name)
        found += personal_values(member)
        if not field.repr and not is_dataclass(member) and member is not None:
            found.append(str(to_json(member)))
    return found
