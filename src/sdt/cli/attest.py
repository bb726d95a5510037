"""`sdt attest`: ask the three locations what they run, and check their answers offline."""

from __future__ import annotations

import base64
import json
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdt.cli.options import Home, Json, console, run, show
from sdt.domain.errors import Invalid, SdtError

if TYPE_CHECKING:
    from sdt.domain.attestation import ImagePolicy

__all__ = ["attest"]

NONCE_BYTES = 32
FILE_BYTES_MAX = 256 * 1024

attest = typer.Typer(
    no_args_is_help=True,
    help="Which code the signers run, in which enclaves: fetch their attestation, check it offline.",
)


@attest.command("get")
def get(
    out: Annotated[Path, typer.Option("-o", "--output", help="Where to put it.")] = Path("sdt-attestation.json"),
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Ask every location for an attestation over a fresh nonce, and keep the answers.

    [bold]sdt attest get && sdt attest verify sdt-attestation.json --policy attestation.toml[/bold]

    The platform cannot make these documents: a location's security module signs them, up to Amazon's root.
    """

    async def work() -> dict[str, Any]:
        from sdt.client import Client
        from sdt.local.platform import network_of

        async with Client(await network_of(home)) as client:
            answer: dict[str, Any] = await client.get("/v1/attestation", prove=False, nonce=nonce)
            return answer

    nonce = secrets.token_hex(NONCE_BYTES)
    answer = run(work())
    if answer.get("nonce") != nonce:
        raise Invalid("The API answered another question than was asked.", code="attestation_document")
    out.write_text(json.dumps(answer, indent=1) + "\n")
    attested = sum(1 for one in answer["locations"] if one["document"])
    text = f"{out}: {attested} of {len(answer['locations'])} locations run in an enclave by their own word; verify it"
    show({"file": str(out), "attested": attested}, as_json, text)


@attest.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="What `get` wrote.", exists=True, dir_okay=False)],
    policy: Annotated[
        Path, typer.Option(help="attestation.toml: the images that you let in.", exists=True, dir_okay=False)
    ],
    nonce: Annotated[
        str, typer.Option(help="The nonce in hex that you asked with; without, the one in the file.")
    ] = "",
    at: Annotated[
        str, typer.Option(help="As of this time, such as 2026-11-26T14:30:00Z; without, now.", show_default="now")
    ] = "",
    as_json: Json = False,
) -> None:
    """Check every location's attestation, offline: root, certificates, signature, image, nonce, age, no debug mode.

    It proves that each document's enclave ran exactly an image of your policy, and that this enclave named the chain
    key, the signing key and the location shown. Ends with status 1 unless all three locations pass and agree.
    """
    from sdt.domain.strict_json import parse_object
    from sdt.signing.attestation_policy import load_policy

    content = file.read_bytes()
    if len(content) > FILE_BYTES_MAX:
        raise Invalid("The file is longer than three attestations.", code="attestation_too_long")
    said, rules = parse_object(content), load_policy(policy)
    asked = _nonce(nonce or str(said.get("nonce", "")))
    now_ms = int(_time_s(at) * 1000)
    found = [_judge(one, rules, asked, now_ms) for one in _locations(said)]
    problems = _problems(found)
    if as_json:
        typer.echo(json.dumps({"ok": not problems, "problems": problems, "locations": found}, indent=2))
    else:
        for one in found:
            console.print(_line(one))
        for problem in problems:
            console.print(f"  [red]{problem}[/red]")
    if problems:
        raise typer.Exit(1)


def _nonce(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Invalid("The nonce is not in hex.", code="attestation_document") from None


def _time_s(text: str) -> float:
    if not text:
        return time.time()
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Invalid("Write the time as 2026-11-26T14:30:00Z.", code="bad_time") from None


def _locations(said: dict[str, Any]) -> list[dict[str, Any]]:
    locations = said.get("locations")
    if not isinstance(locations, list) or not all(isinstance(one, dict) for one in locations):
        raise Invalid("The file is not what `sdt attest get` writes.", code="attestation_document")
    return locations


def _judge(one: dict[str, Any], rules: ImagePolicy, nonce: bytes, now_ms: int) -> dict[str, Any]:
    """Return what one location's document proves, or which check it failed."""
    from sdt.domain.attestation import AttestationRefused
    from sdt.signing.attestation import verify_attestation
    from sdt.signing.attested import LocationStatement

    location, document = one.get("location"), one.get("document")
    try:
        if not isinstance(document, str):
            raise AttestationRefused("missing", "The location shows no attestation.")
        try:
            raw = base64.b64decode(document, validate=True)
        except ValueError:
            raise Invalid("The document is not in base64.", code="attestation_document") from None
        checked = verify_attestation(raw, rules, nonce, now_ms)
        said = LocationStatement.of(checked)
        if said.party != location:
            raise AttestationRefused("statement", "The document is of another location.")
        if rules.seals and said.seal not in rules.seals:
            raise AttestationRefused("seal", "The enclave seals its secrets under what the policy does not name.")
    except SdtError as error:
        check = error.check if isinstance(error, AttestationRefused) else error.code
        return {"location": location, "ok": False, "check": check, "detail": error.detail}
    return {
        "location": location,
        "ok": True,
        "network": said.network,
        "chain_key": said.chain_key,
        "intent_key": said.intent_key,
        "agreement": said.agreement,
        "seal": said.seal,
        "module": checked.module_id,
        "pcr0": checked.pcrs[0].hex(),
        "at": datetime.fromtimestamp(checked.timestamp_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _problems(found: list[dict[str, Any]]) -> list[str]:
    problems = []
    if sorted(str(one["location"]) for one in found) != ["1", "2", "3"]:
        problems.append("There are not three locations.")
    bad = [str(one["location"]) for one in found if not one["ok"]]
    if bad:
        problems.append(f"Not attested: location {', '.join(bad)}.")
    good = [one for one in found if one["ok"]]
    differ = [name for name in ("network", "chain_key", "agreement") if len({one[name] for one in good}) > 1]
    return problems + [f"The locations differ in their {name}." for name in differ]


def _line(one: dict[str, Any]) -> str:
    if not one["ok"]:
        return f"  location {one['location']}  [red]{one['check']}[/red]  {one['detail']}"
    return (
        f"  location {one['location']}  [green]attested[/green] at {one['at']}, module {one['module']}\n"
        f"    chain key {one['chain_key'] or 'none yet'}, image {one['pcr0'][:16]}…"
    )
