"""Double entry: accounts by name, and which postings each event makes.

Every posting debits one account and credits another by the same amount, so the books balance by construction.
`Token:` accounts are what the platform owes its users (credit side); bank and vault accounts are what it owns
(debit side). Source: the table "The reserve, as bookkeeping" in docs/money.md.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Posting",
    "bank_fee",
    "bank_fee_from_clearing",
    "bank_fee_made_good",
    "blocked_brought_back",
    "blocked_interest",
    "blocked_set_apart",
    "clawback_postings",
    "currency_taken_in",
    "currency_unmatched",
    "currency_unused",
    "deposit_blocked",
    "deposit_filed",
    "deposit_returned",
    "deposit_settled",
    "dishonored_awaited",
    "dishonored_settled",
    "dishonored_surplus",
    "fund_postings",
    "interest_earned",
    "interest_swept",
    "issue_postings",
    "loss_borne",
    "loss_fund_endowed",
    "metal_taken_in",
    "micro_entry",
    "mint_refused_after_return",
    "payout_blocked",
    "payout_paid",
    "payout_returned",
    "payout_suspended",
    "prefund_taken_out",
    "prefunded",
    "recovered_twice",
    "redeem_postings",
    "release_postings",
    "remint_postings",
    "return_undone",
    "returned_late",
    "seize_postings",
    "surplus_taken_back",
    "suspense_ended",
    "suspense_matched",
    "suspense_unclaimed",
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
    """The bank sent an ACH debit back before anything was minted, or never took it."""
    source = f"Clearing:{token}" if settled else f"InFlight:{token}"
    return [Posting(f"Pending:{token}:{deposit}", source, token, units)]


def currency_taken_in(token: str, deposit: str, units: int) -> list[Posting]:
    """Coin and paper were counted into the clearing account for a deposit."""
    return [Posting(f"Clearing:{token}", f"Pending:{token}:{deposit}", token, units)]


def currency_unmatched(token: str, counted: str, units: int) -> list[Posting]:
    """Coin and paper were counted that no deposit asks for in just that amount: an officer finds out whose they are."""
    return [Posting(f"Clearing:{token}", f"Suspense:{token}:{counted}", token, units)]


def currency_unused(token: str, deposit: str, units: int) -> list[Posting]:
    """The deposit that dollars came in for has ended: an officer gives them back."""
    return [Posting(f"Pending:{token}:{deposit}", f"Suspense:{token}:{deposit}", token, units)]


def metal_taken_in(token: str, deposit: str, units: int) -> list[Posting]:
    """A bar stands in the vault and is not yet anybody's token."""
    return [Posting(f"Vault:{token}", f"Pending:{token}:{deposit}", token, units)]


def metal_handed_over(token: str, redemption: str, units: int) -> list[Posting]:
    """The bars that were owed left the vault with their owner."""
    return [Posting(f"Delivery:{token}:{redemption}", f"Vault:{token}", token, units)]


def metal_lost(token: str, units: int) -> list[Posting]:
    """A bar is gone, or weighs less than it did: its keeper owes it."""
    return [Posting(f"Claim:{token}", f"Vault:{token}", token, units)]


def metal_replaced(token: str, units: int) -> list[Posting]:
    """The keeper put another bar in the place of one that was lost."""
    return [Posting(f"Vault:{token}", f"Claim:{token}", token, units)]


def fund_postings(token: str, units: int) -> list[Posting]:
    """The custodian moved dollars from clearing to the reserve account: before the mint."""
    return [Posting(f"Reserve:{token}", f"Clearing:{token}", token, units)]


def release_postings(token: str, units: int) -> list[Posting]:
    """The custodian moved dollars from the reserve account to clearing: after the burn."""
    return [Posting(f"Clearing:{token}", f"Reserve:{token}", token, units)]


def issue_postings(token: str, deposit: str, account: str, units: int) -> list[Posting]:
    """What was pending becomes the user's token."""
    return [Posting(f"Pending:{token}:{deposit}", token_account(token, account), token, units)]


def redeem_postings(
    token: str, redemption: str, account: str, units: int, fee: int, fee_account: str, *, in_kind: bool = False
) -> list[Posting]:
    """The token is burnt; what is owed waits in Payout until the bank has paid, or in Delivery for metal."""
    owed = f"{'Delivery' if in_kind else 'Payout'}:{token}:{redemption}"
    postings = [Posting(token_account(token, account), owed, token, units)]
    if fee:
        postings.append(Posting(token_account(token, account), token_account(token, fee_account), token, fee))
    return postings


