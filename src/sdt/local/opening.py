"""Opening a region: key at three locations, contracts, roles and rules; each step once.

Every step asks first whether it was done, so a start that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from eth_hash.auto import keccak

from sdt.adapters.chain.deploy import Deployment, deploy_region, load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.backends import open_database
from sdt.client import Client, Network
from sdt.config import Settings
from sdt.domain.envelope import kid_of, message_digest
from sdt.domain.errors import Conflict
from sdt.domain.message import format_time
from sdt.domain.region import Region
from sdt.domain.registry import NEVER_S, NOBODY, KeyWord, Role, pack_key_word, unpack_key_word
from sdt.local.appointments import Appointment
from sdt.local.secrets import Official
from sdt.signing.coordinator import Coordinator
from sdt.signing.wire import PAIRS
from sdt.store import Store, registry
from sdt.store.registry import KeyRow

__all__ = [
    "appoint",
    "approved",
    "deploy",
    "key_words",
    "know_administrators",
    "make_chain_key",
    "rules_stand",
    "set_rules",
    "stock_up",
    "unknown_administrators",
    "without_role",
]

ROLE_LIFE_S = 2 * 365 * 86_400
_KEY_OF: Final = bytes(keccak(b"key_of(bytes32)")[:4])
_RULES_DIGEST: Final = bytes(keccak(b"rules_digest()")[:4])
_WORD: Final = 32


async def make_chain_key(settings: Settings) -> str:
    """Have the three locations make the key of the chain, unless they hold one; return its address."""
    async with Coordinator(settings.home / "coordinator", settings.network) as coordinator:
        return await coordinator.keygen()


async def stock_up(settings: Settings, count: int) -> None:
    """See that each pair of locations has at least `count` presignatures."""
    async with Coordinator(settings.home / "coordinator", settings.network) as coordinator:
        await coordinator.keygen()
        for pair in PAIRS:
            if coordinator.stock()[pair] < count:
                await coordinator.presign(pair, count)


async def deploy(settings: Settings, region: Region, chain_key: str, administrators: Sequence[Official]) -> Deployment:
    """Deploy the region's contracts, unless they stand; the two administrators are fixed in the constructor."""
    word = pack_key_word(KeyWord(NOBODY, Role.ADMINISTRATOR))
    async with ChainReader(settings.chain.urls) as reader:
        return await deploy_region(
            reader,
            region,
            chain_key=chain_key,
            administrators=[(bytes(official.key.verify_key), word) for official in administrators],
            folder=settings.home,
            gas_price_wei=settings.chain.gas_price_wei,
            finality_blocks=settings.chain.finality_blocks,
        )


def unknown_administrators(store: Store, administrators: Sequence[Official]) -> list[bytes]:
    """Return the administrators' public keys that the database lacks."""
    keys = [bytes(official.key.verify_key) for official in administrators]
    return [key for key in keys if registry.key(store, kid_of(key)) is None]


def know_administrators(settings: Settings, administrators: Sequence[Official]) -> None:
    """Copy into the database what the constructor fixed on chain: the first two keys, before any message."""
    store = open_database(settings)
    try:
        with store.transaction():
            for public_key in unknown_administrators(store, administrators):
                role = int(Role.ADMINISTRATOR)
                registry.upsert_key(
                    store, KeyRow(kid_of(public_key), public_key, None, role, 0, "active", NEVER_S, None)
                )
    finally:
        store.close()


async def key_words(settings: Settings, keys: Sequence[bytes]) -> list[KeyWord]:
    """Return what the registry on chain holds of each key. Errors: Conflict when no contracts are there."""
    deployment = load_deployment(settings.home)
    assert deployment is not None, "the region's contracts are deployed"
    async with ChainReader(settings.chain.urls) as reader:
        answers = await reader.eth_calls([(deployment.registry, _KEY_OF + key) for key in keys])
    if not all(len(answer) == _WORD for answer in answers):
        raise Conflict("The folder's deployment is not on this chain.", code="deployment_other_chain")
    return [unpack_key_word(answer) for answer in answers]


async def without_role(settings: Settings, region: Region, wanted: Sequence[Appointment]) -> list[Appointment]:
    """Return the appointments that the chain does not show in force."""
    now_s = int(time.time())
    words = await key_words(settings, [one.public_key for one in wanted])
    missing = []
    for one, word in zip(wanted, words, strict=True):
        scope = region.token_index[one.token] + 1 if one.token else 0
        if not word.may(Role[one.role.upper()], now_s) or word.scope != scope:
            missing.append(one)
    return missing


async def rules_stand(settings: Settings, region: Region) -> bool:
    """Return whether the rules in force on chain are those of the region's file."""
    deployment = load_deployment(settings.home)
    assert deployment is not None, "the region's contracts are deployed"
    async with ChainReader(settings.chain.urls) as reader:
        return await reader.eth_call(deployment.registry, _RULES_DIGEST) == region.digest


async def appoint(
    settings: Settings,
    network: Network,
    region: Region,
    administrators: Sequence[Official],
    wanted: Sequence[Appointment],
) -> None:
    """Give each official's key the role that it lacks: by one administrator, approved by the other."""
    until = format_time(int(time.time()) + ROLE_LIFE_S)
    acts: list[tuple[str, Mapping[str, object]]] = [
        (
            "grant_role",
            {
                "public_key": one.key_text,
                "role": one.role,
                "token": one.token,
                "action": "grant",
                "expires_at": until,
            },
        )
        for one in await without_role(settings, region, wanted)
    ]
    await _both_sign(network, administrators, acts)


async def set_rules(settings: Settings, network: Network, region: Region, administrators: Sequence[Official]) -> None:
    """Put the rules of the region's file in force, unless they are: by one administrator, approved by the other."""
    if await rules_stand(settings, region):
        return
    rules = {"digest": region.digest.hex(), "effective": format_time(int(time.time()) - 60)}
    await _both_sign(network, administrators, [("set_rules", rules)])


async def _both_sign(
    network: Network, administrators: Sequence[Official], acts: Sequence[tuple[str, Mapping[str, object]]]
) -> None:
    """Have acts signed, approved and settled. One that was signed and never approved expires; it is sent anew."""
    first, second = administrators
    async with Client(network, first.key) as maker, Client(network, second.key) as checker:
        waiting = await asyncio.gather(*(approved(maker, checker, kind, claims) for kind, claims in acts))
        for transaction_id in waiting:
            found = await maker.wait(transaction_id, until=("completed",))
            if found["status"] != "completed":
                raise Conflict(
                    f"An act of the opening was {found['status']}: transaction {transaction_id}.",
                    code="opening_refused",
                )


async def approved(maker: Client, checker: Client, kind: str, claims: Mapping[str, object]) -> str:
    """Send a message and a second officer's approval of its exact bytes; return the message's id."""
    transaction_id, approval_id = await maker.new_ids(2)
    message = maker.sign(kind, transaction_id, claims)
    await maker.put(transaction_id, message)
    await maker.wait(transaction_id, until=("held",))
    approval = checker.sign("approve", approval_id, {"digest": message_digest(message).hex()})
    await checker.put(approval_id, approval)
    return transaction_id
