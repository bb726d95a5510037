"""Office acts: what officers decide by a signed message that never goes on chain.

An act is a compact JWS like every message, read by the same strict code. Where money or rights move, it waits until
a second officer's `agree` names its digest: maker and checker are two people.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from sdt.domain.authority import CLOCK_SKEW_S, KeyFacts
from sdt.domain.claims import Digest, Network, Reason, RegionId, Time, parse_time, read_claims
from sdt.domain.envelope import Envelope
from sdt.domain.errors import Forbidden, Unauthenticated, Unprocessable
from sdt.domain.region import Region
from sdt.domain.registry import Role

__all__ = ["ACT_LIFE_S", "Act", "ActStatus", "Agree", "Decline", "SignedAct", "check_act", "check_officer", "read_act"]

ACT_LIFE_S: Final = 7 * 86_400
"""How long an act waits for a second officer before it lapses."""

ActId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")]
"""A random UUID (version 4) that the officer's own machine chose."""


class ActStatus(StrEnum):
    """Where an act stands."""

    DONE = "done"
    """Carried out when it came: it needed nobody else."""
    WAITING = "waiting"
    """A second officer must agree first."""
    AGREED = "agreed"
    """A second officer agreed, and it was carried out."""
    DECLINED = "declined"
    """Withdrawn by its maker or turned down by a second officer; nothing was done."""
    EXPIRED = "expired"
    """Nobody agreed in time; nothing was done."""


class Act(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """The claims every act has."""

    version: Literal[1]
    network: Network
    act_id: ActId
    region: RegionId
    issued_at: Time

    @property
    def subject(self) -> str:
        """What the act is about (a case, a list, another act), for officers to find it by; at most 128 characters."""
        return ""


class Agree(Act, frozen=True, tag="agree"):
    """A second officer's word for another act, by the digest of its exact bytes."""

    digest: Digest

    @property
    def subject(self) -> str:
        """The act that is agreed to."""
        return self.digest


class Decline(Act, frozen=True, tag="decline"):
    """A second officer's refusal of another act, or its maker's withdrawal."""

    digest: Digest
    reason: Reason

    @property
    def subject(self) -> str:
        """The act that is declined."""
        return self.digest


class SignedAct(Struct, frozen=True):
    """An act with the evidence for it: exact bytes, their digest, and the key that signed."""

    raw: bytes
    digest: bytes
    kid: str
    type: str
    act: Act
    issued_at_s: int


def read_act(envelope: Envelope, types: Mapping[str, type[Act]]) -> SignedAct:
    """Return the act in an envelope whose signature was verified before. Errors: Invalid."""
    act = read_claims(envelope.type, envelope.payload, types)
    return SignedAct(envelope.raw, envelope.digest, envelope.kid, envelope.type, act, parse_time(act.issued_at))


def check_act(signed: SignedAct, region: Region, network: str, now_s: int) -> None:
    """Refuse an act for elsewhere, and one that was not signed just now.

    Units: now_s in unix seconds. Errors: Unprocessable.
    """
    if signed.act.network != network:
        raise Unprocessable(f"This is the network {network!r}.", code="wrong_network")
    if signed.act.region != region.id:
        raise Unprocessable(f"This is the region {region.id}.", code="wrong_region")
    if not now_s - region.acceptance_window_s - CLOCK_SKEW_S <= signed.issued_at_s <= now_s + CLOCK_SKEW_S:
        raise Unprocessable(
            f"issued_at is not within the last {region.acceptance_window_s} seconds: check your clock.",
            code="clock_skew",
        )


def check_officer(key: KeyFacts, roles: Role, kind: str, now_s: int) -> None:
    """Refuse a key that no longer counts or lacks the role. Errors: Unauthenticated, Forbidden."""
    if not key.active:
        raise Unauthenticated("This key was revoked.", code="key_revoked")
    if now_s >= key.expires_at_s:
        raise Unauthenticated("This key has expired.", code="key_expired")
    if not key.roles & roles:
        raise Forbidden(f"This key may not sign {kind!r}.", code="wrong_role")
    if key.scope and not key.roles & Role.CUSTODIAN:
        # An act is about people, cases and lists: every token's. A custodian's are about a bank or a vault.
        raise Forbidden("This key's role covers one token, and an act is about all.", code="wrong_scope")
