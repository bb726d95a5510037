"""The acts by which officers set right what the bank undid, and dispose of dollars that are kept apart."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from sdt.domain.claims import Digest, Id, Legal, Reason, Symbol, Units
from sdt.domain.office import Act

__all__ = [
    "EndowLossFund",
    "PaySuspense",
    "RecordRepayment",
    "ReleaseBlock",
    "SettleSurplus",
    "SettleSuspense",
    "WriteOff",
]

BankRef = Annotated[str, Meta(min_length=1, max_length=72)]
Kept = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]


class _OfDeposit(Act, frozen=True, kw_only=True):
    """An act about a deposit that came back after its mint. Units: amount in the token's smallest."""

    deposit: Id
    amount: Units
    reason: Reason

    @property
    def subject(self) -> str:
        """The deposit."""
        return self.deposit


class RecordRepayment(_OfDeposit, frozen=True, tag="record_repayment"):
    """The debtor paid dollars into clearing; `evidence` is the SHA-256 of the bank's word for it, used once."""

    evidence: Digest


class WriteOff(_OfDeposit, frozen=True, tag="write_off"):
    """Nobody pays any more: the loss fund's dollars bear it, or tokens of the region's loss account are burnt."""

    bearer: Literal["loss_fund", "loss_account"]


class EndowLossFund(Act, frozen=True, kw_only=True, tag="endow_loss_fund"):
    """The region put dollars into its loss fund; `evidence` is the SHA-256 of the bank's word for it, used once."""

    token: Symbol
    amount: Units
    evidence: Digest
    reason: Reason

    @property
    def subject(self) -> str:
        """The token."""
        return self.token


class SettleSuspense(Act, frozen=True, kw_only=True, tag="settle_suspense"):
    """Dispose of a payout in suspense.

    `remint` gives the tokens back to their owner, who may redeem them to another bank account by a message of their
    own: nobody else names where a payout goes. `unclaimed` holds the dollars for the State's unclaimed property.
    """

    redemption: Id
    way: Literal["remint", "unclaimed"]
    reason: Reason

    @property
    def subject(self) -> str:
        """The redemption."""
        return self.redemption


class PaySuspense(Act, frozen=True, kw_only=True, tag="pay_suspense"):
    """Pay what of a deposit or redemption is kept apart to another bank account that its owner linked and proved.

    `evidence` is the SHA-256 of what shows that the owner asked for this account.
    """

    transaction: Id
    bank_account: BankRef
    evidence: Digest
    reason: Reason

    @property
    def subject(self) -> str:
        """The deposit or redemption."""
        return self.transaction


class SettleSurplus(Act, frozen=True, kw_only=True, tag="settle_surplus"):
    """Dispose of dollars in suspense that are no payout's: of a deposit, or currency that no deposit asked for.

    `deposit` gives currency to the deposit, of just that amount, that waits for it; `unclaimed` holds the dollars for
    the State's unclaimed property. `kept` is the transaction, or the bank's number of what was counted.
    """

    kept: Kept
    token: Symbol
    way: Literal["deposit", "unclaimed"]
    evidence: Digest
    reason: Reason
    deposit: Id | None = None

    @property
    def subject(self) -> str:
        """What is kept."""
        return self.kept


class ReleaseBlock(Act, frozen=True, kw_only=True, tag="release_block"):
    """Let blocked dollars go on: `order` is the number of the licence, or of the removal from the list."""

    transaction: Id
    order: Legal
    reason: Reason

    @property
    def subject(self) -> str:
        """The deposit or redemption."""
        return self.transaction
