"""`sdt keys`: the ceremonies of the chain key, each with a checklist and a signed transcript."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sdt.cli.options import Home, Json, console, run
from sdt.domain.errors import Invalid, NotFound

if TYPE_CHECKING:
    from sdt.config import Settings
    from sdt.signing.coordinator import Coordinator
    from sdt.signing.wire import StatusAnswer
    from sdt.signing.witness import Person

__all__ = ["keys"]

Kind = Literal["generate", "presign", "refresh", "replace"]
Step = Callable[[str], Awaitable[None]]
Status = Mapping[int, "StatusAnswer | None"]
Operators = Annotated[
    list[str] | None,
    typer.Option("--operator", help="Who confirms, by name in the keys folder or by key file; once for each person."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask each person to type their name.")]
Passphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", help="File (0600) with the passphrase instead of asking for it.")
]

keys = typer.Typer(no_args_is_help=True, help="The key of the chain, in shares at three locations.")

CHECKLISTS: dict[str, tuple[str, ...]] = {
    "generate": (
        "All three locations answer, each run by its own people.",
        "Nobody has a copy of any signer's folder.",
    ),
    "presign": ("All three locations answer.",),
    "refresh": (
        "All three locations answer.",
        "Every presignature will be burnt: nothing is signed until new ones are made, which follows at once.",
        "Afterwards: destroy every sealed backup of the epoch before, and export new ones.",
    ),
    "replace": (
        "The lost location is lost for good: its share will be useless.",
        "The two survivors answer; their presignatures will be burnt.",
        "Its folder is here: a fresh one, new certificates and a new signing key are made first; signers start anew.",
        "It runs elsewhere, as in an enclave: its people have made it anew, and all three know its new key.",
        "Afterwards: destroy every disk and sealed backup of the epoch before, and export new ones.",
    ),
}


@keys.command()
def status(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Show the three locations: who answers, which key they hold shares of, how many presignatures are left.

    Nothing secret is shown, and nothing here can sign.
    """
    found = run(_status(home))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console.print(f"  key      {found['address']}  (2 of 3 sign; no location holds it)")
    for party, location in found["locations"].items():
        words = (
            f"epoch {location['epoch']}, {_seen(location['chain_block'])}, {_enclave(location)}"
            if location
            else "[red]does not answer[/red]"
        )
        console.print(f"  location {party}  {words}")
    for pair, left in found["presignatures"].items():
        console.print(f"  pair {pair}  {left} presignatures")
    for alarm in found["alarms"]:
        console.print(f"  [yellow]{alarm['code']}[/yellow]  {alarm['detail']}")


def _seen(block: int) -> str:
    return f"block {block}" if block >= 0 else "has not looked at the chain yet"


def _enclave(location: dict[str, Any]) -> str:
    """Say what a location claims of its enclave; `sdt attest` is what proves it."""
    attests = "attests itself" if location["attests"] else "no attestation"
    return f"{attests}, {'demands it of its peers' if location['demands_attestation'] else 'demands none'}"


async def _status(home: Path) -> dict[str, Any]:
    from sdt.deployed import load_deployed
    from sdt.signing.coordinator import Coordinator

    settings = load_deployed(home, check_files=False)
    async with Coordinator(settings.home / "coordinator", settings.network) as coordinator:
        locations = {
            str(party): {
                "epoch": s.epoch,
                "chain_block": s.chain_block,
                "stock": list(s.stock),
                "attests": s.attests,
                "demands_attestation": s.demands_attestation,
                "peers_attested": list(s.peers_attested),
            }
            if s
            else None
            for party, s in coordinator.status().items()
        }
        return {
            "address": coordinator.address(),
            "locations": locations,
            "presignatures": {f"{a}-{b}": left for (a, b), left in coordinator.stock().items()},
            "alarms": [{"code": alarm.code, "detail": alarm.detail} for alarm in coordinator.alarms()],
        }


@keys.command()
def generate(home: Home = Path(".sdt"), operator: Operators = None, yes: Yes = False) -> None:
    """Make the chain key at three locations, unless they hold one; or bring a broken ceremony to its end."""

    async def act(to: Coordinator, step: Step) -> None:
        await to.keygen()
        await step("key certified by all three")

    _ceremony(home, "generate", 0, operator, yes, act)


