"""The clearing account explained to the cent: whose dollars stand in it, item by item, from the books alone."""

from __future__ import annotations

from typing import Final, NamedTuple

from sdt.store import Store, ledger

__all__ = ["Item", "explain_clearing"]


class Item(NamedTuple):
    """One open item. Units: the token's smallest; below zero it is missing from clearing.

    `reference` is the transaction it is of, empty for what is of none.
    """

    kind: str
    reference: str
    units: int


_OF_TRANSACTIONS: Final = {
    "Pending": "deposit",
    "Payout": "payout",
    "Suspense": "suspense",
    "Unclaimed": "unclaimed",
    "Blocked": "blocked",
    "Receivable": "receivable",
    "DueFromBank": "due_from_bank",
}
_ALONE: Final = {
    "Prefund": "prefund",
    "FeesDue": "bank_fees_due",
    "BlockedBank": "set_apart",
    "BlockedInterest": "blocked_interest",
    "LossFundEquity": "loss_fund_given",
    "LossFund": "loss_fund",
    "InFlight": "in_flight",
    "BankFees": "bank_fees",
    "AccountProofs": "account_proofs",
    "Operating": "operating",
    "Vault": "vault",
}


def explain_clearing(store: Store, token: str) -> list[Item]:
    """Return the open items that add up to the clearing account's balance in the books.

    The books balance, so what clearing holds is what all other accounts together leave to it; each of them is an item.
    Reserve and supply are one: dollars that went ahead into the reserve, or are still there after a burn.
    """
    items = [
        Item(of_transaction, name.split(":")[2], -net)
        for kind, of_transaction in _OF_TRANSACTIONS.items()
        for name, net in ledger.open_accounts(store, f"{kind}:{token}:")
    ]
    alone = {kind: _net(store, f"{kind}:{token}") for kind in _ALONE}
    items += [Item(_ALONE[kind], "", -net) for kind, net in alone.items() if net]
    ahead = _net(store, f"Reserve:{token}") + _net(store, f"Interest:{token}") - ledger.supply(store, token)
    if ahead:
        items.append(Item("in_reserve_beyond_supply", "", -ahead))
    clearing = _net(store, f"Clearing:{token}")
    assert sum(item.units for item in items) == clearing, "the books do not balance"
    return items


def _net(store: Store, name: str) -> int:
    found = ledger.account_balance(store, name)
    return found.debits - found.credits
