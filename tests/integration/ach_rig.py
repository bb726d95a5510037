"""The worker's ACH desk on a real store, against a real sandbox bank whose clock the test moves."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import nacl.utils
from sandbox_servers import Sandbox

from domain_messages import texas
from sdt.adapters.ach import ApiAchFiles
from sdt.adapters.wrapping import VaultKey
from sdt.config import load_settings
from sdt.config.model import Ach
from sdt.domain.ach.entry_life import EntryStatus
from sdt.domain.ledger import redeem_postings
from sdt.domain.personal import BankDetails
from sdt.domain.transaction import Event
from sdt.ports.ach_files import AchFiles
from sdt.ports.bank import Bank
from sdt.sandbox.control import SandboxControl
from sdt.store import Store, accounts, ach, banking, ledger, transactions
from sdt.store.accounts import UserRow
from sdt.store.banking import BankAccountRow, BankEntryRow
from sdt.store.transactions import Change
from sdt.worker.ach.bank_time import BankTime
from sdt.worker.ach.service import AchDesk
from sdt.worker.clock import Clock
from sdt.workflows.bank_proof import wanted_entry
from sdt.workflows.people import People
from store_rig import FEE_ACCOUNT, TOKEN, accepted, address, fund, transaction_id

GOOD_NUMBER = "000123456789"
ROUTING = "111000025"
FIRST_DAY = "2026-11-27"
"""On which the bank of these tests begins, whatever day it is: they name later ones."""


def ach_config(**changed: Any) -> Ach:
    """Return the settings of a test, some of them changed."""
    return load_settings(env="test").ach.model_copy(update=changed)


@dataclass
class Rig:
    """One region's ACH desk and its bank."""

    store: Store
    files: AchFiles
    bank: Bank
    control: SandboxControl
    config: Ach = field(default_factory=ach_config)
    master_key: bytes = field(default_factory=lambda: nacl.utils.random(32))

    def __post_init__(self) -> None:
        self.keys = VaultKey(lambda: (self.master_key,))
        self.people = People(self.store, self.keys)
        self.clock = Clock()
        self.restart()

    @classmethod
    def open(cls, store: Store, running: Sandbox, **changed: Any) -> Rig:
        """Return the desk of an empty store, at a running bank."""
        vendor = running.vendor("ach-files", "bank")
        return cls(store, ApiAchFiles(vendor), running.bank(), running.client("bank"), ach_config(**changed))

    def restart(self) -> None:
        """Begin anew with what is stored, as the worker does after it was killed."""
        time = BankTime(self.bank, self.clock, "bank")
        self.desk = AchDesk(self.store, texas(), self.config, self.files, time, self.people, self.keys, self.clock)

    async def clock_set(self, **order: Any) -> None:
        """Change the bank's clock."""
        await self.control.post("/v1/clock", order, f"clock.{uuid.uuid4()}")

    async def now(self) -> datetime:
        """The time at the bank."""
        return (await self.bank.calendar()).moment

    async def close(self) -> None:
        """Let go of connections."""
        await self.control.close()
        await self.files.close()
        await self.bank.close()

    async def round(self, times: int = 1) -> None:
        """Let the desk work."""
        for _ in range(times):
            await self.desk.round()

    def user(self, n: int, number: str = GOOD_NUMBER, holder: str = "Alice Example") -> BankAccountRow:
        """Return the linked account of the n-th user, registered now."""
        at_ms = self.clock.now_ms()
        with self.store.transaction():
            user = UserRow(f"user-{n}", address(n), f"user{n}.tx", "US-TX", at_ms, registered=True)
            accounts.create_user(self.store, user)
            details = BankDetails(routing_number=ROUTING, account_number=number, kind="checking", holder=holder)
            sealed = self.people.seal(self.store, address(n), details, at_ms)
            row = BankAccountRow(f"ref-{n}", f"user-{n}", address(n), sealed, f"…{number[-4:]}", "linked", at_ms)
            banking.link_account(self.store, row)
        return row

    def deposit(self, n: int, linked: BankAccountRow, units: int = 10_000, **changed: Any) -> str:
        """A deposit that waits for its debit; returns the entry's id."""
        with self.store.transaction():
            transactions.insert_accepted(self.store, [accepted(n, units=units, type="deposit")])
            awaits = Change(transaction_id(n), Event.AWAIT_FUNDS)
            transactions.move(self.store, [awaits], actor="screening", at_ms=self.clock.now_ms())
            return self._want(n, linked, units, False, changed)

    def payout(self, n: int, linked: BankAccountRow, units: int = 5_000, **changed: Any) -> str:
        """A redemption that is burnt and waits for its credit; returns the entry's id."""
        with self.store.transaction():
            fund(self.store, 1, units)
            transactions.insert_accepted(self.store, [accepted(n, units=units, type="redeem")])
            burnt = redeem_postings(TOKEN, transaction_id(n), address(1), units, 0, FEE_ACCOUNT)
            at_ms = self.clock.now_ms()
            ledger.post(self.store, [(transaction_id(n), p) for p in burnt], release=[], at_ms=at_ms)
            for step in (Event.SCREEN, Event.BATCH, Event.SUBMIT, Event.SETTLE):
                transactions.move(self.store, [Change(transaction_id(n), step)], actor="lane", at_ms=at_ms)
            return self._want(n, linked, units, True, changed)

    def _want(self, n: int, linked: BankAccountRow, units: int, is_credit: bool, changed: dict[str, Any]) -> str:
        id, direction, at_ms = f"ach:{transaction_id(n)}", "credit" if is_credit else "debit", self.clock.now_ms()
        entry = BankEntryRow(id, transaction_id(n), direction, TOKEN, units, None, "created", None, at_ms)  # type: ignore[arg-type]
        assert banking.put_entry(self.store, entry)
        row = wanted_entry(
            id,
            linked,
            TOKEN,
            purpose="payment",
            is_credit=is_credit,
            units=units,
            business=False,
            reference=transaction_id(n),
            at_ms=at_ms,
        )
        assert ach.want(self.store, row._replace(**changed))
        return id

    def status(self, id: str) -> EntryStatus:
        """Where a payment's entry stands."""
        found = banking.entry(self.store, id)
        assert found is not None
        return EntryStatus(found.status)

    def cases(self) -> list[tuple[str, str]]:
        """Kind and key of every case."""
        return [tuple(row) for row in self.store.rows("SELECT kind, key FROM cases ORDER BY kind, key")]