@keys.command()
def presign(
    home: Home = Path(".sdt"),
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many for each pair.")] = 500,
    operator: Operators = None,
    yes: Yes = False,
) -> None:
    """Make presignatures for each pair of locations."""

    async def act(to: Coordinator, step: Step) -> None:
        await _stock_up(to, step, count)

    _ceremony(home, "presign", 0, operator, yes, act)


@keys.command()
def refresh(home: Home = Path(".sdt"), operator: Operators = None, yes: Yes = False) -> None:
    """Give every location a new share of the same key: what was copied of the old ones becomes useless."""

    async def act(to: Coordinator, step: Step) -> None:
        await to.keygen()
        await to.reshare(0, step)
        await _stock_up(to, step, 200)

    _ceremony(home, "refresh", 0, operator, yes, act)


@keys.command()
def replace(
    location: Annotated[int, typer.Argument(min=1, max=3, help="The lost location.")],
    home: Home = Path(".sdt"),
    operator: Operators = None,
    yes: Yes = False,
) -> None:
    """Have the two survivors make a share for a fresh location in a lost one's place.

    Where its folder is on this machine, a fresh one is put there first. Where it runs elsewhere, as in an enclave, its
    operators do that: deploy/enclave/README.md says how.
    """

    async def act(to: Coordinator, step: Step) -> None:
        before = to.status()
        await to.keygen()
        if _was_brought_up(location, before, to.status()):
            await step("the share that an interrupted replacement made for it is in force")
        else:
            await to.reshare(location, step)
        await _stock_up(to, step, 200)

    _ceremony(home, "replace", location, operator, yes, act)


def _was_brought_up(location: int, before: Status, after: Status) -> bool:
    """Tell whether a fresh location got its share just now, among others that had theirs: by a job left half done."""
    epochs = [{party: said.epoch for party, said in each.items() if said} for each in (before, after)]
    return epochs[0].get(location) == 0 and any(epochs[0].values()) and epochs[1].get(location, 0) > 0


async def _stock_up(to: Coordinator, step: Step, count: int) -> None:
    from sdt.signing.wire import PAIRS

    for pair in PAIRS:
        await to.presign(pair, count)
        await step(f"{count} presignatures for pair {pair[0]}-{pair[1]}")


def _ceremony(
    home: Path,
    kind: Kind,
    replaced: int,
    operators: list[str] | None,
    yes: bool,
    act: Callable[[Coordinator, Step], Awaitable[None]],
) -> None:
    from sdt.deployed import load_deployed
    from sdt.signing.witness import plan_of

    settings, began_s = load_deployed(home, check_files=False), int(time.time())
    console.print(f"[bold]Ceremony: {kind}{f' location {replaced}' if replaced else ''}[/bold]")
    for line in CHECKLISTS[kind]:
        console.print(f"  [ ] {line}")
    plan = plan_of(kind, settings.network, replaced, began_s)
    people = _people(settings, operators, plan, yes)
    path = run(_perform(settings, kind, replaced, people, began_s, plan, act))
    console.print(f"[green]Done.[/green] Transcript, signed by all three locations and checked: {path}")


def _people(settings: Settings, operators: list[str] | None, plan: bytes, yes: bool) -> tuple[Person, ...]:
    """Have each person confirm the plan with a key of their own; as many as policy demands."""
    from nacl.signing import SigningKey

    from sdt.domain.errors import Forbidden
    from sdt.signing.transcript import sign
    from sdt.signing.witness import Person

    needed = settings.signing.ceremony_people
    names = operators or (["administrator-1"] if needed == 1 else [])
    people = []
    for name in names:
        file = Path(name) if Path(name).suffix else settings.desks.keys_folder / f"{name}.key"
        key = SigningKey(bytes.fromhex(file.read_text().strip()))
        if not yes and typer.prompt(f"{file.stem}, type your name to confirm") != file.stem:
            raise Forbidden(f"{file.stem} did not confirm; nothing was done.", code="not_confirmed")
        people.append(Person(file.stem, bytes(key.verify_key).hex(), sign(key, plan).hex()))
    if len({person.key for person in people}) < needed:
        raise Forbidden(
            f"This ceremony needs {needed} people, each with a key of their own: --operator NAME for each.",
            code="people_missing",
        )
    return tuple(people)


