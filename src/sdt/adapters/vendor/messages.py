"""From our message to a vendor's and back: mapped, and held against both sides' schemas on the way.

Errors name the operation and the place in the schema, never a value.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from sdt.adapters.vendor.answers import AnswerUnreadable, read_json
from sdt.adapters.vendor.canonical import build, to_json
from sdt.adapters.vendor.folder import CompiledOperation
from sdt.adapters.vendor.mapping import Mapper, MappingFailed
from sdt.adapters.vendor.schemas import Schema
from sdt.adapters.vendor.spec import Idempotency, PathTemplate
from sdt.adapters.vendor.transport import BadAddress, filled_path, query_text
from sdt.domain.errors import NotFound, SdtError, Unprocessable
from sdt.ports.evidence import Evidence, VendorFault

__all__ = ["Prepared", "addressed", "key_text", "our_answer", "prepare", "read_answer", "values_of"]

_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)
_NAMESPACE: Final = uuid.UUID("6f2b1c54-3f0a-5c7e-9a51-8a5d0f7e2c11")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to be sent, as often as needed."""

    path: str
    body: bytes
    headers: dict[str, str]
    sent: Any
    values: dict[str, Any]


def prepare(operation: CompiledOperation, arguments: dict[str, Any], key: str | None) -> Prepared:
    """Map a request and hold it against the vendor's schema.

    Errors: Unprocessable when the vendor's schema does not take what we would send; VendorFault when the mapping does
    not fit our message; NotFound for an id that no vendor could have given.
    """
    spec, name = operation.spec, operation.kind.name
    values = values_of(operation, arguments, key)
    headers: dict[str, str] = {}
    sent: Any = None
    if operation.request is not None:
        sent = _mapped(operation.request, values, f"{name}: {spec.request}")
    if spec.idempotency is not None and spec.idempotency.header is not None:
        headers[spec.idempotency.header] = values["key"]
    if spec.idempotency is not None and spec.idempotency.field is not None:
        if not isinstance(sent, dict):
            raise VendorFault(f"{name}: {spec.request} makes no object to put the key into.")
        sent[spec.idempotency.field] = values["key"]
    if operation.request_schema is not None and (problem := operation.request_schema.problem(sent)) is not None:
        raise Unprocessable(
            f"{name}: what we would send does not fit {spec.request_schema} at {problem}.", code="schema"
        )
    path = addressed(spec.path, operation.query, values, name)
    body = b"" if sent is None else msgspec.json.encode(sent)
    if body:
        headers["Content-Type"] = "application/json"
    return Prepared(path, body, headers, sent, values)


def values_of(operation: CompiledOperation, arguments: dict[str, Any], key: str | None) -> dict[str, Any]:
    """Return what mappings and paths are made from: our message and, of an order, its key as the vendor takes it."""
    values = {parameter: to_json(arguments[parameter]) for parameter in operation.kind.parameters}
    if key is not None:
        values["key"] = key_text(operation.spec.idempotency or Idempotency(), operation.kind.name, key)
    return values


def addressed(template: PathTemplate, query: dict[str, Mapper], values: dict[str, Any], name: str) -> str:
    """Return path and query, escaped.

    Errors: NotFound for an id that no vendor could have given; VendorFault for a query that does not fit.
    """
    try:
        path = filled_path(template, values)
    except BadAddress as error:
        raise NotFound(f"{name}: {error}.") from None
    try:
        return path + query_text({one: _mapped(mapper, values, f"{name}: {one}") for one, mapper in query.items()})
    except BadAddress as error:
        raise VendorFault(f"{name}: {error}.") from None


def key_text(spec: Idempotency, name: str, key: str) -> str:
    """Return the idempotency key as this vendor takes it: the same for the same order, for ever."""
    text = (spec.key or f"{name}.{{key}}").replace("{key}", key)
    if spec.form == "uuid":
        return str(uuid.uuid5(_NAMESPACE, text))
    return text if _KEY.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()


def read_answer(document: bytes) -> Any:
    """Read an answer's JSON.

    Errors: VendorFault.
    """
    try:
        return read_json(document)
    except AnswerUnreadable as error:
        raise VendorFault(f"The vendor's answer cannot be read: {error}.") from None


def our_answer(operation: CompiledOperation, mapper: Mapper, schema: Schema, value: Any, document: bytes) -> Any:
    """Return what a vendor's answer is to us, with its exact bytes as evidence.

    Errors: VendorFault for anything that is not in the agreed form.
    """
    name = operation.kind.name
    if (problem := schema.problem(value)) is not None:
        raise VendorFault(f"{name}: the answer does not fit {operation.spec.answer_schema} at {problem}.")
    ours = _mapped(mapper, value, f"{name}: {operation.spec.answer}")
    try:
        read = msgspec.convert(ours, operation.kind.answer)
        return build(operation.kind.answers, read, Evidence(document))
    except msgspec.ValidationError as error:
        place = str(error).rpartition(" - at ")[2] if " - at " in str(error) else "`$`"
        raise VendorFault(f"{name}: {operation.spec.answer} makes something else than our answer at {place}.") from None
    except (SdtError, ValueError) as error:
        raise VendorFault(f"{name}: the answer makes no {type(error).__name__} sense.") from None


def _mapped(mapper: Mapper, value: Any, what: str) -> Any:
    try:
        return mapper(value)
    except MappingFailed as error:
        raise VendorFault(f"{what}: {error}.") from None
