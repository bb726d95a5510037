"""The custodians' desk: the treasury's for dollars, the depository's for metal, each with a key of its own.

What it states is what it finds: it compares the confirmed balance at the bank or in the vault, less what is about to
leave it, with what the chain knows, and signs the difference, numbered. So a crash, a repeat or a second desk cannot
count anything twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sdt.client import Client
from sdt.desk.clearing_cover import ClearingCover
from sdt.desk.desk import CURRENCY, Evidence, Waiting, client_of
from sdt.desk.reserve_watch import ReserveWatch
from sdt.domain.errors import Unavailable
from sdt.domain.message import format_time, parse_time
from sdt.domain.region import Token
from sdt.domain.reserve_plan import may_leave, what_lasts
from sdt.ports.bank import AchDirection, BookTransferOrder, BookTransferStatus
from sdt.vendors import Purpose, bank_account

__all__ = ["Custodian", "Move"]

ATTESTATION_LIFE_S = 7 * 86_400
RENEW_BEFORE_S = 3 * 86_400
CONFIRMED_WITHIN_S = 60
_APART: Final[dict[str, tuple[Purpose, Purpose]]] = {
    "apart": ("clearing", "blocked"),
    "back": ("blocked", "clearing"),
}


@dataclass(frozen=True, slots=True)
class _Found:
    """What stands in a reserve. Units: the token's smallest; as_of_s in unix seconds."""

    units: int
    as_of_s: int
    document: bytes


