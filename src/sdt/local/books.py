"""The books held against each other: chain, database, bank and vault, each asked by itself.

Money that is conserved shows as one figure a token in every column; supply never exceeds the reserve.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from eth_hash.auto import keccak

from sdt.adapters.chain.deploy import load_deployment
from sdt.adapters.chain.errors import AnswerTooLong, ChainRefused
from sdt.adapters.chain.reader import ChainReader
from sdt.backends import open_database
from sdt.config import Settings
from sdt.domain.region import Region, Token
from sdt.domain.registry import account_bytes
from sdt.store import Store, ledger
from sdt.vendors import Vendors, bank_account, open_vendors

__all__ = ["Books", "read_books", "settled_books"]

_TOTAL_SUPPLY = bytes(keccak(b"totalSupply()")[:4])
_BALANCE_OF = bytes(keccak(b"balanceOf(address)")[:4])
_TRANSFER = bytes(keccak(b"Transfer(address,address,uint256)"))


@dataclass(frozen=True, slots=True)
class Books:
    """One token in every book. Units: the token's smallest.

    `differing` are accounts whose balance on chain is not the one in the database.
    """

    token: Token
    supply: int
    chain_balances: int
    database_balances: int
    held: int
    reserve: int
    reserve_place: str
    holders: int
    differing: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether every column says the same, account by account, and supply is covered."""
        return (
            self.supply == self.chain_balances == self.database_balances == self.reserve
            and self.held == 0
            and not self.differing
        )

    @property
    def covered(self) -> bool:
        """Supply ≤ reserve."""
        return self.supply <= self.reserve


async def settled_books(settings: Settings, region: Region, timeout_s: float = 30.0) -> list[Books]:
    """Return the books once they agree, or as they stand when time is up: a release may still be on its way."""
    deadline = time.monotonic() + timeout_s
    while True:
        books = await read_books(settings, region)
        if all(one.agree for one in books) or time.monotonic() > deadline:
            return books
        await asyncio.sleep(0.5)


async def read_books(settings: Settings, region: Region) -> list[Books]:
    """Ask chain, database, bank and vault once."""
    deployment = load_deployment(settings.home)
    assert deployment is not None, "the region is open"
    store = open_database(settings)
    try:
        async with ChainReader(settings.chain.urls) as reader, open_vendors(settings) as vendors:
            return [
                await _of_token(token, address, reader, store, vendors)
                for token, address in zip(region.tokens, deployment.tokens, strict=True)
            ]
    finally:
        store.close()


async def _of_token(token: Token, contract: str, reader: ChainReader, store: Store, vendors: Vendors) -> Books:
    supply = int.from_bytes(await reader.eth_call(contract, _TOTAL_SUPPLY), "big")
    on_chain = await _balances_on_chain(contract, reader)
    accounts = await store.read(ledger.token_balances, token.symbol)
    in_database = {address: balance.posted for address, balance in accounts.items()}
    differing = [a for a in on_chain.keys() | in_database.keys() if on_chain.get(a, 0) != in_database.get(a, 0)]
    if token.domain == "dollar":
        place = f"bank account {token.symbol}-reserve"
        reserve = (await vendors.bank.statement(bank_account(token.symbol, "reserve"))).balance.units
    else:
        place = f"vault {token.symbol}"
        reserve = (await vendors.depository.holding_statement(token.symbol)).total.units
    return Books(
        token,
        supply,
        sum(on_chain.values()),
        sum(in_database.values()),
        sum(balance.held for balance in accounts.values()),
        reserve,
        place,
        sum(1 for units in on_chain.values() if units),
        tuple(sorted(differing)),
    )


async def _balances_on_chain(contract: str, reader: ChainReader) -> dict[str, int]:
    """Ask the contract about everybody who ever received: its Transfer events name them."""
    holders: set[str] = set()
    head = await reader.block_number()
    first, step = 0, 5_000
    while first <= head:
        last = min(head, first + step - 1)
        try:
            found = await reader.logs(first, last, addresses=[contract], topics=[_TRANSFER])
        except (ChainRefused, AnswerTooLong):
            # A node bounds its answers, in words of its own, and so do we: ask for less until one block is too much.
            if first == last:
                raise
            step = (last - first + 1) // 2
            continue
        holders |= {"0x" + log.topics[2][12:].hex() for log in found}
        first, step = last + 1, min(5_000, step * 2)
    holders.discard("0x" + "00" * 20)
    asked = sorted(holders)
    answers = await reader.eth_calls([(contract, _BALANCE_OF + account_bytes(a).rjust(32, b"\0")) for a in asked])
    return {address: int.from_bytes(answer, "big") for address, answer in zip(asked, answers, strict=True)}
