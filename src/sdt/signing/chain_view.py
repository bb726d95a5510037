"""This signer's own view of the chain: its node, its contracts, and its registry kept up to the last final block."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from sdt.adapters.chain.reader import Block, ChainReader, Log
from sdt.domain.batch import GENESIS_HEAD
from sdt.domain.errors import Unavailable, Unprocessable
from sdt.domain.region import Region
from sdt.domain.registry import account_bytes
from sdt.signing.building import ChainSeen
from sdt.signing.config import SignerConfig
from sdt.signing.registry import RULES_SET, TOPICS, Contracts, Mark, Registry
from sdt.signing.store import Store

BLOCKS_A_REQUEST: Final = 1000
CHAIN_TIMEOUT_S: Final = 5.0
DEPLOYMENT_BLOCKS_MAX: Final = 10_000
"""The Registry, deployed before Settlement, has its first events at most so many blocks earlier."""


def _selector(signature: str) -> bytes:
    return bytes(keccak(signature.encode())[:4])


_REGISTRY: Final = _selector("registry()")
_TOKENS: Final = _selector("tokens()")
_CHAIN_KEY: Final = _selector("chain_key()")
_RULES: Final = _selector("rules()")
_RESERVE_STATE: Final = _selector("reserve_state()")
_MINT_ALLOWANCE: Final = _selector("mint_allowance()")
_MINTER_ALLOWANCE: Final = _selector("minter_allowance(address)")


class WrongChain(Unprocessable):
    """The node follows another chain, or other contracts, than this signer was told of."""

    code = "wrong_chain"


@dataclass(frozen=True, slots=True)
class Reserve:
    """What one issuer may still mint of a token: headroom under the reserve, what is left of the token's allowance
    today, and of the issuer's own in its period.

    Units: the token's smallest; valid_until_s in unix seconds.
    """

    headroom: int
    allowance_left: int
    minter_left: int
    valid_until_s: int


@dataclass(frozen=True, slots=True)
class View:
    """The chain as of one look.

    Units: times in unix seconds; looked_s on the loop's own clock. `newest` may be ahead of what is final.
    """

    chain_id: int
    contracts: Contracts
    newest: Block
    mark: Mark
    nonce: int
    looked_s: float


class ChainView:
    """Follows one node; `look` is what everything else asks."""

    def __init__(self, config: SignerConfig, store: Store, region: Region) -> None:
        self._config = config
        self._store = store
        self.registry = Registry(store.db, region)
        self._reader = ChainReader([config.chain_url], timeout_s=CHAIN_TIMEOUT_S)
        self._contracts: Contracts | None = None
        self._chain_id = 0
        self._first_block = 0
        self._view: View | None = None
        self._looking = asyncio.Lock()

    async def close(self) -> None:
        """Close the connection to the node."""
        await self._reader.close()

    def seen(self) -> ChainSeen:
        """Return how far the last look was."""
        view = self._view
        if view is None:
            return ChainSeen()
        return ChainSeen(view.newest.number, view.newest.timestamp_s, view.chain_id)

    async def look(self, sender: bytes, max_age_s: float) -> View:
        """Return the chain as of at most `max_age_s` ago, taking in what became final since.

        Errors: Unavailable when the node does not answer; WrongChain.
        """
        async with self._looking:
            if self._view is None or time.monotonic() - self._view.looked_s > max_age_s:
                self._view = await self._look(sender)
            return self._view

    async def _look(self, sender: bytes) -> View:
        contracts = await self._find_contracts(sender)
        looked_s = time.monotonic()
        newest = await self._reader.block("latest")
        nonce = await self._reader.nonce("0x" + sender.hex())
        final_number = max(0, newest.number - self._config.finality_blocks + 1)
        mark = await self._follow(contracts, newest, final_number)
        return View(self._chain_id, contracts, newest, mark, nonce, looked_s)

    async def _find_contracts(self, sender: bytes) -> Contracts:
        """Read where the contracts are, once, and check that they obey our key.

        Errors: Unavailable before deployment; WrongChain.
        """
        if self._contracts is None:
            chain_id, settlement, block = self._read_deployment()
            if await self._reader.chain_id() != chain_id:
                raise WrongChain("The node follows another chain id than the region's contracts are on.")
            registry, tokens, chain_key = await self._reader.eth_calls(
                [(settlement, _REGISTRY), (settlement, _TOKENS), (settlement, _CHAIN_KEY)]
            )
            if chain_key[12:] != sender:
                raise WrongChain("Settlement takes batches from another chain key than ours.", code="wrong_chain_key")
            places = [tokens[at : at + 32] for at in range(64, len(tokens), 32)]
            self._contracts = Contracts(settlement, _address(registry), tuple(_address(word) for word in places))
            self._chain_id = chain_id
            self._first_block = max(0, block - DEPLOYMENT_BLOCKS_MAX)
        return self._contracts

    def _read_deployment(self) -> tuple[int, str, int]:
        """Return chain id, Settlement's address and the block it was deployed in."""
        try:
            found = json.loads(self._config.deployment_file.read_text())
            return int(found["chain_id"]), str(found["settlement"]).lower(), int(found["block_number"])
        except FileNotFoundError:
            raise Unavailable("The region's contracts are not deployed yet.", code="not_deployed") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unavailable("The deployment file cannot be read.", code="deployment_file") from error

    async def _follow(self, contracts: Contracts, newest: Block, final_number: int) -> Mark:
        """Take in events up to the final block; begin anew when what was taken for final left the chain."""
        mark = self.registry.mark(contracts.settlement)
        if mark is not None and not await self._still_there(mark, newest):
            mark = None
        if mark is None:
            with self._store.write() as db:
                self.registry.forget(db)
            mark = Mark(self._first_block - 1, bytes(32), 0, 0, GENESIS_HEAD)
        while mark.block < final_number:
            last = min(final_number, mark.block + BLOCKS_A_REQUEST)
            final = newest if last == newest.number else await self._reader.block(last)
            mark = await self._take_in(contracts, mark, final)
        return mark

    async def _still_there(self, mark: Mark, newest: Block) -> bool:
        if mark.block > newest.number:
            raise Unavailable("The node is behind what this signer has already seen as final.", code="stale_node")
        if mark.block == newest.number:
            return mark.block_hash == newest.hash
        return (await self._reader.block(mark.block)).hash == mark.block_hash

    async def _take_in(self, contracts: Contracts, mark: Mark, final: Block) -> Mark:
        logs: list[Log] = await self._reader.logs(
            mark.block + 1,
            final.number,
            addresses=[contracts.settlement, contracts.registry, *contracts.tokens],
            topics=[TOPICS],
        )
        rules = b""
        if any(log.topics[0] == RULES_SET for log in logs):
            rules = await self._reader.eth_call(contracts.registry, _RULES)
        with self._store.write() as db:
            self.registry.apply(
                db, contracts, logs, Mark(final.number, final.hash, final.timestamp_s, mark.number, mark.head)
            )
            if rules:
                self.registry.put_rules(db, rules)
        taken = self.registry.mark(contracts.settlement)
        assert taken is not None, "the mark was just written"
        return taken

    async def reserve(self, contracts: Contracts, token: int, minter: str) -> Reserve:
        """Return what a minter may still mint of a token, from its contract.

        Errors: Unavailable.
        """
        target = contracts.tokens[token]
        of_minter = _MINTER_ALLOWANCE + bytes(12) + account_bytes(minter)
        state, allowance, own = await self._reader.eth_calls(
            [(target, _RESERVE_STATE), (target, _MINT_ALLOWANCE), (target, of_minter)]
        )
        words = [int.from_bytes(state[at : at + 32], "big") for at in range(0, len(state), 32)]
        _, _, valid_until_s, *_, reserve, supply = words
        left, minter_left = (int.from_bytes(word, "big") for word in (allowance[32:64], own[64:96]))
        return Reserve(max(0, reserve - supply), left, minter_left, valid_until_s)


def _address(word: bytes) -> str:
    return "0x" + word[12:32].hex()
