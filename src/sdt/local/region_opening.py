"""Opening a region whose parts somebody else runs: one step after another, each asked first whether it was done.

Nothing is started and nobody's key is made: locations, chain, API and desks are those that settings name. What was
done is read where it counts (vault, database, locations, chain), never from a note, so that a command that was killed
goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal, TypeVar

from sdt.adapters.chain.deploy import load_deployment
from sdt.adapters.vault import SecretNotFound
from sdt.backends import PERSONAL_KEY, PERSONS_KEY, database_access, open_database, open_vault
from sdt.client import Network
from sdt.config import Settings
from sdt.domain.errors import Conflict, NotFound, Unavailable
from sdt.domain.region import Region
from sdt.domain.registry import Role
from sdt.local import opening
from sdt.local.appointments import Appointment
from sdt.local.secrets import Official, make_platform_keys
from sdt.signing.coordinator import Coordinator
from sdt.store import Store, migrate, reserves, sanctions
from sdt.store.database import connect
from sdt.store.migration import pending
from sdt.workflows.sanctions_lists import first_list

__all__ = ["Given", "Outcome", "Stage", "open_region", "stages"]

State = Literal["done before", "done", "to do"]
T = TypeVar("T")

ATTESTED_WITHIN_S: Final = 60.0
_POLL_S: Final = 0.5
_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Given:
    """What an opening is told. `list_date` is needed for a sanctions list whose files carry no date."""

    settings: Settings
    region: Region
    administrators: tuple[Official, ...]
    officers: tuple[Appointment, ...]
    sanctions: Path | None = None
    list_date: date | None = None

    @property
    def network(self) -> Network:
        """Where the region's API is reached."""
        return Network(self.settings.api.url, self.settings.network, self.region.id)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: how to tell whether it was done, and how it is done."""

    name: str
    title: str
    done: Callable[[Given], Awaitable[bool]]
    do: Callable[[Given], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step."""

    name: str
    title: str
    state: State


async def open_region(
    given: Given, say: Callable[[Outcome], None], *, until: str = "", plan: bool = False
) -> list[Outcome]:
    """Take the steps in order, up to `until`; with `plan` only say which are to do. `say` hears of each as it ends.

    Errors: NotFound for what was not given; Unavailable for a part that does not answer; Conflict for what is another
    region's or chain's, and for an act that was refused.
    """
    outcomes = []
    for stage in stages():
        state: State = "done before"
        if not await stage.done(given):
            state = "to do"
            if not plan:
                await stage.do(given)
                state = "done"
        outcomes.append(Outcome(stage.name, stage.title, state))
        say(outcomes[-1])
        if stage.name == until:
            break
    return outcomes


def stages() -> tuple[Stage, ...]:
    """Return the steps in their order: those from `roles` on go through the API and the settlement process."""
    return (
        Stage("keys", "the platform's own keys in the vault", _keys_stand, _make_keys),
        Stage("database", "the database migrated", _is_migrated, _migrate),
        Stage("sanctions", "a first sanctions list in force", _list_stands, _load_list),
        Stage("chain-key", "the chain key, in shares at three locations", _key_stands, _make_chain_key),
        Stage("contracts", "the contracts, with both administrators", _contracts_stand, _deploy),
        Stage("administrators", "both administrators in the database", _administrators_known, _know_administrators),
        Stage("roles", "a role for each official's key", _roles_stand, _appoint),
        Stage("rules", "the rules of the region's file in force", _rules_stand, _set_rules),
        Stage("attestation", "the first attestation of each reserve", _is_attested, _await_attestation),
    )


async def _keys_stand(given: Given) -> bool:
    vault = given.settings.vault
    # To look into a sealed file is to make it.
    if vault.backend == "sealed_file" and not vault.sealed_file.exists():
        return False
    opened = open_vault(given.settings)
    # Each by its name: on AWS no role of the platform may list secrets.
    try:
        for name in (PERSONAL_KEY, PERSONS_KEY):
            opened.get(name)
    except SecretNotFound:
        return False
    return True


async def _make_keys(given: Given) -> None:
    make_platform_keys(given.settings)


def _asked(given: Given, question: Callable[[Store], T]) -> T | None:
    """Return what a migrated database says; None of one that is not, or is not there."""
    url = given.settings.database.url
    # To look at a database of SQLite is to make it.
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists():
        return None
    store = connect(url, database_access(given.settings))
    try:
        return None if pending(store) else question(store)
    finally:
        store.close()


