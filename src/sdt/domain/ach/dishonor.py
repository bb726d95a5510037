"""When a return may be sent back to the bank it came from, reason by reason.

Source: Nacha Operating Rules, Article Three (dishonor of return entries) and Appendix Four (R61 to R70): within five
banking days of the settlement of the return.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from sdt.domain.ach.calendar import add_banking_days
from sdt.domain.ach.codes import is_late

__all__ = ["FIELDS", "Reason", "Returned", "fault_of_dishonor", "last_day"]

Reason = Literal["R61", "R67", "R68", "R69", "R70"]
WITHIN_BANKING_DAYS: Final = 5
FIELDS: Final = {
    "01": "account number",
    "04": "individual identification number",
    "05": "transaction code",
    "06": "company identification number",
    "07": "effective entry date",
}
"""What of a return may be wrong (R69). A wrong trace (02) or amount (03) makes it a return of no entry of ours."""
_BY_PERMISSION: Final = frozenset({"R06", "R31"})
"""Codes that say: our bank asked for it, or allowed it."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What is known of the return: its code, when the entry settled, when the return did, how many returns came."""

    code: str
    entry_settled_on: date | None
    settled_on: date
    returns: int


def last_day(return_settled_on: date) -> date:
    """Return the last banking day on which a return that settled on a day may be dishonored."""
    return add_banking_days(return_settled_on, WITHIN_BANKING_DAYS)


def fault_of_dishonor(reason: Reason, fields: Sequence[str], returned: Returned, today: date) -> str:
    """Say what the rules have against a dishonor, or nothing.

    Shape: `fields` are keys of FIELDS in their order, none twice; for R69 at least one, else none.
    """
    if today > last_day(returned.settled_on):
        return "a return is dishonored within five banking days of its settlement"
    if (reason == "R69") != bool(fields):
        return "R69, and no other reason, names the fields that are wrong"
    if list(fields) != sorted(set(fields) & FIELDS.keys()):
        return f"the fields are among {', '.join(FIELDS)}, in their order"
    in_time = returned.entry_settled_on is None or not is_late(
        returned.code, returned.entry_settled_on, returned.settled_on
    )
    if reason == "R68" and in_time:
        return f"the return ({returned.code}) came in its time"
    if reason == "R67" and returned.returns < 2:
        return "one return came and no second one"
    if reason == "R70" and returned.code not in _BY_PERMISSION:
        return f"{returned.code} does not say that our bank asked for the return or allowed it"
    return ""
