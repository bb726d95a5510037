"""Double entry: accounts by name, and which postings each event makes.

Every posting debits one account and credits another by the same amount, so the books balance by construction.
`Token:` accounts are what the platform owes its users (credit side); bank and vault accounts are what it owns
(debit side). Source: the table "The reserve, as bookkeeping" in docs/money.md.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Posting",
    "deposit_filed",
    "deposit_returned",
    "deposit_settled",
    "fund_postings",
    "issue_postings",
    "payout_paid",
    "redeem_postings",
    "release_postings",
    "seize_postings",
    "token_account",
    "token_of",
    "transfer_postings",
]


@dataclass(frozen=True, slots=True)
class Posting:
    """Move `units` of a token's asset from the credit of `debit` to the credit of `credit`."""

    debit: str
    credit: str
    token: str
    units: int

    def __post_init__(self) -> None:
        assert type(self.units) is int and self.units > 0, "a posting moves more than nothing"
        assert self.debit != self.credit, "a posting has two sides"


def token_account(token: str, address: str) -> str:
    """Return the ledger account of a user's balance of one token."""
    return f"Token:{token}:{address}"


def token_of(account: str) -> tuple[str, str]:
    """Return (token, address) of a user's ledger account."""
    kind, token, address = account.split(":")
    assert kind == "Token"
    return token, address


def transfer_postings(token: str, payer: str, payee: str, amount: int, fee: int, fee_account: str) -> list[Posting]:
    """Payer to payee, and the fee to the region's fee account: supply stays what it was."""
    postings = [Posting(token_account(token, payer), token_account(token, payee), token, amount)]
    if fee:
        postings.append(Posting(token_account(token, payer), token_account(token, fee_account), token, fee))
    return postings


def deposit_filed(token: str, deposit: str, units: int) -> list[Posting]:
    """An ACH debit went to the bank: nothing is ours yet."""
    return [Posting(f"InFlight:{token}", f"Pending:{token}:{deposit}", token, units)]


def deposit_settled(token: str, units: int) -> list[Posting]:
    """The ACH debit settled into the clearing account."""
    return [Posting(f"Clearing:{token}", f"InFlight:{token}", token, units)]


def deposit_returned(token: str, deposit: str, units: int, *, settled: bool) -> list[Posting]:
    """The bank sent an ACH debit back before anything was minted."""
    source = f"Clearing:{token}" if settled else f"InFlight:{token}"
    return [Posting(f"Pending:{token}:{deposit}", source, token, units)]


def metal_taken_in(token: str, deposit: str, units: int) -> list[Posting]:
    """A bar stands in the vault and is not yet anybody's token."""
    return [Posting(f"Vault:{token}", f"Pending:{token}:{deposit}", token, units)]


def fund_postings(token: str, units: int) -> list[Posting]:
    """The custodian moved dollars from clearing to the reserve account: before the mint."""
    return [Posting(f"Reserve:{token}", f"Clearing:{token}", token, units)]


def release_postings(token: str, units: int) -> list[Posting]:
    """The custodian moved dollars from the reserve account to clearing: after the burn."""
    return [Posting(f"Clearing:{token}", f"Reserve:{token}", token, units)]


def issue_postings(token: str, deposit: str, account: str, units: int) -> list[Posting]:
    """What was pending becomes the user's token."""
    return [Posting(f"Pending:{token}:{deposit}", token_account(token, account), token, units)]


def redeem_postings(token: str, account: str, units: int, fee: int, fee_account: str) -> list[Posting]:
    """The token is burnt; what is owed waits in Payout until the bank has paid."""
    postings = [Posting(token_account(token, account), f"Payout:{token}", token, units)]
    if fee:
        postings.append(Posting(token_account(token, account), token_account(token, fee_account), token, fee))
    return postings


def seize_postings(token: str, account: str, to: str, units: int) -> list[Posting]:
    """What an order takes from one account another holds; supply stays what it was."""
    return [Posting(token_account(token, account), token_account(token, to), token, units)]


def payout_paid(token: str, units: int) -> list[Posting]:
    """The bank paid the ACH credit out of clearing."""
    return [Posting(f"Payout:{token}", f"Clearing:{token}", token, units)]
