"""Every type of office act: who may sign it, whether a second officer must agree, and which code carries it out.

An area adds its acts here: their types in `sdt.domain`, their handlers in `sdt.workflows.<area>`.
"""

from __future__ import annotations

from typing import Final

from sdt.domain.region import Region
from sdt.workflows import (
    ach_dishonor,
    ach_reversal,
    case_work,
    debit_authorisation,
    erasure,
    handles,
    holders,
    identity,
    instructions,
    money_acts,
    sanctions_acts,
    suspense,
)
from sdt.workflows.office import Entry, Office, act_types

__all__ = ["ACTS", "office_of"]

ACTS: Final[dict[str, Entry]] = act_types(
    (
        *case_work.CASE_ACTS,
        *instructions.INSTRUCTION_ACTS,
        *identity.ENTRIES,
        *erasure.ENTRIES,
        *handles.ENTRIES,
        *holders.ENTRIES,
        *sanctions_acts.ENTRIES,
        *ach_reversal.ENTRIES,
        *money_acts.ENTRIES,
        *suspense.ENTRIES,
        *ach_dishonor.ENTRIES,
        *debit_authorisation.ENTRIES,
    )
)
"""One line for each area."""


def office_of(region: Region, network: str) -> Office:
    """Return the office of a region."""
    return Office(ACTS, region, network)