def seize_postings(token: str, account: str, to: str, units: int) -> list[Posting]:
    """What an order takes from one account another holds; supply stays what it was."""
    return [Posting(token_account(token, account), token_account(token, to), token, units)]


def payout_paid(token: str, redemption: str, units: int) -> list[Posting]:
    """The bank paid the ACH credit out of clearing."""
    return [Posting(f"Payout:{token}:{redemption}", f"Clearing:{token}", token, units)]


def payout_returned(token: str, redemption: str, units: int) -> list[Posting]:
    """A payout came back: the dollars are in clearing again, and owed as before."""
    return [Posting(f"Clearing:{token}", f"Payout:{token}:{redemption}", token, units)]


def remint_postings(token: str, redemption: str, account: str, units: int) -> list[Posting]:
    """What came back is the user's token again, once the reserve holds its dollars."""
    return [Posting(f"Payout:{token}:{redemption}", token_account(token, account), token, units)]


def payout_suspended(token: str, redemption: str, units: int) -> list[Posting]:
    """What came back cannot go to its owner now: the account is closed, frozen or its holder is dead."""
    return [Posting(f"Payout:{token}:{redemption}", f"Suspense:{token}:{redemption}", token, units)]


def suspense_ended(token: str, redemption: str, units: int, *, unclaimed: bool = False) -> list[Posting]:
    """An officer found whose it is, or its owner claimed it after all: it waits to be paid or minted again."""
    kept = "Unclaimed" if unclaimed else "Suspense"
    return [Posting(f"{kept}:{token}:{redemption}", f"Payout:{token}:{redemption}", token, units)]


def suspense_matched(token: str, counted: str, deposit: str, units: int) -> list[Posting]:
    """Officers found for which deposit currency was counted."""
    return [Posting(f"Suspense:{token}:{counted}", f"Pending:{token}:{deposit}", token, units)]


def suspense_unclaimed(token: str, redemption: str, units: int) -> list[Posting]:
    """Nobody can be paid: it is held for the State's unclaimed property, and its owner may claim it still."""
    return [Posting(f"Suspense:{token}:{redemption}", f"Unclaimed:{token}:{redemption}", token, units)]


def returned_late(token: str, deposit: str, units: int) -> list[Posting]:
    """A debit came back after its mint: whoever made the deposit owes it."""
    return [Posting(f"Receivable:{token}:{deposit}", f"Clearing:{token}", token, units)]


def clawback_postings(token: str, deposit: str, account: str, units: int) -> list[Posting]:
    """Tokens were burnt against what their deposit owes; from the region's loss account it is a write-down."""
    return [Posting(token_account(token, account), f"Receivable:{token}:{deposit}", token, units)]


def return_undone(token: str, deposit: str, units: int) -> list[Posting]:
    """Dollars of a returned deposit came in after all: repaid, or our bank dishonored the return."""
    return [Posting(f"Clearing:{token}", f"Receivable:{token}:{deposit}", token, units)]


def mint_refused_after_return(token: str, deposit: str, units: int) -> list[Posting]:
    """A debit came back while its mint was on the way, and then nothing was minted: nobody owes anything."""
    return [Posting(f"Pending:{token}:{deposit}", f"Receivable:{token}:{deposit}", token, units)]


def loss_borne(token: str, deposit: str, units: int) -> list[Posting]:
    """Officers gave up a receivable; the loss fund pays it into clearing."""
    return [
        Posting(f"LossFundEquity:{token}", f"Receivable:{token}:{deposit}", token, units),
        Posting(f"Clearing:{token}", f"LossFund:{token}", token, units),
    ]


def dishonored_surplus(token: str, deposit: str, units: int) -> list[Posting]:
    """A dishonored return brought dollars that nobody owes any more: an officer finds whose they are."""
    return [Posting(f"Clearing:{token}", f"Suspense:{token}:{deposit}", token, units)]


def surplus_taken_back(token: str, deposit: str, units: int) -> list[Posting]:
    """The return that our bank dishonored stands after all."""
    return [Posting(f"Suspense:{token}:{deposit}", f"Clearing:{token}", token, units)]


