"""When an issuer may set right what a bank undid: what the message, the original and the chain say together.

Worker, signers and the second officer's desk ask the same; only the worker knows how much was taken before.
"""

from __future__ import annotations

from collections.abc import Callable

from sdt.domain.errors import Unprocessable
from sdt.domain.message import Adjust, Deposit, Message, Redeem
from sdt.domain.region import Region
from sdt.domain.rules import AccountFacts
from sdt.domain.transaction_id import id_bytes

__all__ = ["check_account", "check_original", "used_by"]


def check_original(message: Adjust, original: Message, region: Region) -> None:
    """Refuse an adjustment that goes beyond the transaction it names.

    A clawback touches the account that made the deposit, up to what was deposited. A re-mint gives a whole redemption
    back to the account that made it. A write-down takes from the region's own loss account alone.
    Errors: Unprocessable.
    """
    wanted = Redeem if message.kind == "remint" else Deposit
    if not isinstance(original, wanted) or original.transaction_id != message.original:
        raise Unprocessable(f"A {message.kind} names another kind of transaction.", code="original_mismatch")
    if (original.region, original.network) != (message.region, message.network):
        raise Unprocessable("The original is of another region or network.", code="original_mismatch")
    if original.token != message.token:
        raise Unprocessable("The original is of another token.", code="original_mismatch")
    account = region.token(message.token).loss_account if message.kind == "write_down" else original.account
    if message.account != account:
        raise Unprocessable("This is not the account that the adjustment may touch.", code="original_mismatch")
    amount, most = int(message.amount), int(original.amount)
    if amount > most or (message.kind == "remint" and amount != most):
        raise Unprocessable("The amount is not that of the original.", code="original_mismatch")


def check_account(message: Adjust, region: Region, facts: Callable[[str], AccountFacts], now_s: int) -> None:
    """Refuse an account that the contract would refuse: a frozen one moves by a seizure alone.

    Units: now_s in unix seconds. Errors: Unprocessable, under the contract's own codes.
    """
    token, found = region.token(message.token), facts(message.account)
    side = "payee" if message.kind == "remint" else "payer"
    if found.is_frozen(token.symbol, now_s):
        raise Unprocessable("The account is frozen by an order.", code=f"{side}_frozen")
    if message.kind == "write_down":
        return  # the region's own account, whose right to hold is the contract's to say
    if not found.exists or found.tier(token.domain, now_s) == 0:
        raise Unprocessable(
            f"The account has no valid identity in the {token.domain} domain.", code=f"{side}_not_eligible"
        )


def used_by(message: Adjust) -> tuple[bytes, ...]:
    """Return what an adjustment uses up for ever: its original with its evidence; a re-mint its original as well."""
    original = id_bytes(message.original)
    pair = b"adjust" + original + bytes.fromhex(message.evidence)
    return (pair, b"remint" + original) if message.kind == "remint" else (pair,)
