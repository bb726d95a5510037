"""Which operations of Amazon's services a function of ours may come to call: read off the source, run by nobody.

What is reached is over-estimated (every method of a class that is named, every branch), so it is good for saying that
something is never called.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import botocore.session
from botocore import xform_name

SOURCE = Path(__file__).resolve().parents[1] / "src"
SERVICES = ("kms", "secretsmanager", "sqs", "ssm", "s3", "sns", "cloudwatch", "sts", "dynamodb")
# Calls that send several at once are allowed by the right to send one.
_ONE_OF_MANY = re.compile(r"(?<=sqs:)(.+)Batch$")
_SPEAKS = re.compile(r"adapters\.aws|botocore|self\._client\b|sqs_calls")
"""How a module that calls a client of Amazon's is told from one that has a method of the same name."""

Place = tuple[str, str]
"""A module, and a name at its top; no name is the module's own statements."""


@dataclass
class _Module:
    """A module by its top-level names: what each is made of, and where the imported ones come from."""

    text: str
    bodies: dict[str, list[ast.AST]] = field(default_factory=dict)
    imported: dict[str, Place] = field(default_factory=dict)


@cache
def _operations() -> dict[str, str]:
    """Return the actions that IAM knows by the client's names for them."""
    session = botocore.session.get_session()
    found = {}
    for service in SERVICES:
        for operation in session.get_service_model(service).operation_names:
            found[xform_name(operation)] = _ONE_OF_MANY.sub(r"\1", f"{service}:{operation}")
    return found


def actions_from(module: str, name: str) -> set[str]:
    """Return the IAM actions of what is reached from a name of a module."""
    found = set()
    for place, node in _reached((module, name)):
        if not _SPEAKS.search(_read(place[0]).text):
            continue
        for each in ast.walk(node):
            word = (
                each.attr if isinstance(each, ast.Attribute) else each.value if isinstance(each, ast.Constant) else ""
            )
            if word == "rds-db":
                found.add("rds-db:connect")
            elif isinstance(word, str) and word in _operations():
                found.add(_operations()[word])
    return found


def _reached(start: Place) -> Iterator[tuple[Place, ast.AST]]:
    seen, waiting = {start}, [start]
    while waiting:
        place = waiting.pop()
        module = _read(place[0])
        for node in module.bodies.get(place[1], []):
            yield place, node
            for reached in _named(node, module, place[0]):
                if reached not in seen:
                    seen.add(reached)
                    waiting.append(reached)


def _named(node: ast.AST, module: _Module, here: str) -> Iterator[Place]:
    local = _imports(node, here)
    for each in _without_annotations(node):
        if isinstance(each, ast.Name):
            place = local.get(each.id) or module.imported.get(each.id)
            if place is None and each.id in module.bodies:
                place = (here, each.id)
            if place is not None:
                yield from _through(place)


def _through(place: Place) -> Iterator[Place]:
    """Follow a name that a package only passes on to where it stands."""
    module = _read(place[0])
    while place[1] in module.imported:
        place = module.imported[place[1]]
        module = _read(place[0])
    yield place
    yield place[0], ""


@cache
def _read(name: str) -> _Module:
    path = SOURCE.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not name.startswith("sdt") or not file.exists():
        return _Module("")
    module = _Module(file.read_text())
    for node in ast.parse(module.text).body:
        if isinstance(node, ast.ImportFrom | ast.Import):
            module.imported |= _imports(node, name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            module.bodies[node.name] = [node]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and node.value is not None:
                    module.bodies[target.id] = [node.value]
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            module.bodies.setdefault("", []).append(node)
    return module


def _imports(node: ast.AST, here: str) -> dict[str, Place]:
    found = {}
    for each in ast.walk(node):
        if isinstance(each, ast.ImportFrom) and each.module and each.module.startswith("sdt"):
            for alias in each.names:
                whole = SOURCE.joinpath(*each.module.split("."), alias.name)
                is_module = whole.is_dir() or whole.with_suffix(".py").exists()
                place = (f"{each.module}.{alias.name}", "") if is_module else (each.module, alias.name)
                found[alias.asname or alias.name] = place
    return found


def _without_annotations(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree, leaving out what only says types."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        for name, value in ast.iter_fields(each):
            if name not in ("annotation", "returns"):
                waiting += [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, ast.AST)]
