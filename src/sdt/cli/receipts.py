"""`sdt receipt`: fetch the proof of a transaction, and check one offline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdt.cli.options import As, Home, Json, console, run, show
from sdt.domain.errors import Invalid, SdtError

if TYPE_CHECKING:
    from sdt.domain.receipt_check import ReceiptRefused, Step, Verified
    from sdt.domain.receipt_trust import Anchor, Trust

__all__ = ["receipt"]

UNSEALED_STATUS = 3
TRUST_BYTES_MAX = 16 * 1024 * 1024

receipt = typer.Typer(
    no_args_is_help=True,
    help="A file that proves a transaction, offline, to whoever holds it: fetch one, check one.",
)


@receipt.command("get")
def get(
    transaction_id: Annotated[str, typer.Argument(help="The id that `pay` printed.")],
    owner: As = "alice",
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to put it.", show_default="sdt-receipt-ID.json")
    ] = None,
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Fetch the receipt of a settled transaction, as one of its parties, and keep it.

    [bold]sdt receipt get 019a8f2e-… --as alice[/bold]

    Keep the file byte for byte: a reformatted one does not verify. It needs no platform any more, and no network.
    """

    async def work() -> bytes:
        from sdt.client import Client
        from sdt.local.platform import network_of
        from sdt.wallet import load_wallet

        async with Client(await network_of(home), load_wallet(home, owner).key) as client:
            return await client.receipt(transaction_id)

    from sdt.domain.receipt import file_name, read_receipt
    from sdt.domain.transaction_id import parse_id

    target = out or Path(file_name(parse_id(transaction_id)))
    data = run(work())
    read_receipt(data)
    target.write_bytes(data)
    show({"file": str(target), "bytes": len(data)}, as_json, f"{target}: {len(data)} bytes")


@receipt.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The receipt.", exists=True, dir_okay=False)],
    deployment: Annotated[
        Path | None,
        typer.Option(
            help="The region's deployment.json, as the State publishes it: chain, Settlement, chain key.",
            show_default="HOME/deployment.json",
            dir_okay=False,
        ),
    ] = None,
    genesis: Annotated[
        Path | None, typer.Option(help="The network's genesis file: QBFT validators or Clique signers.", dir_okay=False)
    ] = None,
    validators: Annotated[
        str, typer.Option(help="QBFT validators in force at the block, 0x…,0x…: two thirds must have sealed it.")
    ] = "",
    signers: Annotated[str, typer.Option(help="Clique signers, 0x…,0x…: one of them must have sealed it.")] = "",
    block_hash: Annotated[
        str, typer.Option(help="The block's hash, from a node or an explorer that you trust, instead of seals.")
    ] = "",
    unsealed: Annotated[
        bool, typer.Option("--unsealed", help="Nobody seals this chain (a demo's): trust the region that runs it.")
    ] = False,
    chain_key: Annotated[str, typer.Option(help="Another chain key than the deployment's: one since replaced.")] = "",
    home: Home = Path(".sdt"),
    as_json: Json = False,
) -> None:
    """Check a receipt on this machine, with no network and nobody's word but what you name here.

    Every step is shown with what it proves, and so is what the receipt does not prove. What you trust are two things:

    [bold]the region[/bold]  --deployment FILE, published by the State: chain id, Settlement's address, the chain key

    [bold]the block[/bold]   --genesis FILE or --validators for a Quorum (QBFT) network; --genesis or --signers for geth
    (Clique); --block-hash for one that you looked up; --unsealed where nobody seals

    [bold]sdt receipt verify sdt-receipt-019a….json --deployment texas.json --genesis genesis.json[/bold]

    Exit status: 0 if all of it holds; 1 if anything does not; 3 if all holds but nobody vouches for the block, and
    --unsealed was not said.
    """
    from sdt.domain.receipt import read_receipt
    from sdt.domain.receipt_check import ReceiptRefused
    from sdt.domain.receipt_check import verify as check

    trust = _trust(deployment or home / "deployment.json", chain_key)
    trust = replace(trust, anchor=_anchor(trust, genesis, validators, signers, block_hash, unsealed))
    try:
        found = check(read_receipt(_read(file)), trust)
    except ReceiptRefused as refused:
        _show_refused(refused, as_json)
        raise typer.Exit(1) from None
    except SdtError as error:
        if not as_json:
            raise
        show({"verified": False, "failed": {"code": error.code, "why": error.detail}}, True, "")
        raise typer.Exit(1) from None
    vouched = found.sealed != "nothing"
    if as_json:
        show(_facts(found), True, "")
    else:
        _show_verified(found)
    raise typer.Exit(0 if vouched or unsealed else UNSEALED_STATUS)


def _read(file: Path) -> bytes:
    from sdt.domain.receipt import RECEIPT_BYTES_MAX

    with file.open("rb") as opened:
        return opened.read(RECEIPT_BYTES_MAX + 1)


