"""`sdt identity`: an account's identity check, as its owner sees it and can act on it."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sdt.cli.options import Home, Json, run, show
from sdt.domain.errors import Invalid

__all__ = ["identity", "read_party", "told"]

identity = typer.Typer(no_args_is_help=True, help="Identity checks: status, second attempts, documents, renewal.")

Name = Annotated[str, typer.Argument(help="Whose wallet.")]
PartyFile = Annotated[
    Path | None,
    typer.Option("--file", exists=True, dir_okay=False, help="A person or a business as JSON; `sdt identity example`."),
]
MEDIA = {".pdf": "application/pdf", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}
PERSON: dict[str, Any] = {
    "given_name": "Alice",
    "family_name": "Archer",
    "born_on": "1988-04-17",
    "address": {"street": "100 Congress Avenue", "city": "Austin", "state": "TX", "postal_code": "78701"},
    "ssn_last4": "1234",
    "email": "alice@example.com",
}
BUSINESS: dict[str, Any] = {
    "legal_name": "Archer Feed and Seed LLC",
    "kind": "llc",
    "ein_last4": "4711",
    "formed_in": "TX",
    "address": PERSON["address"],
    "merchant_category": "5999",
    "control": PERSON,
    "owners": [{"person": PERSON, "share_ppm": "600000"}],
    "certified": True,
}


class DocumentKind(StrEnum):
    """What a document is to show."""

    identity = "identity"
    address = "address"
    formation = "formation"
    ownership = "ownership"


def read_party(file: Path) -> dict[str, Any]:
    """Return a party from a file: `{"person": …}` or `{"business": …}`. Errors: Invalid."""
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Invalid(f"{file} is no JSON object.", code="request")
    return {"business" if "legal_name" in found else "person": found}


def told(check: dict[str, Any]) -> str:
    """Return an identity check in words."""
    lines = [f"identity {check['status']}; next: {check['next']}; attempts left: {check['attempts_left']}"]
    lines += [f"  {reason['text']} {reason['remedy']}" for reason in check["reasons"]]
    if check["residency"]:
        lines.append(f"  residency {check['residency']['status']}")
        lines += [f"    {reason['text']} {reason['remedy']}" for reason in check["residency"]["reasons"]]
    lines += [f"  {s['subject']}: {s['status']}" for s in check["subjects"]]
    if check["documents_of"]:
        lines.append(f"  documents are asked of: {', '.join(check['documents_of'])}")
    if check["expires_at"]:
        lines.append(f"  ends {check['expires_at']}; may be renewed from {check['renewable_from']}")
    lines += [f"  on chain: {e['domain']}, tier {e['tier']}, until {e['expires_at']}" for e in check["established"]]
    return "\n".join(lines)


async def _as(home: Path, name: str, method: str, path: str, body: Any = None) -> Any:
    from sdt.demo.people import actor
    from sdt.local.platform import network_of
    from sdt.wallet import load_wallet

    load_wallet(home, name)
    who = actor(home, await network_of(home), name)
    try:
        return await who.client.request(method, f"/v1/users/me/identity{path}", json=body, prove=True)
    finally:
        await who.client.close()


@identity.command("show")
def show_check(name: Name, home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Show where a check stands, why, and what can be done now."""
    found = run(_as(home, name, "GET", ""))
    show(found, as_json, told(found))


@identity.command("retry")
def retry(
    name: Name,
    file: Annotated[Path, typer.Option("--file", exists=True, dir_okay=False, help="The corrected data as JSON.")],
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Hand in corrected data after a check that failed or asked for documents. There are two attempts in all.

    [bold]sdt identity retry alice --file corrected.json[/bold]

    The data is in a file because a command line is seen by every process of the machine.
    """
    found = run(_as(home, name, "POST", "/attempts", read_party(file)))
    show(found, as_json, told(found))


@identity.command("renew")
def renew(name: Name, file: PartyFile = None, home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Have an identity checked anew before it ends or after, with what has changed or with what is known."""
    found = run(_as(home, name, "POST", "/renewals", read_party(file) if file else {}))
    show(found, as_json, told(found))


@identity.command("document")
def document(
    name: Name,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A PDF, JPEG or PNG of at most 5 MiB.")],
    kind: Annotated[DocumentKind, typer.Option(help="What it is to show.")] = DocumentKind.identity,
    subject: Annotated[str, typer.Option(help="Whom it is about: holder, business, control, owner-1 …")] = "holder",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Hand in a document that was asked for; `sdt identity show` says of whom.

    [bold]sdt identity document alice bill.pdf --kind address[/bold]
    """
    found = run(_hand_in(home, name, file, kind.value, subject))
    show(
        found, as_json, f"{found['kind']} of {found['subject']}: {found['size_bytes']} bytes, sha256 {found['digest']}"
    )


async def _hand_in(home: Path, name: str, file: Path, kind: str, subject: str) -> Any:
    from sdt.demo.people import actor
    from sdt.local.platform import network_of
    from sdt.wallet import load_wallet

    media = MEDIA.get(file.suffix.lower())
    if media is None:
        raise Invalid("A document is a .pdf, .jpg or .png file.", code="document_type")
    load_wallet(home, name)
    who = actor(home, await network_of(home), name)
    try:
        return await who.client.request(
            "POST",
            "/v1/users/me/identity/documents",
            data=file.read_bytes(),
            media=media,
            query={"kind": kind, "subject": subject},
            prove=True,
        )
    finally:
        await who.client.close()


@identity.command("example")
def example(
    business: Annotated[bool, typer.Option("--business", help="A business instead of a person.")] = False,
) -> None:
    """Print invented data as a file for `sdt user add --file`, to be changed with an editor."""
    typer.echo(json.dumps(BUSINESS if business else PERSON, indent=2))
