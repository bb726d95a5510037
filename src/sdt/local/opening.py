"""Opening a region: key at three locations, contracts, roles, rules and the first attestation; each step once.

Every step asks first whether it was done, so a start that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from sdt.adapters.chain.deploy import Deployment, deploy_region
from sdt.adapters.chain.reader import ChainReader
from sdt.backends import open_database
from sdt.client import Client, Network, public_key_text
from sdt.config import Settings
from sdt.desk.desk import desk_key
from sdt.domain.envelope import kid_of, message_digest
from sdt.domain.message import format_time
from sdt.domain.region import Region
from sdt.domain.registry import NEVER_S, NOBODY, KeyWord, Role, pack_key_word
from sdt.local.secrets import DESKS, officials
from sdt.signing.coordinator import Coordinator
from sdt.signing.wire import PAIRS
from sdt.store import registry
from sdt.store.registry import KeyRow

__all__ = ["deploy", "make_chain_key", "open_region", "stock_up"]

ROLE_LIFE_S = 2 * 365 * 86_400


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


async def deploy(settings: Settings, region: Region, chain_key: str) -> Deployment:
    """Deploy the region's contracts, unless they stand; the two administrators are fixed in the constructor."""
    word = pack_key_word(KeyWord(NOBODY, Role.ADMINISTRATOR))
    administrators = [(bytes(official.key.verify_key), word) for official in officials(settings)]
    async with ChainReader(settings.chain.urls) as reader:
        deployment = await deploy_region(
            reader,
            region,
            chain_key=chain_key,
            administrators=administrators,
            folder=settings.home,
            gas_price_wei=settings.chain.gas_price_wei,
            finality_blocks=settings.chain.finality_blocks,
        )
    _know_administrators(settings)
    return deployment


def _know_administrators(settings: Settings) -> None:
    """Copy into the database what the constructor fixed on chain: the first two keys, before any message."""
    store = open_database(settings)
    try:
        with store.transaction():
            for official in officials(settings):
                public_key = bytes(official.key.verify_key)
                if registry.key(store, kid_of(public_key)) is None:
                    role = int(Role.ADMINISTRATOR)
                    registry.upsert_key(
                        store, KeyRow(kid_of(public_key), public_key, None, role, 0, "active", NEVER_S, None)
                    )
    finally:
        store.close()


async def open_region(settings: Settings, network: Network, region: Region) -> None:
    """Give each desk its role and put the rules in force: by one administrator, approved by the other."""
    first, second = officials(settings)
    async with Client(network, first.key) as maker, Client(network, second.key) as checker:
        roles: dict[str, Mapping[str, object]] = {
            name: {
                "public_key": public_key_text(desk_key(settings, name)),
                "role": role,
                "token": token,
                "action": "grant",
                "expires_at": format_time(int(time.time()) + ROLE_LIFE_S),
            }
            for name, (role, token) in DESKS.items()
        }
        rules = {"digest": region.digest.hex(), "effective": format_time(int(time.time()) - 60)}
        wanted = [("grant_role", claims) for claims in roles.values()] + [("set_rules", rules)]
        waiting = await asyncio.gather(*(approved(maker, checker, kind, claims) for kind, claims in wanted))
        for transaction_id in waiting:
            found = await maker.wait(transaction_id, until=("completed",))
            assert found["status"] == "completed", f"opening the region: {found}"


async def approved(maker: Client, checker: Client, kind: str, claims: Mapping[str, object]) -> str:
    """Send a message and a second officer's approval of its exact bytes; return the message's id."""
    transaction_id, approval_id = await maker.new_ids(2)
    message = maker.sign(kind, transaction_id, claims)
    await maker.put(transaction_id, message)
    await maker.wait(transaction_id, until=("held",))
    approval = checker.sign("approve", approval_id, {"digest": message_digest(message).hex()})
    await checker.put(approval_id, approval)
    return transaction_id
