"""`sdt office`: what officers decide by signed acts and messages, and a second officer's agreement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdt.cli.office_messages import SIGN_HELP, approve, sign, waiting
from sdt.cli.officers import AsOfficer, Claims, Yes, confirm, exactly, officer_client, read_claims, told
from sdt.cli.options import Home, Json, run, show

if TYPE_CHECKING:
    from sdt.client import Client

__all__ = ["office", "second"]

office = typer.Typer(no_args_is_help=True, help="Officers' signed acts, and a second officer's word for them.")
office.command("sign", help=SIGN_HELP)(sign)
office.command("waiting")(waiting)
office.command("approve")(approve)

ActId = Annotated[str, typer.Argument(help="The act's id, as `sdt office list` shows it.")]


@office.command("act")
def act(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="The type of act: clear_match, decide_case, …")],
    claims: Claims = None,
    officer: AsOfficer = "compliance",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Sign an act and send it. The claims that every act has are filled in.

    [bold]sdt office act TYPE case=3f0c… reason="Another date of birth." --as compliance[/bold]

    docs/officials.md lists the acts and their claims. What is refused leaves nothing behind. What goes on chain
    (a freeze, a pause, an adjustment …) is a message: sdt office sign.
    """
    found = run(_act(home, officer, kind, read_claims(claims)))
    show(found, as_json, told(found))


async def _act(home: Path, officer: str, kind: str, claims: dict[str, Any]) -> Any:
    async with officer_client(home, officer) as client:
        return await client.act(kind, claims)


@office.command("agree")
def agree(
    act_id: ActId,
    officer: AsOfficer = "compliance-2",
    yes: Yes = False,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Agree to another officer's act, which is carried out by that.

    [bold]sdt office agree 3f0c1d9e-… --as compliance-2[/bold]

    The act's exact bytes are shown first, and it is their digest that is signed: nobody else's word for it.
    """
    found = run(second(home, officer, act_id, "agree", {}, yes))
    show(found, as_json, told(found))


@office.command("decline")
def decline(
    act_id: ActId,
    reason: Annotated[str, typer.Option(help="Why, for the file.")],
    officer: AsOfficer = "compliance-2",
    yes: Yes = False,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Turn down another officer's act, or withdraw your own. Nothing of it is done."""
    found = run(second(home, officer, act_id, "decline", {"reason": reason}, yes))
    show(found, as_json, told(found))


async def second(home: Path, officer: str, act_id: str, kind: str, claims: dict[str, Any], yes: bool) -> Any:
    """Read an act's exact bytes and sign their digest: `agree` or `decline`."""
    async with officer_client(home, officer) as client:
        digest, text = await _read(client, act_id)
        confirm(text, f"{kind} to this?", yes)
        return await client.act(kind, {"digest": digest, **claims})


async def _read(client: Client, act_id: str) -> tuple[str, str]:
    """Return the digest of an act's bytes and its claims: computed here, not believed."""
    from sdt.domain.envelope import message_digest, open_envelope

    found = await client.get(f"/v1/office/acts/{act_id}")
    raw = found["message"].encode()
    claims = json.loads(open_envelope(raw).payload)
    return message_digest(raw).hex(), exactly(claims)


@office.command("list")
def list_(
    officer: AsOfficer = "compliance",
    status: Annotated[str | None, typer.Option(help="waiting, done, agreed, declined or expired.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="One type of act.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """List the acts that this officer's role may sign or agree to, the newest first."""
    query = {name: value for name, value in (("status", status), ("type", kind)) if value}
    found = run(_list(home, officer, query, limit))
    lines = [f"{one['issued_at']}  {one['status']:9} {one['type']:22} {one['act_id']}" for one in found["acts"]]
    show(found, as_json, "\n".join(lines) or "No acts.")


async def _list(home: Path, officer: str, query: dict[str, str], limit: int) -> dict[str, Any]:
    """Return one page of acts, gathered from as many as the API answers with: those of a limited key may be short."""
    acts: list[Any] = []
    async with officer_client(home, officer) as client:
        while True:
            asked = query | {"limit": str(limit - len(acts))}
            found = await client.request("GET", "/v1/office/acts", query=asked, prove=True)
            acts += found["acts"]
            if found["next"] is None or len(acts) == limit:
                return {"acts": acts, "next": found["next"]}
            query = query | {"before": str(found["next"])}
