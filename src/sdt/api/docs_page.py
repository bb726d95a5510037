"""The description as one page for a browser: no script, nothing fetched from elsewhere."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

import yaml

__all__ = ["docs_page"]

_STYLE: Final = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;padding:.8rem;border:1px solid #8884;border-radius:6px}
details{border-top:1px solid #8884;padding:.5rem 0}summary{cursor:pointer}
summary b{display:inline-block;min-width:4.5rem}
td{padding:.1rem .8rem .1rem 0;vertical-align:top}h2{margin-top:2.5rem}
"""
_CODE: Final = re.compile("`([^`]+)`")


def docs_page(document: dict[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width,initial-scale=1'>",
        f"<title>{escape(document['info']['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(document['info']['title'])}</h1>",
        *(f"<p>{_text(text)}</p>" for text in document["info"]["description"].split("\n\n") if text.strip()),
        "<p><a href=/openapi.yaml>openapi.yaml</a> · <a href=/docs/errors.md>errors</a></p>",
    ]
    for tag in document["tags"]:
        parts.append(f"<h2>{escape(tag['name'].capitalize())}</h2><p>{_text(tag['description'])}</p>")
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation.get("tags", ()):
                    parts.append(_operation(method, path, operation))
    parts.append("<h2>Shapes</h2>")
    for name, schema in document["components"]["schemas"].items():
        shape = yaml.safe_dump(schema, sort_keys=False, allow_unicode=True)
        parts.append(
            f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary>"
            f"<pre>{escape(shape)}</pre></details>"
        )
    return "\n".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(p['name'])}</code><td>{escape(p['in'])}<td>{_text(p.get('description', ''))}"
        for p in operation.get("parameters", ())
    ]
    rows += [
        f"<tr><td><code>{escape(media)}</code><td>body<td>{_shape(content)}"
        for media, content in operation.get("requestBody", {}).get("content", {}).items()
    ]
    answers = [
        f"<tr><td>{escape(status)}<td>{_shapes(answer)}<td>{_text(answer['description'])}"
        for status, answer in sorted(operation["responses"].items())
    ]
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> — "
        f"{_text(operation.get('summary', ''))}</summary><p>{_text(operation.get('description', ''))}</p>"
        f"<table>{''.join(rows)}</table><table>{''.join(answers)}</table></details>"
    )


def _shapes(answer: dict[str, Any]) -> str:
    return ", ".join(_shape(content) for content in answer.get("content", {}).values())


def _shape(content: dict[str, Any]) -> str:
    reference = content.get("schema", {}).get("$ref", "")
    name = reference.rpartition("/")[2]
    return f"<a href='#{escape(name)}'>{escape(name)}</a>" if name else ""


def _text(written: str) -> str:
    """Return words of the description for the page, with what stands in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(written))
