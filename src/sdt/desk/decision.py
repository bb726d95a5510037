"""Two officers' decision, checked by the desk itself: signatures, and the roles that the chain shows.

What the API hands over is a claim: the desk believes the officers' signatures and its own node, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from eth_hash.auto import keccak

from sdt.adapters.chain.reader import ChainReader
from sdt.domain.envelope import Envelope, kid_of, open_envelope, unb64url
from sdt.domain.errors import Forbidden, SdtError, Unauthenticated
from sdt.domain.identity_acts import DecideIdentity
from sdt.domain.office import Act, Agree, SignedAct, read_act
from sdt.domain.region import Region
from sdt.domain.registry import Role, unpack_key_word
from sdt.workflows.acts import ACTS

__all__ = ["checked_act", "checked_decision"]

A = TypeVar("A", bound=Act)

_KEY_OF: Final = keccak(b"key_of(bytes32)")[:4]


async def checked_decision(
    task: Mapping[str, object], reader: ChainReader, registry: str, region: Region, network: str, now_s: int
) -> DecideIdentity:
    """Return the decision that stands behind a task. Errors: SdtError for anything that is not two officers' word."""
    decision = task["decision"]
    assert isinstance(decision, Mapping)
    act = await checked_act(decision, DecideIdentity, reader, registry, region, network, now_s)
    if act.account != task["account"]:
        raise Forbidden("The second officer agreed to something else.", code="unknown_act")
    return act


async def checked_act(
    papers: Mapping[str, object],
    kind: type[A],
    reader: ChainReader,
    registry: str,
    region: Region,
    network: str,
    now_s: int,
) -> A:
    """Return an act of a kind that a second officer agreed to. Errors: SdtError for anything else."""
    tag = str(kind.__struct_config__.tag)
    types: dict[str, type[Act]] = {tag: kind, "agree": Agree}
    entry = ACTS[tag]
    first = await _signed(papers, "act", types, entry.roles, reader, registry, now_s)
    second = await _signed(papers, "agree", types, entry.agreeing, reader, registry, now_s)
    act, agree = first.act, second.act
    if not isinstance(act, kind) or not isinstance(agree, Agree):
        raise Forbidden("A decision is one act and the word of a second officer.", code="wrong_role")
    if first.kid == second.kid:
        raise Forbidden("Maker and checker are the same person.", code="same_officer")
    if agree.digest != first.digest.hex():
        raise Forbidden("The second officer agreed to something else.", code="unknown_act")
    if {act.network, agree.network} != {network} or {act.region, agree.region} != {region.id}:
        raise Forbidden("The decision is for elsewhere.", code="wrong_network")
    return act


async def _signed(
    decision: Mapping[str, object],
    name: str,
    types: Mapping[str, type[Act]],
    roles: Role,
    reader: ChainReader,
    registry: str,
    now_s: int,
) -> SignedAct:
    envelope = open_envelope(str(decision[name]).encode())
    public_key = _public_key(decision, envelope)
    envelope.verify(public_key)
    word = unpack_key_word(await reader.eth_call(registry, _KEY_OF + public_key))
    if not any(word.may(role, now_s) for role in Role if role & roles):
        raise Forbidden("The chain shows another role of this key.", code="wrong_role")
    return read_act(envelope, types)


def _public_key(decision: Mapping[str, object], envelope: Envelope) -> bytes:
    keys = decision["keys"]
    assert isinstance(keys, Mapping)
    try:
        public_key = unb64url(str(keys[envelope.kid]).encode())
    except (KeyError, SdtError):
        public_key = b""
    if kid_of(public_key) != envelope.kid:
        raise Unauthenticated("The key is not the one that the act names.", code="unknown_key")
    return public_key
