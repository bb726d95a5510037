"""What the money at the bank looks like to officers, as the API says it."""

from __future__ import annotations

from pydantic import BaseModel, Field

__all__ = ["ClearingItem", "CoverReport", "MoneyReport", "TokenMoney"]


class ClearingItem(BaseModel):
    """One open item of the clearing account; below zero it is missing there. Units: the token's smallest."""

    kind: str = Field(examples=["deposit"])
    transaction_id: str | None = None
    amount: str = Field(examples=["12500"])


class CoverReport(BaseModel):
    """What may still come back by ACH and what stands behind it; a shortfall stops minting by ACH and nothing else."""

    exposure: str
    required: str
    prefund: str
    loss_fund: str
    short: str


class TokenMoney(BaseModel):
    """One dollar token: its clearing account explained to the cent, its reserve in the books, and its cover."""

    token: str
    clearing: str
    items: list[ClearingItem]
    reserve: str
    supply: str
    cover: CoverReport


class MoneyReport(BaseModel):
    """Every dollar token's money at the bank, from the books."""

    tokens: list[TokenMoney]
