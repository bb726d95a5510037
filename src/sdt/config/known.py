"""Which keys exist, read off the model, and the refusal of any other with the nearest right name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from sdt.config.errors import ConfigurationInvalid, did_you_mean, nearest

__all__ = ["ANY", "Keys", "keys_of", "leaves", "refuse_unknown"]

ANY = "*"
"""Stands for a name that the user gives: a region, a node, a signer."""

Keys = dict[str, "Keys | None"]


def keys_of(model: type[BaseModel]) -> Keys:
    """Return the tree of keys of a model; None marks a value, ANY a name of the user's choice."""
    return {name: _below(field.annotation) for name, field in model.model_fields.items()}


def _below(annotation: Any) -> Keys | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return keys_of(annotation)
    if get_origin(annotation) is dict:
        return {ANY: _below(get_args(annotation)[1])}
    return None


def leaves(keys: Keys, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every value in the tree."""
    for name, below in keys.items():
        if below is None:
            yield prefix + name
        else:
            yield from leaves(below, f"{prefix}{name}.")


def refuse_unknown(table: Mapping[str, Any], keys: Keys, where: str) -> None:
    """Refuse a table that has a key the model has not.

    Errors: ConfigurationInvalid, naming the place and the nearest right key.
    """
    for name, value in table.items():
        if name not in keys and ANY not in keys:
            hint = did_you_mean(nearest(name, keys), keys)
            raise ConfigurationInvalid(f"{where}: there is no setting {name!r}; {hint}")
        below = keys[name] if name in keys else keys[ANY]
        if isinstance(value, Mapping):
            if below is None:
                raise ConfigurationInvalid(f"{where}: {name!r} is one value, not a table")
            refuse_unknown(value, below, f"{where}.{name}")
        elif below is not None:
            raise ConfigurationInvalid(f"{where}: {name!r} is a table, not one value")
        elif isinstance(value, str) and value.startswith("@") and not value.startswith("@str "):
            # Dynaconf would evaluate templates and casts here; a settings file is data.
            raise ConfigurationInvalid(f"{where}: {name!r} may not begin with '@'")