async def _is_migrated(given: Given) -> bool:
    return _asked(given, lambda _: True) is not None


async def _migrate(given: Given) -> None:
    migrate(given.settings.database.url, access=database_access(given.settings))


async def _list_stands(given: Given) -> bool:
    return _asked(given, sanctions.in_force) is not None


async def _load_list(given: Given) -> None:
    if given.sanctions is None:
        raise NotFound(
            "No sanctions list is in force: --sanctions FOLDER with OFAC's sdn.xml, or its CSV files and their day.",
            code="sanctions_list_missing",
        )
    store = open_database(given.settings)
    try:
        now_ms = time.time_ns() // 1_000_000
        first_list(store, given.settings.home, given.sanctions, now_ms, list_date=given.list_date)
    finally:
        store.close()


async def _key_stands(given: Given) -> bool:
    """Tell whether there is a key and no location that answers is without it."""
    return await _chain_key(given) is not None


async def _chain_key(given: Given) -> str | None:
    settings = given.settings
    async with Coordinator(settings.home / "coordinator", settings.network) as coordinator:
        told = coordinator.status()
        away = [str(party) for party, status in told.items() if status is None]
        try:
            address = coordinator.address()
        except Unavailable:
            if away:
                raise Unavailable(
                    f"No key yet, and location {', '.join(away)} does not answer: all three make it together.",
                    code="location_unreachable",
                ) from None
            return None
        return None if any(status is not None and not status.epoch for status in told.values()) else address


async def _make_chain_key(given: Given) -> None:
    people = given.settings.signing.ceremony_people
    if people > 1:
        raise Conflict(
            f"The chain key is made before {people} people: sdt keys generate, with --operator for each; then go on.",
            code="ceremony_first",
        )
    await opening.make_chain_key(given.settings)


async def _contracts_stand(given: Given) -> bool:
    if load_deployment(given.settings.home) is None:
        return False
    await _check_contracts(given)
    return True


async def _deploy(given: Given) -> None:
    await _check_contracts(given)


async def _check_contracts(given: Given) -> None:
    """Deploy the contracts or find them as the folder says, and see that the administrators are theirs."""
    chain_key = await _chain_key(given)
    if chain_key is None:
        raise Conflict("The contracts name a chain key that no location has.", code="no_key")
    await opening.deploy(given.settings, given.region, chain_key, given.administrators)
    words = await opening.key_words(given.settings, [bytes(one.key.verify_key) for one in given.administrators])
    for one, word in zip(given.administrators, words, strict=True):
        if not word.may(Role.ADMINISTRATOR, int(time.time())):
            raise Conflict(f"{one.name} is no administrator of these contracts.", code="not_administrator")


async def _administrators_known(given: Given) -> bool:
    return _asked(given, lambda store: opening.unknown_administrators(store, given.administrators)) == []


async def _know_administrators(given: Given) -> None:
    opening.know_administrators(given.settings, given.administrators)


async def _roles_stand(given: Given) -> bool:
    if load_deployment(given.settings.home) is None:
        return False
    return not await opening.without_role(given.settings, given.region, given.officers)


async def _appoint(given: Given) -> None:
    await opening.appoint(given.settings, given.network, given.region, given.administrators, given.officers)


async def _rules_stand(given: Given) -> bool:
    return load_deployment(given.settings.home) is not None and await opening.rules_stand(given.settings, given.region)


async def _set_rules(given: Given) -> None:
    await opening.set_rules(given.settings, given.network, given.region, given.administrators)


def _unattested(given: Given, store: Store) -> list[str]:
    return [token.symbol for token in given.region.tokens if not reserves.get(store, token.symbol).as_of_s]


async def _is_attested(given: Given) -> bool:
    return _asked(given, lambda store: _unattested(given, store)) == []


async def _await_attestation(given: Given) -> None:
    """Wait for the custodians, who attest at their own desks by their own keys."""
    deadline = time.monotonic() + ATTESTED_WITHIN_S
    while missing := _asked(given, lambda store: _unattested(given, store)):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"No attestation of {', '.join(missing)} yet: start the custodian's desk "
                "(python -m sdt.desk custodian --home DIR), then run this again.",
                code="attestation_missing",
            )
        await asyncio.sleep(_POLL_S)
