"""What an account or a vault held, and what moved since a number: banks and depositories both say it so."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from sdt.domain.money import Amount
from sdt.ports.evidence import Evidence


class Flow(Enum):
    """Which way a line moved value, seen from the account."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement. `sequence` counts 1, 2, 3 within the account, without gaps.

    `subject` is the vendor's id of what moved it (an entry, a transfer, a bar); `reference` is ours.
    """

    sequence: int
    kind: str
    flow: Flow
    amount: Amount
    subject: str
    reference: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Statement:
    """The balance of one account as of a moment, and its lines after the number asked for.

    `overdraft` is what the account owes; at most one of it and `balance` is above zero. `last_sequence` is
    the newest line that the balance contains; `more` says that lines up to it were left off.
    """

    account: str
    balance: Amount
    overdraft: Amount
    as_of: datetime
    last_sequence: int
    lines: tuple[StatementLine, ...]
    more: bool
    evidence: Evidence = field(compare=False)
