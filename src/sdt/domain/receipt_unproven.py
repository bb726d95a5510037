"""What a receipt leaves open, told with every result: nobody should read more into it than it proves."""

from __future__ import annotations

from sdt.domain.message import Adjust, Issue, Message, Redeem, Signed, Transfer
from sdt.domain.qbft import Header
from sdt.domain.receipt_trust import Signers, Trust, Validators

__all__ = ["unproven"]


def unproven(signed: Signed, header: Header, trust: Trust) -> tuple[str, ...]:
    """Return what the steps leave open, in sentences."""
    found = [
        "Whose key it is: the receipt shows that this key signed. That the key belonged to the account, and the "
        "account to a person, is in the region's registry, which the signers checked and this file does not hold."
    ]
    if isinstance(signed.message, Transfer):
        found.append("The memo's words: the message carries at most their digest.")
    message: Message = signed.message
    if message.approval:
        found.append("The second officer's approval: the signers demanded it, and it is not part of the batch's root.")
    if isinstance(signed.message, Adjust):
        found.append("That the original transaction was undone by a bank: the signers read its message, not the bank.")
    if isinstance(signed.message, Issue | Redeem | Adjust):
        found.append("What bank or depository did: the chain knows tokens, not dollars and bars.")
    symbol: object = getattr(message, "token", "")
    if trust.tokens is None and symbol:
        found.append(f"That the item's token is {symbol}: the trusted deployment names no symbols.")
    if trust.anchor is None:
        found.append(
            "That the block is in the chain, and so the outcome: without seals or a trusted block hash whoever runs "
            "the region's chain could have written another header. What stands without them is that the chain key "
            "signed this batch."
        )
    elif isinstance(trust.anchor, Signers):
        found.append("That the block stayed: Clique can replace a block; ask a node for its hash some blocks later.")
    elif isinstance(trust.anchor, Validators) and frozenset(header.extra.validators) != trust.anchor.addresses:
        found.append("That the validators you trust are those of today: the header lists others, for they have voted.")
    return tuple(found)
