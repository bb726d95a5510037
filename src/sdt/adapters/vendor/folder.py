"""A vendor's folder: vendor.toml, mappings, schemas and samples, read and compiled once.

Everything that can be known to be wrong before the first call is told here, all of it at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from sdt.adapters.vendor.errors import VendorFolderInvalid
from sdt.adapters.vendor.functions import Functions
from sdt.adapters.vendor.kinds import Operation, operations
from sdt.adapters.vendor.mapping import Mapper, MappingInvalid
from sdt.adapters.vendor.schemas import Schema, SchemaInvalid
from sdt.adapters.vendor.spec import ApiKey, Ask, Hmac, OperationSpec, VendorSpec

__all__ = ["SPEC_FILE", "CompiledAsk", "CompiledOperation", "Folder", "load_folder", "placeholders"]

SPEC_FILE: Final = "vendor.toml"
FILE_BYTES_MAX: Final = 262_144
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_OURS_ALONE: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-type", "content-encoding", "accept-encoding"}
)
"""Headers that say how a request is framed: a folder that set them could hide one request in another."""
_HMAC_FIELDS: Final = frozenset({"method", "path", "timestamp", "body", "body_sha256"})


@dataclass(frozen=True, slots=True)
class CompiledAsk:
    """How to learn what became of an order."""

    spec: Ask
    query: dict[str, Mapper]
    absent: Mapper | None
    answer: Mapper
    answer_schema: Schema


@dataclass(frozen=True, slots=True)
class CompiledOperation:
    """One operation: what the kind demands and how this vendor does it."""

    kind: Operation
    spec: OperationSpec
    query: dict[str, Mapper]
    request: Mapper | None
    request_schema: Schema | None
    answer: Mapper
    answer_schema: Schema
    ask: CompiledAsk | None


@dataclass(frozen=True, slots=True)
class Folder:
    """A vendor ready to be spoken to."""

    path: Path
    spec: VendorSpec
    operations: dict[str, CompiledOperation]
    refusal_code: Mapper
    refused: Mapper | None

    @property
    def names(self) -> frozenset[str]:
        """Every member that a schema of this folder names, or the list of what a trace may show."""
        found = frozenset(name for path in self.spec.trace.keep for name in path.replace("[]", "").split("."))
        for operation in self.operations.values():
            found |= operation.answer_schema.names
            if operation.request_schema is not None:
                found |= operation.request_schema.names
            if operation.ask is not None:
                found |= operation.ask.answer_schema.names
        return found

    def sample(self, name: str) -> bytes:
        """Return a sample answer of the vendor's, exactly as it is written."""
        return (self.path / name).read_bytes()


def load_folder(path: Path) -> Folder:
    """Read and compile a folder.

    Errors: VendorFolderInvalid with a line for everything that is wrong.
    """
    spec = _spec(path)
    reader = _Reader(path, spec)
    compiled = reader.compile()
    if reader.problems:
        raise VendorFolderInvalid(reader.problems)
    return compiled


def placeholders(template: str) -> list[str]:
    """Return the names in braces of a path or a message."""
    return _PLACEHOLDER.findall(template)


def _spec(path: Path) -> VendorSpec:
    file = path / SPEC_FILE
    try:
        text = file.read_bytes()
        if len(text) > FILE_BYTES_MAX:
            raise VendorFolderInvalid([f"{file}: is larger than {FILE_BYTES_MAX} bytes"])
        return msgspec.toml.decode(text, type=VendorSpec)
    except OSError as error:
        raise VendorFolderInvalid([f"{file}: {error.strerror}"]) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VendorFolderInvalid([f"{file}: {_like_a_compiler(str(error))}"]) from None


def _like_a_compiler(message: str) -> str:
    """`Expected `str`, got `int` - at `$.auth.style`` -> `auth.style: expected `str`, got `int``."""
    what, _, place = message.partition(" - at `$")
    place = place.rstrip("`").lstrip(".")
    return f"{place}: {what}" if place else what


