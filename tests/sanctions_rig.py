"""Sanctions in the worker for tests: a real store, a real search process over the invented list, a real vendor."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from databases import database_at
from domain_messages import texas
from sdt import sandbox
from sdt.adapters.queue.embedded import EmbeddedQueue
from sdt.adapters.wrapping import VaultKey
from sdt.domain.authority import parties
from sdt.domain.claims import format_time
from sdt.domain.envelope import kid_of, message_digest, open_envelope, seal_envelope
from sdt.domain.items import fee_of
from sdt.domain.ledger import Posting, token_account
from sdt.domain.message import read_message
from sdt.domain.personal import BankDetails, Business, Owner, Party, Person, PersonAddress
from sdt.domain.region import Region
from sdt.domain.registry import NEVER_S, Role
from sdt.domain.transaction import Status
from sdt.domain.transaction_id import IdIssuer
from sdt.ports.aml import Aml
from sdt.ports.queue import QueueEntry
from sdt.store import Store, accounts, banking, ledger, open_store, registry, transactions
from sdt.store.accounts import UserRow
from sdt.store.banking import BankAccountRow
from sdt.store.office import ActRow
from sdt.store.registry import IdentityRow, KeyRow
from sdt.store.transactions import AcceptedRow, TransactionRow
from sdt.worker.clock import Clock
from sdt.worker.expiry import Expiry
from sdt.worker.reading import Reading
from sdt.worker.rescreening import Rescreening
from sdt.worker.sanctions import Sanctions
from sdt.worker.screening import Screening
from sdt.worker.searcher import Searcher
from sdt.workflows.acts import office_of
from sdt.workflows.people import People
from sdt.workflows.sanctions_lists import first_list, load

INVENTED = Path(sandbox.__file__).parent / "sanctions_list"
NETWORK = "sdt-test"
MASTER_KEY = b"p" * 32
OFFICERS = {name: SigningKey(bytes([n]) * 32) for n, name in enumerate(("ann", "ben", "issuer", "approver"), 10)}
ROLES = {
    "ann": Role.COMPLIANCE_OFFICER,
    "ben": Role.COMPLIANCE_OFFICER,
    "issuer": Role.ISSUER,
    "approver": Role.APPROVER,
}


class MovedClock(Clock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead_s = 0

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self.ahead_s * 1000

    def now_s(self) -> int:
        return self.now_ms() // 1000


def person(given: str, family: str, street: str = "1 Main St", city: str = "Austin", zip_code: str = "78701") -> Person:
    return Person(
        given_name=given,
        family_name=family,
        born_on="1988-04-17",
        address=PersonAddress(street=street, city=city, state="TX", postal_code=zip_code),
        ssn_last4="1234",
        email="x@example.com",
    )


def business(name: str, *owners: tuple[Person, int], control: Person | None = None) -> Business:
    return Business(
        legal_name=name,
        kind="llc",
        ein_last4="1234",
        formed_in="TX",
        address=PersonAddress(street="2 Main St", city="Austin", state="TX", postal_code="78701"),
        control=control or person("Carla", "Controller"),
        owners=tuple(Owner(person=who, share_ppm=share) for who, share in owners),
    )


@dataclass
class Holder:
    """Somebody with an account, a key and a bank account."""

    account: str
    key: SigningKey
    bank: str


@dataclass
class Rig:
    """The worker's parts that screen, and officers who decide."""

    store: Store
    home: Path
    queue: EmbeddedQueue
    region: Region
    clock: MovedClock
    people: People
    searcher: Searcher
    sanctions: Sanctions
    screening: Screening
    made: int = field(default=0)

    def new_id(self) -> str:
        return IdIssuer(self.region.id, (b"i" * 32,)).issue(self.clock.now_ms(), secrets.token_bytes(10))

    async def join(
        self, party: Party, *, units: int = 10_000, registered: bool = True, bank_holder: str | None = None
    ) -> Holder:
        """Let somebody have an account with identity in both domains, a linked bank account of theirs, and dollars."""
        self.made += 1
        holder = Holder(f"0x{self.made:040x}", SigningKey.generate(), f"ref{self.made}")
        await self.store.run(self._join, holder, party, units, registered, bank_holder or party.name[:80])
        return holder

    def _join(self, store: Store, holder: Holder, party: Party, units: int, registered: bool, bank_holder: str) -> None:
        now_ms = self.clock.now_ms()
        user_id = str(uuid.uuid4())
        accounts.create_user(store, UserRow(user_id, holder.account, f"user{self.made}", "US-TX", now_ms))
        accounts.set_person(store, holder.account, self.people.seal(store, holder.account, party, now_ms))
        if registered:
            accounts.mark_registered(store, holder.account)
        for domain in ("dollar", "cash"):
            registry.set_identity(store, IdentityRow(holder.account, domain, 2, True, now_ms // 1000 + 400 * 86_400))
        public = bytes(holder.key.verify_key)
        row = KeyRow(kid_of(public), public, holder.account, int(Role.CLIENT), 0, "active", NEVER_S, None)
        registry.upsert_key(store, row)
        self.link(store, holder, user_id, bank_holder)
        if units:
            minted = Posting("Pending:TXD:x", token_account("TXD", holder.account), "TXD", units)
            ledger.post(store, [(f"genesis{self.made}", minted)], release=[], at_ms=now_ms)

    def link(self, store: Store, who: Holder, user_id: str, name: str, number: str = "12345678") -> str:
        """Link a bank account that somebody holds; return its reference."""
        now_ms, ref = self.clock.now_ms(), who.bank if number == "12345678" else f"{who.bank}-{number}"
        details = BankDetails(routing_number="021000021", account_number=number, kind="checking", holder=name)
        sealed = self.people.seal(store, who.account, details, now_ms)
        banking.link_account(
            store, BankAccountRow(ref, user_id, who.account, sealed, f"…{number[-4:]}", "linked", now_ms)
        )
        return ref

    async def send(self, kind: str, key: SigningKey, **claims: Any) -> str:
        """Store and queue a message, as intake does."""
        transaction_id = self.new_id()
        base = {
            "type": kind,
            "version": 1,
            "network": NETWORK,
            "transaction_id": transaction_id,
            "region": self.region.id,
            "issued_at": format_time(self.clock.now_s()),
        }
        raw = seal_envelope(kind, base | claims, key)
        signed = read_message(raw)
        account, counterparty = parties(signed.message)
        row = AcceptedRow(
            transaction_id,
            signed.type,
            signed.message.administrative,
            signed.kid,
            account,
            counterparty,
            getattr(signed.message, "token", None),
            int(getattr(signed.message, "amount", 0)),
            fee_of(signed, self.region),
            signed.digest,
            raw,
            signed.issued_at_s,
            signed.expires_at_s,
            self.clock.now_ms(),
        )
        await self.store.run(transactions.insert_accepted, [row])
        await self.queue.send([QueueEntry(transaction_id, transaction_id, transaction_id)])
        return transaction_id

    def _expires(self) -> str:
        return format_time(self.clock.now_s() + 3600)

    async def deposit(self, who: Holder, units: int = 5_000, token: str = "TXD") -> str:  # noqa: S107
        source = f"bank:{who.bank}" if token == "TXD" else "dropoff:vault"
        return await self.send(
            "deposit", who.key, token=token, account=who.account, amount=str(units), source=source,
            expires_at=self._expires(),
        )  # fmt: skip

    async def redeem(self, who: Holder, units: int = 1_000) -> str:
        return await self.send(
            "redeem", who.key, token="TXD", account=who.account, amount=str(units), fee_max="0",
            destination=f"bank:{who.bank}", expires_at=self._expires(),
        )  # fmt: skip

    async def transfer(self, payer: Holder, payee: Holder, units: int = 500) -> str:
        return await self.send(
            "transfer", payer.key, token="TXD", payer=payer.account, payee=payee.account, payee_handle="bob.tx",
            amount=str(units), fee_max="0", memo="", expires_at=self._expires(),
        )  # fmt: skip

    async def issue(self, who: Holder, deposit: str, units: int = 5_000) -> str:
        return await self.send(
            "issue", OFFICERS["issuer"], token="TXD", account=who.account, amount=str(units), deposit=deposit,
            evidence="e" * 64,
        )  # fmt: skip

    async def screen(self) -> None:
        """Take everything that waits, as the worker does."""
        while received := await self.queue.receive(500, 0.0, 30):
            await self.screening.take(received)
            for task in list(self.screening._outside):
                await task

    async def row(self, transaction_id: str) -> TransactionRow:
        found = await self.store.read(transactions.get, transaction_id)
        assert found is not None
        return found

    async def status(self, transaction_id: str) -> tuple[Status, str | None]:
        row = await self.row(transaction_id)
        return row.status, row.code

    async def act(self, kind: str, officer: str, **claims: Any) -> ActRow:
        """Carry out an officer's act, as the API does."""
        act_id = str(uuid.uuid4())
        base = {
            "type": kind,
            "version": 1,
            "network": NETWORK,
            "act_id": act_id,
            "region": self.region.id,
            "issued_at": format_time(self.clock.now_s()),
        }
        envelope = open_envelope(seal_envelope(kind, base | claims, OFFICERS[officer]))
        return await self.store.run(office_of(self.region, NETWORK).perform, envelope, act_id, self.clock.now_ms())

    async def agreed(self, first: ActRow, officer: str = "ben") -> ActRow:
        return await self.act("agree", officer, digest=message_digest(bytes(first.raw)).hex())

    async def case_of(self, who: Holder) -> str:
        found = await self.store.read(_case_of, who.account)
        assert found is not None, "no case is open"
        return found

    async def rescreen(self) -> int:
        rescreening = Rescreening(self.store, self.sanctions, self.searcher, self.clock, per_s_max=100_000)
        return await rescreening.round()

    async def expire(self) -> None:
        await self.store.run(Expiry(self.store, self.clock).expire)


def _case_of(store: Store, account: str) -> str | None:
    found = store.row(
        "SELECT id FROM cases WHERE account = ? AND kind = 'sanctions' ORDER BY opened_at_ms DESC LIMIT 1", (account,)
    )
    return found[0] if found else None


def _officials(store: Store) -> None:
    for name, key in OFFICERS.items():
        public = bytes(key.verify_key)
        registry.upsert_key(store, KeyRow(kid_of(public), public, None, int(ROLES[name]), 0, "active", NEVER_S, None))


@asynccontextmanager
async def sanctions_rig(
    home: Path, aml: Aml, url: str | None = None, region: Region | None = None, lists: Path | None = INVENTED
) -> AsyncIterator[Rig]:
    """Everything over files in `home`."""
    store = open_store(url or database_at(home / "books.db"), migrate=True)
    await store.run(_officials)
    clock = MovedClock()
    if lists is not None:
        first_list(store, home, lists, clock.now_ms())
    queue = EmbeddedQueue(home / "queue.db")
    region = region or texas()
    people = People(store, VaultKey(lambda: (MASTER_KEY,)))
    searcher = Searcher(store, home)
    sanctions = Sanctions(store, people, aml, searcher, region, clock)
    screening = Screening(store, queue, region, sanctions, clock, 30, Reading())
    try:
        yield Rig(store, home, queue, region, clock, people, searcher, sanctions, screening)
    finally:
        await searcher.close()
        await queue.close()
        store.close()


def edited(tmp_path: Path, old: str, new: str, name: str = "next") -> Path:
    """Write the invented list with one change."""
    folder = tmp_path / name
    folder.mkdir()
    for file in INVENTED.iterdir():
        (folder / file.name).write_bytes(file.read_bytes().replace(old.encode(), new.encode()))
    return folder


async def put(rig: Rig, folder: Path, day: str, *, older: bool = False, alone: bool = False) -> str:
    """Load a list as the operator and put it in force as an officer, with a second one where it takes two."""
    now_ms = rig.clock.now_ms()
    loaded = load(rig.store, rig.home, folder, list_date=date.fromisoformat(day), by="operator", now_ms=now_ms)
    act = await rig.act("set_sanctions_list", "ann", digest=loaded.row.digest, list_date=day, older=older)
    if act.status == "waiting" and not alone:
        act = await rig.agreed(act)
    return act.status
