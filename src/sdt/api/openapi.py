"""The published description: the framework's routes and the two plain ones in one OpenAPI 3.1 document.

`python -m sdt.api.openapi` prints it; `--write` puts openapi.yaml and docs/errors.md in their places; `--check`
exits 1 when they are not what the code says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

import yaml
from fastapi.openapi.utils import get_openapi

from sdt.api import models
from sdt.api.catalog import errors_page
from sdt.api.declared import problems
from sdt.api.hot import BATCH_PATH, ONE_PATH

__all__ = ["document", "document_yaml", "main"]

REPOSITORY: Final = Path(__file__).resolve().parents[3]

_EXAMPLE_JWS: Final = "eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…In0.eyJ0eXBlIjoidHJhbnNmZXIi….MEUCIQ…"
_ABOUT: Final = """\
Pay with tokens that a State backs one to one.

Every act is a signed message (a compact JWS, Ed25519), sent under an id that this API gave; `docs/api.md` shows how,
step by step. Reads of what is not public carry an `SDT-Proof` header. Every refusal is a problem document whose `type`
points at its entry in `docs/errors.md`.
"""


def document() -> dict[str, Any]:
    """Return the description as a dictionary."""
    from sdt.api.app import create_framework

    app = create_framework()
    described = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=_ABOUT,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        tags=_TAGS,
    )
    schemas = described["components"]["schemas"]
    for model in (models.Problem, models.Receipt, models.BatchAnswer, models.BatchAnswers, models.Batch):
        schemas[model.__name__] = _schema(model)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    paths = described["paths"]
    paths.setdefault(ONE_PATH, {})["put"] = _put_one()
    paths[BATCH_PATH] = {"post": _post_batch()}
    for path, operations in paths.items():
        for operation in operations.values():
            _only_declared(operation, path)
    described["paths"] = dict(sorted(paths.items()))
    described["components"]["schemas"] = dict(sorted(schemas.items()))
    return described


_TAGS: Final = [
    {"name": "transactions", "description": "Ids, signed messages, results."},
    {"name": "users", "description": "Registration, handles, keys."},
    {"name": "identity", "description": "Identity checks: status, attempts, documents, renewal."},
    {"name": "accounts", "description": "Balances and history."},
    {"name": "bank accounts", "description": "Where dollars come from and go to."},
    {"name": "region", "description": "What everybody may know."},
    {"name": "desks", "description": "Work for custodian, issuer, approver and KYC desk."},
    {"name": "office", "description": "What officers decide by signed acts, and what they look at."},
    {"name": "operations", "description": "Health and metrics."},
]


def _schema(model: Any) -> dict[str, Any]:
    schema: dict[str, Any] = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return schema


def _only_declared(operation: dict[str, Any], path: str) -> None:
    """Drop what the framework adds by itself and this API answers otherwise: its own 422, its optional header."""
    responses = operation["responses"]
    framework_422 = responses.get("422", {}).get("content", {}).get("application/json")
    if framework_422 is not None:
        del responses["422"]
    if {"proof": []} in operation.get("security", []) and path in ("/v1/transactions", ONE_PATH):
        # Here a proof shows more; without one the answer is what everybody may know.
        operation["security"] = [{}, {"proof": []}]


def _put_one() -> dict[str, Any]:
    receipt = {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}}
    return {
        "tags": ["transactions"],
        "summary": "Send a signed message",
        "operationId": "putTransaction",
        "description": "Store one signed message under its id and queue it. The same bytes again get the same "
        "transaction, for ever; other bytes under the same id are refused with 409.",
        "parameters": [
            {
                "name": "transaction_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "example": "019a8f2e-1c00-7a3b-8c4d-5e6f708192a3",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/jose": {
                    "schema": {"type": "string", "description": "At most 8192 bytes."},
                    "example": _EXAMPLE_JWS,
                }
            },
        },
        "responses": {
            "200": {"description": "It was sent before, and its result is there.", "content": receipt},
            "202": {"description": "It is stored and will be settled or refused.", "content": receipt},
            **{str(status): answer for status, answer in problems(401, 403, 404, 409, 415, 422, 429).items()},
        },
    }


def _post_batch() -> dict[str, Any]:
    return {
        "tags": ["transactions"],
        "summary": "Send up to 500 signed messages",
        "operationId": "postBatch",
        "description": "Each message is judged alone: the answer has one entry for each, in order, with the status "
        "that it would have had by itself. None of them waits for another.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Batch"},
                    "example": {"messages": [_EXAMPLE_JWS]},
                }
            },
        },
        "responses": {
            "202": {
                "description": "An answer for each message.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BatchAnswers"}}},
            },
            **{str(status): answer for status, answer in problems(415).items()},
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes long texts as blocks and repeats instead of using anchors: the file is for people."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def document_yaml() -> str:
    """Return openapi.yaml."""
    return str(yaml.dump(document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110))


def written() -> dict[Path, str]:
    """Return the files that are written from the code, with what belongs in them."""
    return {REPOSITORY / "openapi.yaml": document_yaml(), REPOSITORY / "docs" / "errors.md": errors_page()}


def main() -> int:
    """Print, write or check."""
    parser = argparse.ArgumentParser(prog="python -m sdt.api.openapi", description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--write", action="store_true", help="write openapi.yaml and docs/errors.md")
    choice.add_argument("--check", action="store_true", help="exit 1 when they differ from the code")
    arguments = parser.parse_args()
    if not arguments.write and not arguments.check:
        sys.stdout.write(document_yaml())
        return 0
    stale = 0
    for file, text in written().items():
        if arguments.write:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
        elif not file.exists() or file.read_text("utf-8") != text:
            print(f"{file.name} is not what the code says: run python -m sdt.api.openapi --write")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
