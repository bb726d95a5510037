"""What a custodian leaves in clearing: the dollars that must cover debits which may still be taken back."""

from __future__ import annotations

from dataclasses import dataclass

from sdt.domain.reserve_plan import may_enter
from sdt.ports.bank import Bank
from sdt.vendors import bank_account

__all__ = ["ClearingCover"]


@dataclass(slots=True)
class ClearingCover:
    """Clearing in one round of the desk, less what that round let go. Units: the token's smallest."""

    clearing: int
    required: int
    loss_fund: int

    @classmethod
    async def read(cls, bank: Bank, token: str, required: int, loss_fund: int) -> ClearingCover:
        """Read the bank's own confirmed balance."""
        statement = await bank.statement(bank_account(token, "clearing"))
        return cls(statement.balance.units, required, loss_fund)

    def spare(self, units: int) -> bool:
        """Whether so much may go into the reserve; what may go counts as gone."""
        if not may_enter(self.clearing, units, self.required, self.loss_fund):
            return False
        self.clearing -= units
        return True
