"""What a custodian knows by itself of a reserve: the bank's statement of it, line by line, and the supply on chain."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from eth_hash.auto import keccak

from sdt.adapters.chain.deploy import load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.desk.desk import Evidence
from sdt.domain.errors import Unavailable
from sdt.domain.region import Token
from sdt.ports.statement import Flow, Statement
from sdt.vendors import bank_account

__all__ = ["ReserveWatch"]

_TOTAL_SUPPLY = bytes(keccak(b"totalSupply()")[:4])


@dataclass(slots=True)
class ReserveWatch:
    """One token's reserve account. `moves` counts the transfers that the bank shows, by direction and transaction."""

    evidence: Evidence
    token: Token
    after: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def read(self) -> Statement:
        """Read the statement to its end; what it returns has the balance that every line counted here makes."""
        while True:
            bank = self.evidence.vendors.bank
            page = await bank.statement(bank_account(self.token.symbol, "reserve"), after=self.after)
            for line in page.lines:
                if line.kind == "book":
                    self.moves["in" if line.flow is Flow.IN else "out", line.reference] += 1
                self.after = line.sequence
            if not page.more:
                return page

    def shows(self, direction: str, transaction_id: str, nth: int) -> bool:
        """Whether the bank has made this transfer already."""
        return self.moves[direction, transaction_id] >= nth

    async def supply(self) -> int:
        """Ask the contract itself. Units: the token's smallest. Errors: Unavailable when the region is not deployed."""
        settings = self.evidence.settings
        deployment = load_deployment(settings.home)
        if deployment is None:
            raise Unavailable("The region's contracts are not deployed.", code="chain_unavailable")
        contract = deployment.tokens[self.evidence.region.token_index[self.token.symbol]]
        async with ChainReader(settings.chain.urls) as reader:
            return int.from_bytes(await reader.eth_call(contract, _TOTAL_SUPPLY), "big")
