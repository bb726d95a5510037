"""What is said in a refresh or a replacement, and to witness any ceremony; see `reshare` for the order of it."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

Natural = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number as it may come over the wire: what is hashed as eight bytes fits them, whoever sent it."""

NOBODY: Final = 0
"""Who is replaced in a refresh."""

Three = tuple[bytes, bytes, bytes]


class ReshareBegin(msgspec.Struct, frozen=True, tag="reshare_begin", forbid_unknown_fields=True):
    """Commit to a line for the next epoch. Shape: replaced is a party, or NOBODY in a refresh."""

    job: bytes
    epoch: Natural
    replaced: Natural


class Committed(msgspec.Struct, frozen=True, tag="committed"):
    """A dealer's commitment, signed; empty from a location that does not deal."""

    commitment: bytes
    signature: bytes


class ReshareEcho(msgspec.Struct, frozen=True, tag="reshare_echo", forbid_unknown_fields=True):
    """Take everybody's signed commitments and sign all three together. Shape: by party − 1."""

    job: bytes
    commitments: Three
    signatures: Three


class Signed(msgspec.Struct, frozen=True, tag="signed"):
    """A signature of this location's."""

    signature: bytes


class ReshareOpen(msgspec.Struct, frozen=True, tag="reshare_open", forbid_unknown_fields=True):
    """Open the commitment, now that all three signed the same three."""

    job: bytes
    signatures: Three


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The slope's point and the nonce; empty from a location that does not deal."""

    opening: bytes


class ReshareDeal(msgspec.Struct, frozen=True, tag="reshare_deal", forbid_unknown_fields=True):
    """Deal to the other locations, under everybody's openings. Shape: by party − 1."""

    job: bytes
    openings: Three


class DealtValue(msgspec.Struct, frozen=True, tag="dealt_value", forbid_unknown_fields=True):
    """From location to location, and secret: one value of the caller's line."""

    job: bytes
    value: bytes

    def __repr__(self) -> str:
        return "DealtValue()"


class ReshareStage(msgspec.Struct, frozen=True, tag="reshare_stage", forbid_unknown_fields=True):
    """Check what was dealt, keep the new share beside the old one, and sign the new points."""

    job: bytes


class ShowStaged(msgspec.Struct, frozen=True, tag="show_staged"):
    """Ask which new shares are kept and not yet in force."""


class StagedKey(msgspec.Struct, frozen=True, array_like=True):
    """One share that is kept, and this location's signature of it."""

    job: bytes
    epoch: Natural
    public: bytes
    points: Three
    signature: bytes


class StagedKeys(msgspec.Struct, frozen=True, tag="staged_keys"):
    """The shares that are kept and not yet in force."""

    keys: tuple[StagedKey, ...]


class Abandon(msgspec.Struct, frozen=True, tag="abandon", forbid_unknown_fields=True):
    """Promise never to keep a share of this job: refused by a location that has kept one."""

    job: bytes


class Drop(msgspec.Struct, frozen=True, tag="drop", forbid_unknown_fields=True):
    """Wait no longer for this job's certificate: that location signed that it never will be part of it."""

    job: bytes
    party: Natural
    signature: bytes


class Witness(msgspec.Struct, frozen=True, tag="witness", forbid_unknown_fields=True):
    """Sign the statement of a ceremony, if it says what this location knows to be so. Shape: canonical JSON."""

    statement: bytes


LifecycleOperation = (
    ReshareBegin
    | ReshareEcho
    | ReshareOpen
    | ReshareDeal
    | DealtValue
    | ReshareStage
    | ShowStaged
    | Abandon
    | Drop
    | Witness
)
LifecycleAnswer = Committed | Signed | Opened | StagedKeys
