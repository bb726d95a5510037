"""`python -m sdt.sandbox [SERVICE ...] --home DIR`: start stand-in vendors; none named means all of them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from sdt.observing.logs import start_logging
from sdt.sandbox import plains
from sdt.sandbox.aml import Aml
from sdt.sandbox.bank import Bank
from sdt.sandbox.bank_messages import Program
from sdt.sandbox.calendar import Calendar
from sdt.sandbox.depository import Depository
from sdt.sandbox.depository_messages import Vault
from sdt.sandbox.keyfile import open_keys
from sdt.sandbox.kyc import Kyc
from sdt.sandbox.serve import Listener, listen, run
from sdt.sandbox.service import Service, build_app
from sdt.sandbox.store import Store

SERVICES = ("bank", "depository", "kyc", "aml")


def main(argv: Sequence[str] | None = None) -> None:
    """Open the stores, listen, write where each service is reached into `HOME/SERVICE.url`, and serve."""
    arguments = _parser().parse_args(argv)
    start_logging("sandbox", level="warning")
    home: Path = arguments.home
    home.mkdir(parents=True, exist_ok=True)
    listeners = [_open(name, home, arguments) for name in _named(arguments.services)]
    for each in listeners:
        (home / f"{each.name}.url").write_text(each.url + "\n")
        print(f"{each.name} {each.url}", flush=True)
    run(listeners)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sdt.sandbox", description=__doc__)
    # An empty list stands among the choices because argparse checks the default of `*` against them.
    parser.add_argument(
        "services",
        nargs="*",
        choices=[*SERVICES, "vendors", []],
        metavar="SERVICE",
        help="bank, depository, kyc, aml, or vendors (kyc and aml)",
    )
    parser.add_argument("--home", type=Path, required=True, help="folder of the services' files, keys and addresses")
    parser.add_argument("--host", default="127.0.0.1")
    for name in SERVICES:
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--speed", type=float, default=1.0, help="seconds that stand for one banking day")
    parser.add_argument(
        "--begins",
        type=date.fromisoformat,
        metavar="DATE",
        help="first banking day of a new bank, whose clock stands still until it is told to run",
    )
    parser.add_argument("--decide", type=float, default=0.2, help="seconds until the identity vendor decides")
    parser.add_argument(
        "--program", action="append", default=[], help="open a token's accounts at the bank, such as TXD"
    )
    parser.add_argument("--vault", action="append", default=[], help="open a vault, such as texas-gold:XAU")
    return parser


def _named(services: Sequence[str]) -> list[str]:
    named = set(services or SERVICES)
    return [name for name in SERVICES if name in named or ("vendors" in named and name in ("kyc", "aml"))]


def _open(name: str, home: Path, arguments: argparse.Namespace) -> Listener:
    listening = listen(arguments.host, getattr(arguments, f"{name}_port"))
    opener = {"bank": _open_bank, "depository": _open_depository, "kyc": _open_kyc, "aml": _open_aml}[name]
    service, store = opener(home / f"{name}.db", arguments)
    keys = open_keys(home, name)
    return Listener(name, listening, build_app(service, store, keys, plains.routes(service, store, keys)))


def _open_bank(path: Path, arguments: argparse.Namespace) -> tuple[Service, Store]:
    store = Store(path, Bank.schema)
    with store.transaction() as connection:
        bank = Bank(Calendar.open(connection, arguments.speed, time.time(), arguments.begins))
        for program in arguments.program:
            bank.open_program(connection, Program(program))
    return bank, store


def _open_depository(path: Path, arguments: argparse.Namespace) -> tuple[Service, Store]:
    store, depository = Store(path, Depository.schema), Depository()
    with store.transaction() as connection:
        for vault in arguments.vault:
            name, _, metal = vault.partition(":")
            depository.open_vault(connection, Vault(name, metal or "XAU"))
    return depository, store


def _open_kyc(path: Path, arguments: argparse.Namespace) -> tuple[Service, Store]:
    return Kyc(arguments.decide), Store(path, Kyc.schema)


def _open_aml(path: Path, _: argparse.Namespace) -> tuple[Service, Store]:
    return Aml(), Store(path, Aml.schema)


if __name__ == "__main__":
    main()
