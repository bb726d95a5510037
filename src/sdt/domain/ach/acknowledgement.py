"""The bank's word on a file of ours: taken or not, and when each batch settles.

The network has no form for this and every bank its own; ours is a small JSON document that a bank's report is turned
into on its way to us.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from sdt.domain.errors import Invalid

__all__ = ["Acknowledgement", "BatchSettlement", "read_acknowledgement"]


class BatchSettlement(Struct, frozen=True, forbid_unknown_fields=True):
    """When the operator settles a batch, in Eastern time: `2026-11-27 08:30`."""

    batch: Annotated[int, Meta(ge=1, le=9_999_999)]
    settles: Annotated[str, Meta(pattern=r"^[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]\Z")]


class Acknowledgement(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a file, by name and digest."""

    file: Annotated[str, Meta(min_length=1, max_length=64)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    state: Literal["accepted", "rejected"]
    code: Annotated[str, Meta(max_length=64)] | None = None
    batches: Annotated[tuple[BatchSettlement, ...], Meta(max_length=10_000)] = ()


def read_acknowledgement(data: bytes) -> Acknowledgement:
    """Return the acknowledgement in a file. Errors: Invalid."""
    try:
        said = msgspec.json.decode(data, type=Acknowledgement)
        for batch in said.batches:
            datetime.fromisoformat(batch.settles)
        return said
    except (msgspec.DecodeError, ValueError) as error:
        raise Invalid(f"The acknowledgement is not one: {error}.", code="ach_acknowledgement") from None