def dishonored_awaited(token: str, of: str, units: int, *, of_credit: bool = False) -> list[Posting]:
    """The bank took our dishonored return, whose dollars move with its settlement: until then it owes them.

    Those of a payout's return leave us again: until then we owe them, and the account's sign is the other one.
    """
    sides = (f"DueFromBank:{token}:{of}", f"Clearing:{token}")
    return [Posting(*(sides[::-1] if of_credit else sides), token, units)]


def dishonored_settled(token: str, of: str, units: int, *, of_credit: bool = False) -> list[Posting]:
    """The dollars of our dishonored return are in clearing, or out of it."""
    return dishonored_awaited(token, of, units, of_credit=not of_credit)


def recovered_twice(token: str, deposit: str, units: int) -> list[Posting]:
    """A debt was settled while its clawback was on the way: what was burnt beyond it waits for an officer."""
    return [Posting(f"Receivable:{token}:{deposit}", f"Suspense:{token}:{deposit}", token, units)]


def deposit_blocked(token: str, deposit: str, units: int) -> list[Posting]:
    """A sanctions hit before the mint: the dollars are blocked, not refunded."""
    return [Posting(f"Pending:{token}:{deposit}", f"Blocked:{token}:{deposit}", token, units)]


def payout_blocked(token: str, redemption: str, units: int) -> list[Posting]:
    """A sanctions hit after the burn: the payout is blocked, not sent."""
    return [Posting(f"Payout:{token}:{redemption}", f"Blocked:{token}:{redemption}", token, units)]


def blocked_set_apart(token: str, units: int) -> list[Posting]:
    """Blocked dollars moved into the segregated account that bears interest."""
    return [Posting(f"BlockedBank:{token}", f"Clearing:{token}", token, units)]


def blocked_brought_back(token: str, units: int) -> list[Posting]:
    """Dollars that were set apart are in clearing again: a licence lets them go on, or they should not have gone."""
    return [Posting(f"Clearing:{token}", f"BlockedBank:{token}", token, units)]


def blocked_interest(token: str, units: int) -> list[Posting]:
    """The segregated account bore interest, which is blocked as what bore it is."""
    return [Posting(f"BlockedBank:{token}", f"BlockedInterest:{token}", token, units)]


def prefunded(token: str, units: int) -> list[Posting]:
    """The region put money of its own into clearing, to stand behind what may come back."""
    return [Posting(f"Clearing:{token}", f"Prefund:{token}", token, units)]


def prefund_taken_out(token: str, units: int) -> list[Posting]:
    """The region took some of its own money out of clearing."""
    return [Posting(f"Prefund:{token}", f"Clearing:{token}", token, units)]


def loss_fund_endowed(token: str, units: int) -> list[Posting]:
    """The region put money into its loss fund."""
    return [Posting(f"LossFund:{token}", f"LossFundEquity:{token}", token, units)]


def bank_fee(token: str, units: int) -> list[Posting]:
    """A fee of the bank hits operating money, never the users'."""
    return [Posting(f"BankFees:{token}", f"Operating:{token}", token, units)]


def bank_fee_from_clearing(token: str, units: int) -> list[Posting]:
    """The bank helped itself from clearing: operating money owes it."""
    return [Posting(f"FeesDue:{token}", f"Clearing:{token}", token, units)]


def bank_fee_made_good(token: str, units: int) -> list[Posting]:
    """Operating money paid clearing what the bank had taken."""
    return [
        Posting(f"Clearing:{token}", f"FeesDue:{token}", token, units),
        Posting(f"BankFees:{token}", f"Operating:{token}", token, units),
    ]


def micro_entry(token: str, units: int, *, comes_in: bool) -> list[Posting]:
    """A few cents went out, or came in, to prove a bank account; what does not come back is the region's expense."""
    sides = (f"Clearing:{token}", f"AccountProofs:{token}")
    return [Posting(*(sides if comes_in else sides[::-1]), token, units)]


def interest_earned(token: str, units: int) -> list[Posting]:
    """The reserve account bore interest, which is the region's and adds headroom."""
    return [Posting(f"Reserve:{token}", f"Interest:{token}", token, units)]


def interest_swept(token: str, units: int) -> list[Posting]:
    """The region took interest out of the reserve account: never more than it holds above supply."""
    return [Posting(f"Interest:{token}", f"Reserve:{token}", token, units)]