def _document(file: Path, what: str) -> dict[str, Any]:
    """Return a JSON object that the caller trusts."""
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(TRUST_BYTES_MAX))
    except OSError as error:
        raise Invalid(f"{file} cannot be read ({error.strerror}); it should be {what}.", code="trust") from None
    except (ValueError, RecursionError):
        raise Invalid(f"{file} is no JSON; it should be {what}.", code="trust") from None
    if not isinstance(found, dict):
        raise Invalid(f"{file} is no JSON object; it should be {what}.", code="trust")
    return found


def _trust(file: Path, chain_key: str) -> Trust:
    from sdt.domain.receipt_trust import read_deployment

    trust = read_deployment(_document(file, "the region's deployment.json (--deployment)"))
    return replace(trust, chain_key=chain_key.lower()) if chain_key else trust


def _anchor(
    trust: Trust, genesis: Path | None, validators: str, signers: str, block_hash: str, unsealed: bool
) -> Anchor:
    """Return the one thing that the caller named for the block."""
    from sdt.domain.receipt_trust import KnownBlock, Signers, Validators, read_genesis

    named = [genesis is not None, bool(validators), bool(signers), bool(block_hash), unsealed]
    if sum(named) > 1:
        raise Invalid(
            "Name one of --genesis, --validators, --signers, --block-hash and --unsealed: each is enough.", code="trust"
        )
    if genesis is not None:
        chain_id, anchor = read_genesis(_document(genesis, "the network's genesis file"))
        if chain_id != trust.chain_id:
            raise Invalid(
                f"The genesis is that of chain {chain_id}, the deployment's is {trust.chain_id}.", code="trust"
            )
        return anchor
    if validators:
        return Validators(_addresses(validators))
    if signers:
        return Signers(_addresses(signers))
    if block_hash:
        try:
            found = bytes.fromhex(block_hash.removeprefix("0x"))
        except ValueError:
            found = b""
        if len(found) != 32:
            raise Invalid("A block's hash is 0x and 64 hexadecimal digits.", code="trust")
        return KnownBlock(found)
    return None


def _addresses(text: str) -> frozenset[bytes]:
    from sdt.domain.registry import account_bytes

    return frozenset(account_bytes(one.strip().lower()) for one in text.split(","))


def _facts(found: Verified) -> dict[str, Any]:
    import msgspec

    from sdt.domain.message import format_time

    return {
        "verified": found.sealed != "nothing",
        "unsealed": found.sealed == "nothing",
        "sealed": found.sealed,
        "outcome": found.outcome,
        "transaction_id": found.signed.message.transaction_id,
        "claims": msgspec.to_builtins(found.signed.message),
        "kid": found.signed.kid,
        "batch_number": found.batch_number,
        "position": found.position,
        "chain_transaction": "0x" + found.chain_transaction.hex(),
        "block": found.block_number,
        "block_hash": "0x" + found.block_hash.hex(),
        "block_time": format_time(found.block_time_s),
        "steps": [{"title": step.title, "proved": step.proved} for step in found.steps],
        "unproven": list(found.unproven),
    }


def _show_steps(steps: tuple[Step, ...], mark: str = "[green]✓[/green]") -> None:
    from rich.markup import escape

    for step in steps:
        console.print(f"{mark} {escape(step.title)}\n  [dim]{escape(step.proved)}[/dim]")


def _show_verified(found: Verified) -> None:
    from sdt.domain.message import format_time
    from sdt.domain.receipt_check import SETTLED

    if found.sealed == "nothing":
        _show_steps(found.steps[:-1])
        _show_steps(found.steps[-1:], "[yellow]![/yellow]")
    else:
        _show_steps(found.steps)
    console.print("\nNot proven by this file:")
    for one in found.unproven:
        console.print(f"  [dim]· {one}[/dim]")
    what = f"transaction {found.signed.message.transaction_id}"
    when = f"in block {found.block_number} at {format_time(found.block_time_s)}"
    became = (
        f"was settled {when}" if found.outcome == SETTLED else f"was skipped ({found.outcome}) {when}: nothing moved"
    )
    if found.sealed == "nothing":
        console.print(
            f"\n[yellow]UNSEALED.[/yellow] The region's chain key signed it, and the region says: {what} {became}."
        )
    else:
        console.print(f"\n[green]VERIFIED.[/green] {what} {became}.")


def _show_refused(refused: ReceiptRefused, as_json: bool) -> None:
    from rich.markup import escape

    failed = {"step": refused.step, "code": refused.facts["cause"], "why": refused.why}
    if as_json:
        steps = [{"title": step.title, "proved": step.proved} for step in refused.passed]
        show({"verified": False, "failed": failed, "steps": steps}, True, "")
        return
    _show_steps(refused.passed)
    console.print(f"[red]✗[/red] {escape(refused.step)}\n  {escape(refused.why)}")
    console.print("\n[red]REFUSED.[/red] This file does not prove what it says.")
