"""The custodians' desk: the treasury's for dollars, the depository's for metal, each with a key of its own.

What it states is what it finds: it compares the confirmed balance at the bank or in the vault with what the chain
knows, and signs the difference, numbered. So a crash, a repeat or a second desk cannot count anything twice.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Literal

from sdt.client import Client
from sdt.desk.desk import Evidence, Waiting, client_of
from sdt.domain.errors import Unavailable
from sdt.domain.message import format_time, parse_time
from sdt.domain.region import Token
from sdt.ports import BookTransferOrder, BookTransferStatus
from sdt.vendors import bank_account

__all__ = ["Custodian"]

Purpose = Literal["clearing", "reserve"]

ATTESTATION_LIFE_S = 7 * 86_400
RENEW_BEFORE_S = 3 * 86_400
CONFIRMED_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class _Found:
    """What stands in a reserve. Units: the token's smallest; as_of_s in unix seconds."""

    units: int
    as_of_s: int
    document: bytes


class Custodian:
    """Moves dollars between clearing and reserve, and attests, funds and releases."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._clients: dict[str, Client] = {
            token.symbol: client_of(
                evidence.settings, evidence.region, "treasury" if token.domain == "dollar" else "vault"
            )
            for token in evidence.region.tokens
        }
        self._moved: set[str] = set()

    async def work(self) -> None:
        """Bring each token's reserve and its statement on chain up to date."""
        for token in self._evidence.region.tokens:
            await self._keep(token)

    async def _keep(self, token: Token) -> None:
        client = self._clients[token.symbol]
        if token.domain == "dollar":
            await self._move_dollars(token, client)
        report = (await client.get(f"/v1/tokens/{token.symbol}", prove=False))["reserve"]
        found = await self._look(token)
        known = int(report["held"]) if report else 0
        sequence = int(report["sequence"]) if report else 0
        if report is None or parse_time(report["valid_until"]) < time.time() + RENEW_BEFORE_S:
            await self._attest(token, client, found, sequence)
        elif found.units != known:
            await self._state(token, client, found.units - known, sequence + 1, self._evidence.keep(found.document))

    async def _look(self, token: Token) -> _Found:
        """Read the reserve where it lies: the confirmed balance of the reserve account, or the vault's holding."""
        if token.domain == "dollar":
            statement = await self._evidence.vendors.bank.statement(bank_account(token.symbol, "reserve"))
            return _Found(statement.balance.units, int(statement.as_of.timestamp()), statement.evidence.document)
        holding = await self._evidence.vendors.depository.holding_statement(token.symbol)
        return _Found(holding.total.units, int(holding.as_of.timestamp()), holding.evidence.document)

    async def _attest(self, token: Token, client: Client, found: _Found, sequence: int) -> None:
        claims = {
            "token": token.symbol,
            "reserve": str(found.units),
            "holdings": self._evidence.keep(found.document).hex(),
            "as_of": format_time(found.as_of_s),
            "valid_until": format_time(found.as_of_s + ATTESTATION_LIFE_S),
            "sequence": sequence,
        }
        await client.wait(await client.submit("attest_reserve", claims), until=("completed",))

    async def _state(self, token: Token, client: Client, change: int, sequence: int, evidence: bytes) -> None:
        """Sign what entered (fund) or left (release) the reserve since the last number."""
        claims = {
            "token": token.symbol,
            "amount": str(abs(change)),
            "sequence": sequence,
            "evidence": evidence.hex(),
        }
        kind = "fund" if change > 0 else "release"
        await client.wait(await client.submit(kind, claims), until=("completed",))

    async def _move_dollars(self, token: Token, client: Client) -> None:
        """Fund, then mint; burn, then release: book transfers, each keyed by the transaction it is for."""
        answer = await client.get("/v1/desk/tasks", role="custodian")
        for task in answer["tasks"]:
            if task["kind"] == "reserve" or task["token"] != token.symbol or task["transaction_id"] in self._moved:
                continue
            waiting = Waiting.read(task)
            if task["kind"] == "deposit":
                if await self._evidence.of_deposit(waiting) is None:
                    continue
                await self._transfer(token, "clearing", "reserve", waiting)
            else:
                await self._transfer(token, "reserve", "clearing", waiting)
            self._moved.add(waiting.transaction_id)

    async def _transfer(self, token: Token, source: Purpose, destination: Purpose, waiting: Waiting) -> None:
        order = BookTransferOrder(
            source=bank_account(token.symbol, source),
            destination=bank_account(token.symbol, destination),
            amount=token.amount(waiting.units),
            reference=waiting.transaction_id,
        )
        bank = self._evidence.vendors.bank
        transfer = await bank.book_transfer(order, key=f"{destination}:{waiting.transaction_id}")
        deadline = time.monotonic() + CONFIRMED_WITHIN_S
        while transfer.status is not BookTransferStatus.CONFIRMED:
            if time.monotonic() > deadline:
                # Ordered under one key, so the next round finds this transfer and not a second one.
                raise Unavailable("The bank has not confirmed a book transfer yet.", code="transfer_unconfirmed")
            await asyncio.sleep(0.1)
            transfer = await bank.transfer(transfer.transfer_id)

    async def close(self) -> None:
        """Let go of connections."""
        for client in self._clients.values():
            await client.close()
        await self._evidence.close()
