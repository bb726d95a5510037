"""`sdt office sign | waiting | approve`: what officers sign for the chain, and a second officer's word for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sdt.cli.officers import AsOfficer, Claims, Yes, confirm, exactly, officer_client, read_claims
from sdt.cli.options import Home, Json, run, show, show_ended
from sdt.domain.errors import Forbidden, Invalid, NotFound, Unprocessable

if TYPE_CHECKING:
    from sdt.client import Client
    from sdt.domain.message import Message, Signed
    from sdt.domain.region import Region

__all__ = ["SIGN_HELP", "approve", "sign", "waiting"]

TIMEOUT_S: Final = 60
FILLED_IN: Final = frozenset({"type", "version", "network", "transaction_id", "region", "issued_at"})

SIGN_HELP: Final = """Sign a message for the chain, send it, and wait until it is final, or held for a second officer.

[bold]sdt office sign freeze account=0x… token=TXD order="C-26-1" authority="District Court"
expires_at=2027-06-30T00:00:00Z --as compliance[/bold]

Types and their claims; those with * take a second officer's `sdt office approve`:

\b
freeze                account token order authority expires_at
unfreeze              account token order authority
seize *               account token amount to order authority
pause                 token reason
resume *              token reason
issue *               token account amount deposit evidence
adjust *              kind token account amount original evidence
attest_reserve        token reserve holdings as_of valid_until sequence:=
fund                  token amount sequence:= evidence
release               token amount sequence:= evidence
attest_identity       account domain tier:= resident:= evidence expires_at
grant_role *          public_key role token action expires_at
set_mint_allowance *  public_key token limit period_s:=
set_rules *           digest effective

Amounts are in the token's smallest unit (cents, nanograms). token= with nothing behind it is every token. adjust
kind=write_down burns tokens of the loss account; `sdt office agree` to a write-off prints its command. The claims
are checked and shown before anything is signed; docs/api.md says who signs what.
"""


def sign(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="The type of message: freeze, unfreeze, seize, …")],
    claims: Claims = None,
    officer: AsOfficer = "compliance",
    yes: Yes = False,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Sign a message for the chain and wait for its end. Its help, with every type's claims, is SIGN_HELP."""
    found = run(_sign(home, officer, kind, read_claims(claims), yes))
    more = f"\n  SHA-256 {found['digest']}"
    if found["code"] == "approval_required":
        more += f"\n  a second officer: sdt office approve {found['transaction_id']} --as {_second_officer(kind)}"
    show_ended(kind, found, as_json, more, well=("held",))


async def _sign(home: Path, officer: str, kind: str, claims: dict[str, Any], yes: bool) -> Any:
    from sdt.domain.envelope import message_digest
    from sdt.domain.message import read_payload
    from sdt.local.platform import region_of

    _check_kind(kind)
    if given := FILLED_IN & claims.keys():
        raise Invalid(f"{', '.join(sorted(given))}: filled in, not to be chosen.", code="claims")
    async with officer_client(home, officer) as client:
        (transaction_id,) = await client.new_ids()
        whole = client.filled_in(kind, transaction_id, claims)
        message = read_payload(kind, json.dumps(whole).encode())
        confirm(_shown(whole, message, region_of(home)), f"Sign this {kind}?", yes)
        raw = client.seal(kind, whole)
        await client.put(transaction_id, raw)
        found = await client.wait(transaction_id, until=("completed", "held"), timeout_s=TIMEOUT_S)
        return found | {"digest": message_digest(raw).hex()}


def _check_kind(kind: str) -> None:
    """Refuse what no officer signs for the chain. An approval is no claim to be typed: its message is read first."""
    from sdt.domain.message import MESSAGE_TYPES
    from sdt.domain.registry import Role

    known = [name for name, cls in MESSAGE_TYPES.items() if not cls.signer_roles & Role.CLIENT and name != "approve"]
    if kind == "approve":
        raise Invalid("An approval is signed over the message that it is for: sdt office approve ID.", code="claims")
    if kind not in known:
        raise Invalid(
            f"Officers sign no {kind!r} for the chain, but {', '.join(sorted(known))}; other acts: sdt office act.",
            code="unknown_type",
        )


