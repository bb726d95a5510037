"""What a vendor's answer must agree with, whatever its form: what was asked, and itself."""

from __future__ import annotations

from sdt.domain.money import Asset
from sdt.ports.evidence import VendorFault
from sdt.ports.statement import Statement

__all__ = ["check_lines", "same"]


def same(**pairs: tuple[object, object]) -> None:
    """Refuse an answer about something else than what was asked.

    Errors: VendorFault.
    """
    for name, (asked, answered) in pairs.items():
        if asked != answered:
            raise VendorFault(f"The vendor's answer is about another {name}.")


def check_lines(statement: Statement, after: int, asset: Asset) -> None:
    """Refuse lines that leave a gap, repeat one, end before the number they say they reach, or count something else.

    Errors: VendorFault.
    """
    lines = statement.lines
    if any(line.sequence != after + place for place, line in enumerate(lines, 1)):
        raise VendorFault("The statement's lines are not numbered one after the other.")
    reached = lines[-1].sequence if lines else after
    if (lines and reached > statement.last_sequence) or statement.more != (reached < statement.last_sequence):
        raise VendorFault("The statement's lines do not reach the number it names.")
    amounts = (statement.balance, statement.overdraft, *(line.amount for line in lines))
    if any(amount.asset != asset for amount in amounts):
        raise VendorFault("The statement counts in another asset than the account's.")
    if statement.balance and statement.overdraft:
        raise VendorFault("The statement's account both holds and owes.")