@dataclass(frozen=True, slots=True)
class Move:
    """A book transfer that the books ask for: a claim of the API, to be checked. Units: the token's smallest."""

    transaction_id: str
    type: str
    account: str
    direction: str
    nth: int
    units: int
    external_id: str
    given: Mapping[str, object] | None = None

    @classmethod
    def read(cls, task: Mapping[str, Any]) -> Move:
        entry = task.get("bank_entry") or {}
        return cls(
            task["transaction_id"],
            task["type"],
            str(task["account"]),
            task["direction"],
            int(task["nth"]),
            int(task["amount"]),
            str(entry.get("entry") or ""),
            entry.get("given"),
        )

    @property
    def by_ach(self) -> bool:
        """Whether it is of a debit, which may still be taken back; currency and returned payouts may not."""
        return self.direction == "in" and self.type == "deposit" and not self.external_id.startswith(CURRENCY)


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
        self._watches = {token.symbol: ReserveWatch(evidence, token) for token in evidence.region.tokens}
        self._ordered: set[tuple[str, str, int]] = set()

    async def work(self) -> None:
        """Bring each token's reserve and its statement on chain up to date."""
        for token in self._evidence.region.tokens:
            if token.domain == "dollar":
                await self._keep_dollars(token)
            else:
                await self._state_what_is_there(token, await self._look(token), ())

    async def _keep_dollars(self, token: Token) -> None:
        """Fund, then mint; burn, then release.

        Into the reserve: first the bank, then the chain. Out of it: first the chain, then the bank. So what the chain
        counts on never exceeds what the bank holds, wherever a crash falls in between.
        """
        answer = await self._clients[token.symbol].get("/v1/desk/tasks", role="custodian")
        moves = [Move.read(t) for t in answer["tasks"] if t["kind"] == "reserve_move" and t["token"] == token.symbol]
        watch = self._watches[token.symbol]
        await watch.read()
        kept_back, cover = 0, None
        for move in moves:
            if move.by_ach and not watch.shows("in", move.transaction_id, move.nth):
                cover = cover or await self._cover(token)
                if cover.spare(move.units):
                    await self._fund(token, move)
                else:
                    kept_back += 1
            elif move.direction == "in" and not watch.shows("in", move.transaction_id, move.nth):
                await self._fund(token, move)
            elif move.direction in _APART and (move.direction, move.transaction_id, move.nth) not in self._ordered:
                await self._transfer(token, *_APART[move.direction], move)
                self._ordered.add((move.direction, move.transaction_id, move.nth))
        found = await self._look(token)
        leaving = [m for m in moves if m.direction == "out" and not watch.shows("out", m.transaction_id, m.nth)]
        await self._state_what_is_there(token, found, [move.units for move in leaving])
        for move in leaving:
            await self._release(token, move, watch)
        if kept_back:
            detail = f"{kept_back} deposits stay in clearing: without them it holds less than must cover returns."
            raise Unavailable(detail, code="clearing_short")

    async def _state_what_is_there(self, token: Token, found: _Found, leaving: Sequence[int]) -> None:
        """State on chain what the reserve holds for good: what is about to leave it counts no longer."""
        client, lasting = self._clients[token.symbol], what_lasts(found.units, leaving)
        report = (await client.get(f"/v1/tokens/{token.symbol}", prove=False))["reserve"]
        known = int(report["held"]) if report else 0
        sequence = int(report["sequence"]) if report else 0
        if report is None or parse_time(report["valid_until"]) < time.time() + RENEW_BEFORE_S:
            await self._attest(token, client, found, lasting, sequence)
        elif lasting != known:
            await self._state(token, client, lasting - known, sequence + 1, self._evidence.keep(found.document))

    async def _fund(self, token: Token, move: Move) -> None:
        """Move what has come in for good: a deposit to be minted, a payout to be minted again."""
        if move.type == "deposit":
            deposit = Waiting(move.transaction_id, token.symbol, move.account, move.units, move.external_id, move.given)
            proof = await self._evidence.of_deposit(deposit)
        else:
            proof = await self._evidence.of_return(
                token.symbol, move.transaction_id, move.units, AchDirection.CREDIT, move.external_id
            )
        if proof is not None:
            await self._transfer(token, "clearing", "reserve", move)

    async def _cover(self, token: Token) -> ClearingCover:
        """Read clearing at the bank, and what must stay there: the API's word, which can keep dollars and move none."""
        report = await self._clients[token.symbol].request("GET", "/v1/office/money", prove=True)
        [cover] = [one["cover"] for one in report["tokens"] if one["token"] == token.symbol]
        bank = self._evidence.vendors.bank
        return await ClearingCover.read(bank, token.symbol, int(cover["required"]), int(cover["loss_fund"]))

    async def _release(self, token: Token, move: Move, watch: ReserveWatch) -> None:
        """Move out what was burnt, if the contract itself says that the rest covers the supply."""
        held = (await watch.read()).balance.units
        if watch.shows("out", move.transaction_id, move.nth):
            return
        report = (await self._clients[token.symbol].get(f"/v1/tokens/{token.symbol}", prove=False))["reserve"]
        if not may_leave(held, move.units, await watch.supply(), int(report["held"])):
            raise Unavailable("The reserve would no longer cover the supply: nothing is moved.", code="under_reserve")
        await self._transfer(token, "reserve", "clearing", move)

    async def _look(self, token: Token) -> _Found:
        """Read the reserve where it lies: the confirmed balance of the reserve account, or the vault's holding."""
        if token.domain == "dollar":
            statement = await self._evidence.vendors.bank.statement(bank_account(token.symbol, "reserve"))
            return _Found(statement.balance.units, int(statement.as_of.timestamp()), statement.evidence.document)
        holding = await self._evidence.vendors.depository.holding_statement(token.symbol)
        return _Found(holding.total.units, int(holding.as_of.timestamp()), holding.evidence.document)

    async def _attest(self, token: Token, client: Client, found: _Found, lasting: int, sequence: int) -> None:
        claims = {
            "token": token.symbol,
            "reserve": str(lasting),
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

    async def _transfer(self, token: Token, source: Purpose, destination: Purpose, move: Move) -> None:
        order = BookTransferOrder(
            source=bank_account(token.symbol, source),
            destination=bank_account(token.symbol, destination),
            amount=token.amount(move.units),
            reference=move.transaction_id,
        )
        bank, again = self._evidence.vendors.bank, "" if move.nth == 1 else f":{move.nth}"
        # What comes into clearing from the blocked account is not what comes from the reserve for the same transaction.
        way = "freed" if source == "blocked" else destination
        transfer = await bank.book_transfer(order, key=f"{way}:{move.transaction_id}{again}")
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