async def _perform(
    settings: Settings,
    kind: Kind,
    replaced: int,
    people: tuple[Person, ...],
    began_s: int,
    plan: bytes,
    act: Callable[[Coordinator, Step], Awaitable[None]],
) -> Path:
    from sdt.signing.coordinator import Coordinator
    from sdt.signing.witness import Ceremony, canonical, check_transcript, write_transcript

    steps: list[str] = []

    async def step(done: str) -> None:
        steps.append(done)
        console.print(f"  [green]✓[/green] {done}")

    if replaced:
        from sdt.local.relocation import attend, move, runs_here

        await (move if runs_here(settings.home, replaced) else attend)(settings, replaced, step)
    async with Coordinator(settings.home / "coordinator", settings.network) as to:
        await act(to, step)
        key = await to.key_in_force()
        one, two, three = (point.hex() for point in key.shares)
        statement = canonical(
            Ceremony(
                kind,
                settings.network,
                key.epoch,
                key.job.hex(),
                key.public.hex(),
                (one, two, three),
                replaced,
                people,
                tuple(steps),
                began_s,
                int(time.time()),
                plan.hex(),
            )
        )
        path = write_transcript(settings.home / "ceremonies", statement, await to.witness(statement))
        check_transcript(path, to.intent_keys())
        return path


@keys.command("export-backup")
def export_backup(
    location: Annotated[int, typer.Argument(min=1, max=3, help="Whose share.")],
    file: Annotated[Path, typer.Argument(help="The new file, mode 0600.")],
    home: Home = Path(".sdt"),
    passphrase_file: Passphrase = None,
) -> None:
    """Seal one location's share under a passphrase, at that location; never its presignatures."""
    import sqlite3

    from sdt.local.platform import settings_of
    from sdt.signing import backup, keyring
    from sdt.signing.config import load_signer_config
    from sdt.signing.locked import wipe

    config = load_signer_config(settings_of(home).home / f"signer-{location}")
    passphrase = _passphrase(passphrase_file, confirm=True)
    db = sqlite3.connect(f"file:{config.home / 'signer.db'}?mode=ro", uri=True)
    try:
        key = keyring.demand_key(db)
        secret = keyring.unsealed_share(db, config.sealer())
    finally:
        db.close()
    try:
        backup.export(file, passphrase, config.network, location, key, secret)
    finally:
        wipe(secret)
    backup.read(file, passphrase)
    console.print(f"Share of location {location}, epoch {key.epoch}, sealed in {file}, opened again and checked.")
    console.print("Keep it apart from every other location's. Destroy it after the next refresh.")


@keys.command()
def reseal(
    location: Annotated[int, typer.Argument(min=1, max=3, help="Whose folder; its signer must be stopped.")],
    home: Home = Path(".sdt"),
    passphrase_file: Annotated[
        Path | None, typer.Option("--passphrase-file", help="File (0600) with a passphrase; without, a new key file.")
    ] = None,
    command: Annotated[
        str,
        typer.Option(help="A command that prints the key, 32 bytes in base64: a key service's or an enclave's tool."),
    ] = "",
    kms: Annotated[
        bool,
        typer.Option(
            "--kms", help="The key that AWS KMS gives to an enclave: inside one of your own (docs/signing.md)."
        ),
    ] = False,
) -> None:
    """Exchange what a location's secrets are sealed under: a passphrase, a command's key, KMS, or a fresh key file.

    Put the passphrase's file where it does not lie on the disk of the shares. Run again after a crash, this goes on.
    """
    from sdt.local.platform import settings_of
    from sdt.signing.config import load_signer_config
    from sdt.signing.enclave.nsm import Nsm
    from sdt.signing.reseal import Target
    from sdt.signing.reseal import reseal as seal_anew

    config = load_signer_config(settings_of(home).home / f"signer-{location}")
    if kms and config.nsm is None:
        raise Invalid("signer.toml names no nsm: KMS gives its key to an enclave only.", code="no_enclave")
    target = Target(passphrase_file, tuple(shlex.split(command)), Nsm(config.nsm) if kms and config.nsm else None)
    count = seal_anew(config, target)
    under = {
        "kms": "the key from KMS",
        "file": "a new key file",
        "passphrase": f"the passphrase in {passphrase_file}",
        "command": command,
    }[target.kind]
    console.print(f"{count} secrets of location {location} are sealed under {under}. The signer may start again.")


