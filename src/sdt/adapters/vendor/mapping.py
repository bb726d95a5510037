"""One mapping: a JMESPath expression, compiled once, with its functions and tables checked before it is ever used.

What goes wrong in it is told without any value, for values are people's names and bank numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jmespath
from jmespath import exceptions
from jmespath.visitor import Options

from sdt.adapters.vendor.functions import Functions, Refused

__all__ = ["EXPRESSION_CHARS_MAX", "Mapper", "MappingFailed", "MappingInvalid"]

EXPRESSION_CHARS_MAX: Final = 32_768
EXPRESSION_DEPTH_MAX: Final = 50
_LOOKUPS: Final = ("lookup", "lookup_back")


class MappingInvalid(Exception):
    """The expression cannot be used; the text says where and why."""


class MappingFailed(Exception):
    """The expression does not fit what it was given."""


def _depth(source: str) -> int:
    """Return how deep brackets stand in each other, those within quotes aside: how deep the parser would recurse."""
    depth = deepest = 0
    quote = ""
    for before, character in zip(" " + source, source, strict=False):
        if quote:
            quote = "" if character == quote and before != "\\" else quote
        elif character in "'`\"":
            quote = character
        elif character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


class Mapper:
    """A compiled expression. Lines that begin with # are comments."""

    def __init__(self, text: str, functions: Functions, tables: Mapping[str, object]) -> None:
        """Errors: MappingInvalid."""
        if len(text) > EXPRESSION_CHARS_MAX:
            raise MappingInvalid(f"is longer than {EXPRESSION_CHARS_MAX} characters")
        lines = ("" if line.lstrip().startswith("#") else line for line in text.splitlines())
        source = "\n".join(lines)
        if _depth(source) > EXPRESSION_DEPTH_MAX:
            raise MappingInvalid("is nested too deeply")
        try:
            self._compiled = jmespath.compile(source)
            for node in _nodes(self._compiled.parsed):
                _check(node, functions, tables)
        except exceptions.EmptyExpressionError:
            raise MappingInvalid("holds no expression") from None
        except (exceptions.ParseError, exceptions.LexerError) as error:
            raise MappingInvalid(_place(source, error)) from None
        except RecursionError:
            raise MappingInvalid("is nested too deeply") from None
        self._options = Options(custom_functions=functions)

    def __call__(self, value: Any) -> Any:
        """Return what the expression makes of a message.

        Errors: MappingFailed.
        """
        try:
            return self._compiled.search(value, options=self._options)
        except Refused as error:
            raise MappingFailed(str(error)) from None
        except exceptions.JMESPathTypeError as error:
            raise MappingFailed(f"{error.function_name} was given {error.actual_type}") from None
        except exceptions.JMESPathError as error:
            raise MappingFailed(type(error).__name__) from None
        except RecursionError:
            raise MappingFailed("it is nested too deeply") from None
        except (TypeError, ValueError, AttributeError) as error:
            # JMESPath's own functions meet some values unprepared, such as a sum of nulls.
            raise MappingFailed(type(error).__name__) from None


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("children", ()):
        if isinstance(child, Mapping):
            yield from _nodes(child)


def _check(node: Mapping[str, Any], functions: Functions, tables: Mapping[str, object]) -> None:
    if node["type"] != "function_expression":
        return
    name, children = node["value"], node["children"]
    known = functions.FUNCTION_TABLE
    if name not in known:
        raise MappingInvalid(f"there is no function {name}(); docs/vendors.md lists them")
    wanted = known[name]["signature"]
    if len(children) != len(wanted) and not (wanted and wanted[-1].get("variadic")):
        raise MappingInvalid(f"{name}() takes {len(wanted)} arguments, not {len(children)}")
    if name in _LOOKUPS:
        first = children[0]
        if first["type"] != "literal" or first["value"] not in tables:
            raise MappingInvalid(f"{name}() names a table of vendor.toml first, such as {name}('outcome', status)")


def _place(source: str, error: Any) -> str:
    at = getattr(error, "lex_position", None) or getattr(error, "lexer_position", None) or 0
    before = source[: int(at)]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    token = getattr(error, "token_value", None)
    near = f" near {token!r}" if token else ""
    return f"line {line}, column {column}: this is not JMESPath{near}"
