"""What every desk has: its keys, the API it speaks to like anybody, and its own way to the evidence."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nacl.signing import SigningKey

from sdt.adapters.chain.deploy import load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.adapters.vault.private_file import write_private
from sdt.client import Client, Network
from sdt.config import Settings
from sdt.desk.decision import checked_act
from sdt.domain.ach.reference import reference_of
from sdt.domain.money_acts import SettleSurplus
from sdt.domain.region import Region, load_region
from sdt.ports.bank import AchDirection, AchStatus
from sdt.ports.depository import BarStatus
from sdt.vendors import Vendors, bank_account, open_vendors

__all__ = ["Desk", "Evidence", "Waiting", "client_of", "desk_key"]


CURRENCY = "cur_"
"""What the bank's ids of currency that was counted at the counter begin with."""


class Desk(Protocol):
    """An official at work."""

    async def work(self) -> None:
        """Do what can be done now. Errors: SdtError, after which it is tried again."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """A deposit that waits to be issued. What the API says here is a claim to be checked, not a fact."""

    transaction_id: str
    token: str
    account: str
    units: int
    external_id: str
    given: Mapping[str, object] | None = None
    """Two officers' act that gave currency to this deposit, and the keys to check it with."""

    @classmethod
    def read(cls, task: Mapping[str, Any]) -> Waiting:
        """Read a deposit or a redemption among the API's tasks; a deposit nobody has seen come in has no entry yet."""
        entry = task.get("bank_entry") or {}
        return cls(
            task["transaction_id"],
            task["token"],
            task["account"],
            int(task["amount"]),
            str(entry.get("entry") or ""),
            entry.get("given"),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """The places where a desk looks by itself."""

    settings: Settings
    region: Region
    vendors: Vendors

    @classmethod
    def open(cls, settings: Settings, *, read_only: bool) -> Evidence:
        """Connect with the vendors; who only checks holds keys that can only look."""
        region = load_region(settings.region_file(next(iter(settings.regions))).read_bytes())
        return cls(settings, region, open_vendors(settings, read_only=read_only))

    async def close(self) -> None:
        """Let go of connections."""
        await self.vendors.close()

    async def of_deposit(self, deposit: Waiting) -> bytes | None:
        """Return the digest of what proves that this deposit's value has come in for good, or None if it has not.

        Dollars: the bank's own word that the entry settled and its return window has passed, for this amount and this
        transaction; or that currency was counted for it at the counter. Metal: the bar in the vault, taken in for this
        account and this transaction.
        """
        if not deposit.external_id:
            return None
        amount = self.region.token(deposit.token).amount(deposit.units)
        if deposit.external_id.startswith(CURRENCY):
            counted = await self.vendors.bank.currency_deposit(deposit.external_id)
            if counted.account != bank_account(deposit.token, "clearing") or counted.amount != amount:
                return None
            if counted.reference == deposit.transaction_id:
                return self.keep(counted.evidence.document)
            papers = await self._given(deposit)
            return self.keep(counted.evidence.document + papers) if papers else None
        if self.region.token(deposit.token).domain == "dollar":
            entry = await self.vendors.bank.ach_entry(deposit.external_id)
            good = (
                entry.status is AchStatus.WINDOW_PASSED
                and entry.direction is AchDirection.DEBIT
                and entry.amount == amount
                and entry.reference in (deposit.transaction_id, reference_of(deposit.transaction_id))
            )
            return self.keep(entry.evidence.document) if good else None
        bar = await self.vendors.depository.bar(deposit.external_id)
        good = (
            bar.status is BarStatus.HELD
            and bar.fine == amount
            and bar.account == deposit.account
            and bar.drop_off == deposit.transaction_id
        )
        return self.keep(bar.evidence.document) if good else None

    async def _given(self, deposit: Waiting) -> bytes | None:
        """Return two officers' own words that this very currency is this deposit's: the slip names another, or none."""
        if deposit.given is None:
            return None
        chain, deployment = self.settings.chain, load_deployment(self.settings.home)
        assert deployment is not None, "the region's contracts are deployed before a desk works"
        reader = ChainReader(chain.urls, timeout_s=chain.request_timeout_s)
        try:
            act = await checked_act(
                deposit.given,
                SettleSurplus,
                reader,
                deployment.registry,
                self.region,
                self.settings.network,
                int(time.time()),
            )
        finally:
            await reader.close()
        named = (act.kept, act.token, act.way, act.deposit)
        if named != (deposit.external_id, deposit.token, "deposit", deposit.transaction_id):
            return None
        return f"\n{deposit.given['act']}\n{deposit.given['agree']}\n".encode()

    async def of_return(
        self, token: str, reference: str, units: int, direction: AchDirection, external_id: str
    ) -> bytes | None:
        """Return the digest of the bank's own word that this very entry came back, or None if it does not say so."""
        if not external_id:
            return None
        entry = await self.vendors.bank.ach_entry(external_id)
        good = (
            entry.status is AchStatus.RETURNED
            and entry.direction is direction
            and entry.amount == self.region.token(token).amount(units)
            and entry.reference in (reference, reference_of(reference))
        )
        return self.keep(entry.evidence.document) if good else None

    def keep(self, document: bytes) -> bytes:
        """Keep what a desk is about to sign the digest of, and return that digest: a digest alone proves nothing."""
        digest = hashlib.sha256(document).digest()
        folder = self.settings.home / "evidence"
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / digest.hex()
        if not file.exists():
            write_private(file, document)
        return digest


def client_of(settings: Settings, region: Region, name: str) -> Client:
    """Return the API's client for an official of this home."""
    return Client(Network(settings.api.url, settings.network, region.id), desk_key(settings, name))


def desk_key(settings: Settings, name: str) -> SigningKey:
    """Return an official's key. Errors: FileNotFoundError for a name nobody has."""
    return SigningKey(bytes.fromhex((settings.desks.keys_folder / f"{name}.key").read_text().strip()))