@keys.command()
def certify(
    location: Annotated[int, typer.Argument(min=1, max=3, help="Which location the enclave is.")],
    request: Annotated[Path, typer.Argument(help="tls.csr, as the enclave showed it.", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option("-o", "--output", help="Where to put it.")] = Path("tls.pem"),
    home: Home = Path(".sdt"),
) -> None:
    """Certify a key that was made inside an enclave, with the authority of the signers.

    The key itself never leaves the enclave. Put the certificate into its `given` folder and start it again.
    """
    from datetime import UTC, datetime

    from sdt.local.platform import settings_of
    from sdt.signing.pki import Authority

    folder = settings_of(home).home / "signing-authority"
    if not (folder / "authority.key").exists():
        raise NotFound("The signers' authority is not kept here.", code="no_authority")
    out.write_bytes(Authority(folder).certify(location, request.read_bytes(), datetime.now(UTC)))
    console.print(f"{out}: location {location} is certified over the key of {request}.")


@keys.command("verify-backup")
def verify_backup(file: Path, passphrase_file: Passphrase = None) -> None:
    """Open a sealed backup and check that its share stands for its point; shows nothing secret."""
    from sdt.signing import backup

    opened = backup.read(file, _passphrase(passphrase_file))
    whose = f"share of location {opened.header.party}" if opened.header.party else "THE WHOLE KEY"
    console.print(
        f"[green]whole[/green]  {whose}, epoch {opened.header.epoch}, network {opened.header.network}, "
        f"key {opened.address}"
    )


@keys.command()
def recover(
    first: Annotated[Path, typer.Argument(help="A sealed backup.")],
    second: Annotated[Path, typer.Argument(help="A sealed backup of another location, same epoch.")],
    file: Annotated[Path, typer.Argument(help="The new file for the assembled key, mode 0600.")],
    first_passphrase: Annotated[Path | None, typer.Option(help="File with the first passphrase.")] = None,
    second_passphrase: Annotated[Path | None, typer.Option(help="File with the second passphrase.")] = None,
    key_passphrase: Annotated[Path | None, typer.Option(help="File with the passphrase for the key.")] = None,
    confirm: Annotated[str, typer.Option(help="The sentence to confirm with, instead of typing it.")] = "",
) -> None:
    """DISASTER RECOVERY, OFFLINE: assemble the whole key from two sealed backups of one epoch.

    Only on a machine without a network, with two share-holders present. Whoever has the result can write to the
    contracts alone.
    """
    from sdt.domain.errors import Forbidden
    from sdt.signing import backup
    from sdt.signing.witness import write_recovery

    console.print("[bold red]This puts the whole key together in the memory of this machine.[/bold red]")
    console.print("  It needs no running platform, and this machine should have no network.")
    console.print("  It opens two sealed backups, checks the key against its public key, and seals it into a file.")
    console.print("  From then on the key is at one place: move to a new key as soon as there are three locations.")
    one = backup.read(first, _passphrase(first_passphrase, what="first backup"))
    two = backup.read(second, _passphrase(second_passphrase, what="second backup"))
    sentence = f"assemble {one.address}"
    if (confirm or typer.prompt(f'Type "{sentence}" to go on')) != sentence:
        raise Forbidden("Not confirmed; nothing was assembled.", code="not_confirmed")
    secret = backup.assemble(one, two)
    passphrase = _passphrase(key_passphrase, what="assembled key", confirm=True)
    transcript = write_recovery(file, one.header, two.header, first, second)
    backup.keep_key(file, passphrase, one.header, secret)
    console.print(f"The key {one.address} is sealed in {file}. What was done is logged in {transcript}.")


def _passphrase(file: Path | None, *, what: str = "backup", confirm: bool = False) -> str:
    if file is not None:
        from sdt.adapters.vault.private_file import read_private

        return read_private(file).decode().rstrip("\r\n")
    typed: str = typer.prompt(f"Passphrase of the {what}", hide_input=True, confirmation_prompt=confirm)
    return typed
