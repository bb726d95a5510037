"""What stands behind debits that may still come back, held against what the region demands.

A shortfall stops minting by ACH and nothing else: whoever holds tokens pays and redeems as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from sdt.domain.ach.exposure import Cover, Minted, exposure_of, required_cents
from sdt.domain.ledger import token_account
from sdt.domain.region import Region
from sdt.store import Store, bank_facts, ledger, undone

__all__ = ["CoverState", "alone_with_cover", "cover_of"]

_LOCK: Final = 0x5D7_0009
"""PostgreSQL advisory lock: whoever lets something be minted looks at the cover alone until the commit."""


@dataclass(frozen=True, slots=True)
class CoverState:
    """How a token stands. Units: cents.

    `prefund` is the region's own money in clearing less what depositors owe; `loss_fund` what stands in for losses.
    """

    exposure: int
    required: int
    prefund: int
    loss_fund: int

    @property
    def short(self) -> int:
        """What is missing; nothing more is minted by ACH while this is above zero."""
        return max(self.required - max(self.prefund, 0) - self.loss_fund, 0)


def alone_with_cover(store: Store) -> None:
    """Let no other screening judge an issue until this database transaction ends: each would see room for its own."""
    if store.postgres:
        store.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))


def cover_of(store: Store, region: Region, symbol: str, today: date, *, more: list[Minted] | None = None) -> CoverState:
    """Return how a dollar token is covered, as if what is in `more` were minted as well."""
    token, terms = region.token(symbol), region.ach.cover
    exposure = exposure_of([*bank_facts.minted_since(store, symbol, today), *(more or [])], today)
    loss_fund = _debit_side(store, f"LossFund:{symbol}")
    if token.loss_account:
        held = ledger.account_balance(store, token_account(symbol, token.loss_account))
        loss_fund += held.credits - held.debits
    return CoverState(
        sum(exposure.values()),
        required_cents(exposure, Cover(terms.share_ppm, terms.largest_users)),
        -_debit_side(store, f"Prefund:{symbol}") - undone.debts(store, symbol),
        loss_fund,
    )


def _debit_side(store: Store, name: str) -> int:
    found = ledger.account_balance(store, name)
    return found.debits - found.credits