@dataclass
class _Reader:
    """Compiles a folder and gathers what is wrong with it."""

    path: Path
    spec: VendorSpec
    problems: list[str] = field(default_factory=list)
    _schemas: dict[str, Schema | None] = field(default_factory=dict)
    _mappers: dict[str, Mapper | None] = field(default_factory=dict)

    def compile(self) -> Folder:
        spec = self.spec
        self._functions = Functions(spec.tables)
        wanted = operations(spec.kind)
        for name in spec.operations.keys() - wanted.keys():
            self._wrong(f"operations.{name}", f"the kind {spec.kind} has no such operation; it has {', '.join(wanted)}")
        for name in wanted.keys() - spec.operations.keys():
            self._wrong(f"operations.{name}", f"is missing; the kind {spec.kind} needs it")
        for at, header in self._headers():
            if header.lower() in _OURS_ALONE:
                self._wrong(at, f"the header {header} is set by the platform alone")
        if isinstance(spec.auth, Hmac) and set(placeholders(spec.auth.message)) - _HMAC_FIELDS:
            self._wrong("auth.message", f"may name {', '.join(sorted(_HMAC_FIELDS))}")
        compiled = {
            name: self._operation(wanted[name], operation)
            for name, operation in spec.operations.items()
            if name in wanted
        }
        code = self._expression("refusal_code", spec.refusal_code)
        refused = self._expression("refused", spec.refused) if spec.refused else None
        return Folder(self.path, spec, compiled, code, refused)

    def _headers(self) -> Iterator[tuple[str, str]]:
        """Every header that the folder sets, and where it does."""
        yield from ((f"headers.{name}", name) for name in self.spec.headers)
        auth = self.spec.auth
        if isinstance(auth, ApiKey):
            yield "auth.header", auth.header
        if isinstance(auth, Hmac):
            yield from (("auth", one) for one in (auth.key_header, auth.time_header, auth.signature_header))
        for name, operation in self.spec.operations.items():
            if operation.idempotency is not None and operation.idempotency.header is not None:
                yield f"operations.{name}.idempotency.header", operation.idempotency.header

    def _operation(self, kind: Operation, spec: OperationSpec) -> CompiledOperation:
        at = f"operations.{kind.name}"
        self._check_path(f"{at}.path", spec.path, kind)
        if spec.method == "GET" and (spec.request or spec.request_schema):
            self._wrong(f"{at}.request", "a GET has no body; put what it needs into path and query")
        if (spec.request is None) != (spec.request_schema is None):
            self._wrong(f"{at}.request", "request and request_schema go together")
        if not kind.order and spec.idempotency is not None:
            self._wrong(f"{at}.idempotency", "this operation only looks, so nothing can be done twice")
        if not kind.order and spec.ask is not None:
            self._wrong(f"{at}.ask", "this operation only looks; it is simply done again")
        if kind.order and spec.method == "GET":
            self._wrong(f"{at}.method", "an order is no GET")
        if kind.order and spec.idempotency is None and spec.ask is None:
            self._wrong(f"{at}.idempotency", "an order needs a key, or an `ask`, or both: else it could be done twice")
        if spec.idempotency is not None:
            if (spec.idempotency.header is None) == (spec.idempotency.field is None):
                self._wrong(f"{at}.idempotency", "name either a header or a field of the body")
            if spec.idempotency.field is not None and spec.request is None:
                self._wrong(f"{at}.idempotency.field", "there is no body to put it into")
        self._exists(f"{at}.answer_sample", spec.answer_sample)
        answer = self._mapping(f"{at}.answer", spec.answer)
        answer_schema = self._schema(f"{at}.answer_schema", spec.answer_schema)
        return CompiledOperation(
            kind,
            spec,
            {name: self._expression(f"{at}.query.{name}", text) for name, text in spec.query.items()},
            self._mapping(f"{at}.request", spec.request) if spec.request else None,
            self._schema(f"{at}.request_schema", spec.request_schema) if spec.request_schema else None,
            answer,
            answer_schema,
            self._ask(f"{at}.ask", spec.ask, kind, answer, answer_schema) if spec.ask else None,
        )

    def _ask(self, at: str, ask: Ask, kind: Operation, answer: Mapper, schema: Schema) -> CompiledAsk:
        self._check_path(f"{at}.path", ask.path, kind, "key")
        if ask.answer_sample:
            self._exists(f"{at}.answer_sample", ask.answer_sample)
        if len({ask.answer is None, ask.answer_schema is None, ask.answer_sample is None}) > 1:
            self._wrong(f"{at}.answer", "answer, answer_schema and answer_sample go together")
        return CompiledAsk(
            ask,
            {name: self._expression(f"{at}.query.{name}", text) for name, text in ask.query.items()},
            self._expression(f"{at}.absent", ask.absent) if ask.absent else None,
            self._mapping(f"{at}.answer", ask.answer) if ask.answer else answer,
            self._schema(f"{at}.answer_schema", ask.answer_schema) if ask.answer_schema else schema,
        )

    def _check_path(self, at: str, template: str, kind: Operation, *more: str) -> None:
        if "{" in _PLACEHOLDER.sub("", template) or "}" in _PLACEHOLDER.sub("", template):
            self._wrong(at, "a brace is not closed")
        if {".", ".."} & set(template.split("/")):
            self._wrong(at, "a path climbs nowhere")
        known = {*kind.parameters, *more} | ({"key"} if kind.order else set())
        for name in placeholders(template):
            if name.partition(".")[0] not in known:
                self._wrong(at, f"there is no {{{name}}} in our request; it has {', '.join(sorted(known))}")

    def _mapping(self, at: str, name: str) -> Mapper:
        if name not in self._mappers:
            text = self._read(at, name)
            self._mappers[name] = None if text is None else self._compiled(name, at, text.decode(errors="replace"))
        return self._mappers[name] or _NOTHING

    def _expression(self, at: str, text: str) -> Mapper:
        return self._compiled(SPEC_FILE, at, text) or _NOTHING

    def _compiled(self, file: str, at: str, text: str) -> Mapper | None:
        try:
            return Mapper(text, self._functions, self.spec.tables)
        except MappingInvalid as error:
            self.problems.append(f"{self.path / file}: {at}: {error}")
            return None

    def _schema(self, at: str, name: str) -> Schema:
        if name not in self._schemas:
            text = self._read(at, name)
            try:
                self._schemas[name] = None if text is None else Schema(text)
            except SchemaInvalid as error:
                self.problems.append(f"{self.path / name}: {at}: {error}")
                self._schemas[name] = None
        return self._schemas[name] or _ANYTHING

    def _read(self, at: str, name: str) -> bytes | None:
        try:
            with (self.path / name).open("rb") as file:
                text = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            self.problems.append(f"{self.path / name}: {at}: {error.strerror}")
            return None
        if len(text) > FILE_BYTES_MAX:
            self.problems.append(f"{self.path / name}: {at}: is larger than {FILE_BYTES_MAX} bytes")
            return None
        return text

    def _exists(self, at: str, name: str) -> None:
        if not (self.path / name).is_file():
            self.problems.append(f"{self.path / name}: {at}: No such file or directory")

    def _wrong(self, at: str, what: str) -> None:
        self.problems.append(f"{self.path / SPEC_FILE}: {at}: {what}")


_NOTHING: Final = Mapper("@", Functions({}), {})
_ANYTHING: Final = Schema(b"{}")


def unused(folder: Folder) -> list[str]:
    """Return the files of a folder that nothing in it names."""
    named: set[Any] = {SPEC_FILE}
    for operation in folder.operations.values():
        spec = operation.spec
        named |= {spec.answer, spec.answer_schema, spec.answer_sample, spec.request, spec.request_schema}
        if spec.ask:
            named |= {spec.ask.answer, spec.ask.answer_schema, spec.ask.answer_sample}
    own = (file for file in folder.path.iterdir() if file.suffix in (".toml", ".jmespath", ".json"))
    return sorted(file.name for file in own if file.name not in named)