def _shown(claims: dict[str, Any], message: Message, region: Region) -> str:
    """Write out claims that are to be signed, and what their units and an empty token mean."""
    lines = [exactly(claims)]
    symbol = getattr(message, "token", None)
    if symbol:
        token = region.token(symbol)
        units = {name: getattr(message, name, None) for name in ("amount", "reserve", "limit")}
        lines += [f"{name}: {token.amount(int(n))}" for name, n in units.items() if n is not None]
    elif symbol == "":
        lines.append("token: every token of the region")
    return "\n".join(lines)


def _second_officer(kind: str) -> str:
    from sdt.domain.authority import approver_role
    from sdt.domain.registry import Role

    return "approver" if approver_role(kind) is Role.APPROVER else "administrator-2"


def waiting(officer: AsOfficer = "approver", home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """List the messages that wait for a second officer's approval, the oldest first."""
    tasks = run(_waiting(home, officer))
    lines = [f"{one['accepted_at']}  {one['type']:18} {one['transaction_id']}" for one in tasks]
    show(tasks, as_json, "\n".join(lines) or "Nothing waits for an approval.")


async def _waiting(home: Path, officer: str) -> list[dict[str, Any]]:
    async with officer_client(home, officer) as client:
        return await _tasks(client)


async def _tasks(client: Client) -> list[dict[str, Any]]:
    return list((await client.get("/v1/desk/tasks", role="approver"))["tasks"])


def approve(
    transaction_id: Annotated[str, typer.Argument(metavar="ID", help="The message's id, by `sdt office waiting`.")],
    officer: AsOfficer = "approver",
    yes: Yes = False,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Approve another officer's message as the second officer, and wait until it is final on chain.

    [bold]sdt office approve 0192… --as approver[/bold]

    Its exact words, who signed it and its digest are shown first; that digest is what is signed. Seizures, issues and
    adjustments take the approver, what administrators sign the other one of them. Nobody approves their own.
    """
    found = run(_approve(home, officer, transaction_id, yes))
    more = f"\n  approved by transaction {found['approval']}"
    show_ended(str(found["type"]), found, as_json, more)


async def _approve(home: Path, officer: str, transaction_id: str, yes: bool) -> Any:
    from sdt.domain.envelope import open_envelope
    from sdt.local.platform import region_of

    async with officer_client(home, officer) as client:
        signed = _read(await _tasks(client), transaction_id)
        claims, digest = json.loads(open_envelope(signed.raw).payload), signed.digest.hex()
        said = f"signed by the key {signed.kid}\nSHA-256 {digest}"
        if signed.kid == client.kid:
            raise Forbidden("Maker and checker are the same person.", code="same_officer")
        confirm(f"{_shown(claims, signed.message, region_of(home))}\n{said}", f"Approve this {signed.type}?", yes)
        approval = await client.submit("approve", {"digest": digest})
        found = await client.wait(approval, until=("completed",), timeout_s=TIMEOUT_S)
        if found["status"] != "completed" and found["code"] != "approved_was_refused":
            raise Unprocessable(f"The approval is {found['status']}: {found.get('detail') or ''}", code=found["code"])
        ended = await client.wait(transaction_id, until=("completed",), timeout_s=TIMEOUT_S)
        return ended | {"approval": approval, "digest": digest}


def _read(tasks: list[dict[str, Any]], transaction_id: str) -> Signed:
    """Return the message of this id that waits, read from its exact bytes: no digest and no id is believed."""
    from sdt.domain.message import read_message

    for task in tasks:
        if task["transaction_id"] == transaction_id:
            signed = read_message(task["message"].encode())
            if signed.message.transaction_id != transaction_id:
                raise Unprocessable("What the platform shows is another message.", code="approval_mismatch")
            return signed
    raise NotFound("No message with this id waits for an approval: sdt office waiting.", code="nothing_to_approve")
