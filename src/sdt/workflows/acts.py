"""Every type of office act: who may sign it, whether a second officer must agree, and which code carries it out.

An area adds its acts here: their types in `sdt.domain`, their handlers in `sdt.workflows.<area>`.
"""

from __future__ import annotations

from typing import Final

from sdt.domain.region import Region
from sdt.workflows import erasure, handles, identity
from sdt.workflows.case_work import CASE_ACTS
from sdt.workflows.instructions import INSTRUCTION_ACTS
from sdt.workflows.office import Entry, Office, act_types

__all__ = ["ACTS", "office_of"]

ACTS: Final[dict[str, Entry]] = act_types(
    (
        *CASE_ACTS,
        *INSTRUCTION_ACTS,
        *identity.ENTRIES,
        *erasure.ENTRIES,
        *handles.ENTRIES,
    )
)


def office_of(region: Region, network: str) -> Office:
    """Return the office of a region."""
    return Office(ACTS, region, network)
