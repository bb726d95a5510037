"""An officer at the command line: the key that speaks, by name in the keys folder or by key file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdt.domain.errors import Forbidden, Invalid, NotFound

if TYPE_CHECKING:
    from sdt.client import Client

__all__ = ["AsOfficer", "Claims", "Yes", "confirm", "exactly", "officer_client", "read_claims", "told"]

AsOfficer = Annotated[
    str,
    typer.Option("--as", help="Which officer signs: a name in the keys folder (compliance, issuer …) or a key file."),
]
Claims = Annotated[list[str] | None, typer.Argument(metavar="CLAIM=TEXT | CLAIM:=JSON", help="Its own claims.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; what is signed is shown all the same.")]


@asynccontextmanager
async def officer_client(home: Path, name: str) -> AsyncIterator[Client]:
    """A client of the running platform that speaks with an officer's key. Errors: NotFound, Unavailable."""
    from nacl.signing import SigningKey

    from sdt.adapters.vault.private_file import read_private
    from sdt.client import Client
    from sdt.local.platform import network_of, settings_of

    folder = settings_of(home).desks.keys_folder
    file = Path(name) if Path(name).suffix == ".key" else folder / f"{name}.key"
    if not file.is_file():
        known = ", ".join(sorted(key.stem for key in folder.glob("*.key")))
        raise NotFound(f"There is no key {file}. Known officers: {known}.", code="key_file_missing")
    key = SigningKey(bytes.fromhex(read_private(file).decode().strip()))
    async with Client(await network_of(home), key) as client:
        yield client


def read_claims(texts: Sequence[str] | None) -> dict[str, Any]:
    """Return claims as they are typed: CLAIM=TEXT, or CLAIM:=JSON for what is no text. Errors: Invalid."""
    claims = [_claim(text) for text in texts or ()]
    twice = {name for name, _ in claims if [other for other, _ in claims].count(name) > 1}
    if twice:
        raise Invalid(f"{', '.join(sorted(twice))}: said more than once.", code="claims")
    return dict(claims)


def _claim(text: str) -> tuple[str, Any]:
    name, colon, value = text.partition(":=")
    if colon and "=" not in name:
        try:
            return name, json.loads(value)
        except ValueError:
            raise Invalid(f"What follows {name}:= is no JSON.", code="claims") from None
    name, equals, value = text.partition("=")
    if not equals:
        raise Invalid(f"{text!r} is not written CLAIM=TEXT or CLAIM:=JSON.", code="claims")
    return name, value


def exactly(claims: Mapping[str, Any]) -> str:
    """Write claims so that nothing in them can hide: what would not be seen, or turns the line, is written out."""
    text = json.dumps(claims, indent=2, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def confirm(text: str, question: str, yes: bool) -> None:
    """Show what is to be signed, on standard error and as it is, and ask. Errors: Forbidden (not_confirmed)."""
    typer.echo(text, err=True)
    if not yes and not typer.confirm(question, err=True):
        raise Forbidden("Nothing was signed.", code="not_confirmed")


def told(act: dict[str, Any]) -> str:
    """Say in a sentence where an act stands."""
    waits = "waits for a second officer: sdt office agree" if act["status"] == "waiting" else act["status"]
    stands = f"{act['type']} {act['act_id']}: {waits}{' ' + act['act_id'] if act['status'] == 'waiting' else ''}"
    return "\n".join([stands, *_to_sign(act["result"])])


def _to_sign(result: dict[str, Any]) -> list[str]:
    """Say which message goes on chain next, where an act that was carried out leaves one to be signed."""
    lines = []
    result = result.get("result", result)  # of an agreement: what the act that was agreed to came to
    if message := result.get("to_sign"):
        claims = " ".join(f"{name}={value}" for name, value in message.items() if name != "type")
        lines.append(f"  then: sdt office sign {message['type']} {claims} --as issuer")
    if tokens := result.get("frozen_tokens"):
        lines.append(f"  still frozen on chain ({', '.join(tokens)}), until: sdt office sign unfreeze")
    return lines
