"""What a notification of change corrects: the twenty-nine characters of its addenda, read by code.

Source: Nacha Operating Rules, Appendix Five (corrected data, by change code).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final, Literal

import msgspec

from sdt.domain.ach.calendar import add_banking_days
from sdt.domain.personal import BankDetails, check_routing

__all__ = ["APPLIED", "CHANGE_BANKING_DAYS", "corrected", "due_on"]

CHANGE_BANKING_DAYS: Final = 6
Fields = dict[str, str]


def _kind(transaction_code: str) -> Literal["checking", "savings"] | None:
    return {"2": "checking", "3": "savings"}.get(transaction_code[:1])  # type: ignore[return-value]


def _with_kind(fields: Fields, transaction_code: str) -> Fields:
    kind = _kind(transaction_code)
    return fields | ({"kind": kind} if kind else {"kind": "?"})


_READ: Final[dict[str, Callable[[str], Fields]]] = {
    "C01": lambda text: {"account_number": text[:17].strip()},
    "C02": lambda text: {"routing_number": text[:9]},
    "C03": lambda text: {"routing_number": text[:9], "account_number": text[12:29].strip()},
    "C04": lambda text: {"holder": text[:22].strip()},
    "C05": lambda text: _with_kind({}, text[:2]),
    "C06": lambda text: _with_kind({"account_number": text[:17].strip()}, text[20:22]),
    "C07": lambda text: _with_kind({"routing_number": text[:9], "account_number": text[9:26].strip()}, text[26:28]),
}

APPLIED: Final = frozenset(_READ)
"""The codes whose change is made without an officer, where it makes a bank account that can be."""


def corrected(details: BankDetails, code: str, text: str) -> BankDetails | None:
    """Return a bank account as another bank says it is; None when the code says nothing of it, or nothing that can be.

    Shape: `text` is the addenda's field, blanks at its end or not.
    """
    read = _READ.get(code)
    if read is None:
        return None
    try:
        changed = msgspec.convert(msgspec.to_builtins(details) | read(text.ljust(29)), BankDetails)
    except msgspec.ValidationError:
        return None
    return changed if check_routing(changed.routing_number) else None


def due_on(notified_on: date) -> date:
    """Return the last day on which the change must be made, unless the next entry comes later.

    Source: Nacha Operating Rules, Subsection 2.12.1: six banking days, or before the next entry, whichever is later.
    """
    return add_banking_days(notified_on, CHANGE_BANKING_DAYS)
