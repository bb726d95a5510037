"""A vendor's JSON Schema: compiled once, fetching nothing, and with no pattern that a hostile text could stall.

Source: JSON Schema, draft 2020-12.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import jsonschema
from jsonschema import Draft202012Validator, validators
from referencing import Registry

from sdt.domain.strict_json import NESTING_MAX, nests_too_deep

__all__ = ["PATTERN_TEXT_MAX", "Schema", "SchemaInvalid"]

SCHEMA_BYTES_MAX: Final = 262_144
PATTERN_TEXT_MAX: Final = 4096
"""A longer text is refused before a pattern looks at it."""
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_UNBOUNDED: Final = 1_000


class SchemaInvalid(Exception):
    """The schema cannot be used; the text says why."""


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and (len(instance) > PATTERN_TEXT_MAX or not re.search(pattern, instance)):
        yield jsonschema.ValidationError("pattern")


_Validator: Final[Any] = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _pattern}
)


class Schema:
    """A compiled schema."""

    def __init__(self, text: bytes) -> None:
        """Errors: SchemaInvalid."""
        if len(text) > SCHEMA_BYTES_MAX:
            raise SchemaInvalid(f"is larger than {SCHEMA_BYTES_MAX} bytes")
        if nests_too_deep(text):
            raise SchemaInvalid(f"is nested deeper than {NESTING_MAX}")
        try:
            schema = json.loads(text)
            Draft202012Validator.check_schema(schema)
            _check(schema)
        except ValueError as error:
            raise SchemaInvalid(f"is not JSON: {error}") from None
        except jsonschema.SchemaError as error:
            raise SchemaInvalid(f"{error.json_path}: {error.message}") from None
        self._validator = _Validator(schema, registry=Registry())
        self.names = frozenset(
            name
            for key, value in _keywords(schema)
            if key == "properties" and isinstance(value, dict)
            for name in value
        )
        """Every member that the schema names."""
        self.closed = _closed(schema) and all(_closed(below) for below in schema.get("$defs", {}).values())
        """Whether nothing fits that has a member which the schema does not name."""

    def problem(self, value: Any) -> str | None:
        """Return where a message does not fit, told by the schema's own words and never the message's; None if it does.

        A text that a schema's reference cannot resolve, or that is nested without end, does not fit either.
        """
        try:
            error = next(self._validator.iter_errors(value), None)
        except RecursionError:
            return "nested too deeply"
        if error is None:
            return None
        steps = [str(step) for step in error.absolute_schema_path]
        return "/".join(steps)


def _check(schema: Any) -> None:
    for key, value in _keywords(schema):
        if key in ("$ref", "$dynamicRef") and (not isinstance(value, str) or not value.startswith("#")):
            raise SchemaInvalid(f"{key}: only what stands in the same file may be referred to")
        if key == "$schema" and value != _DRAFT:
            raise SchemaInvalid(f"$schema: only draft 2020-12 is read ({_DRAFT})")
        if key == "pattern" and isinstance(value, str):
            _check_pattern(value)
        if key == "patternProperties" and isinstance(value, dict):
            for pattern in value:
                _check_pattern(pattern)


def _closed(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return schema is False
    if "enum" in schema or "const" in schema or "$ref" in schema:
        return True
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return all(_closed(one) for one in schema[choice])
    types = schema.get("type", ["object"])
    types = [types] if isinstance(types, str) else types
    below = []
    if "object" in types:
        if schema.get("additionalProperties") is not False or "patternProperties" in schema:
            return False
        below += schema.get("properties", {}).values()
    if "array" in types:
        below += [schema.get("items"), *schema.get("prefixItems", ())]
    return all(_closed(one) for one in below)


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield key, value
            yield from _keywords(value)
    elif isinstance(schema, list):
        for one in schema:
            yield from _keywords(one)


def _check_pattern(pattern: str) -> None:
    """Refuse a pattern whose matching may take more than linear steps: a repetition within one, a look back.

    Errors: SchemaInvalid.
    """
    try:
        parsed = re._parser.parse(pattern)  # type: ignore[attr-defined]
    except re.error as error:
        raise SchemaInvalid(f"pattern: {error}") from None
    _refuse_nested(parsed, within=False)


def _refuse_nested(parsed: Any, *, within: bool) -> None:
    for operator, argument in parsed:
        name = str(operator)
        if name in ("GROUPREF", "GROUPREF_EXISTS", "ASSERT", "ASSERT_NOT"):
            raise SchemaInvalid("pattern: looks around or back, which a hostile text could stall")
        repeats = name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
        many = repeats and argument[1] > 1
        if many and within:
            raise SchemaInvalid("pattern: a repetition stands within a repetition, which a hostile text could stall")
        for part in _parts(argument):
            _refuse_nested(part, within=within or (repeats and argument[1] >= _UNBOUNDED))


def _parts(argument: Any) -> Iterator[Any]:
    parser: Any = re._parser  # type: ignore[attr-defined]
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for one in argument:
            yield from _parts(one)
