"""Deploying a region's contracts: once, at foretold addresses, whatever dies in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from eth_abi.abi import decode
from eth_hash.auto import keccak

from chain_node import ChainNode
from geth import GethNode, node_of
from sdt.adapters.chain import deploy
from sdt.adapters.chain.deploy import deploy_region, load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.domain.errors import Conflict
from sdt.domain.region import Region, load_region
from sdt.domain.registry import NOBODY, KeyWord, Role, pack_key_word

pytestmark = pytest.mark.slow

CHAIN_KEY = "0x" + "c1" * 20
ADMINISTRATORS = [(bytes([n]) * 32, pack_key_word(KeyWord(NOBODY, Role.ADMINISTRATOR))) for n in (1, 2)]


@pytest.fixture(scope="module", params=["embedded", "geth"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainNode | GethNode]:
    with node_of(request.param, tmp_path_factory.mktemp("chain"), "--gather-ms", "2") as running:
        yield running


@pytest.fixture
async def reader(node: ChainNode | GethNode) -> AsyncIterator[ChainReader]:
    async with ChainReader([node.url]) as found:
        yield found


@pytest.fixture(scope="module")
def region() -> Region:
    return load_region((Path(__file__).parents[2] / "regions" / "texas.toml").read_bytes())


async def test_a_region_is_deployed_once(reader: ChainReader, region: Region, tmp_path: Path) -> None:
    # when a region is deployed
    found = await deploy_region(reader, region, chain_key=CHAIN_KEY, administrators=ADMINISTRATORS, folder=tmp_path)
    # then the contracts name each other and the chain key
    answer = await reader.eth_call(found.settlement, keccak(b"chain_key()")[:4])
    assert decode(["address"], answer)[0] == CHAIN_KEY
    for address in (found.registry, *found.tokens):
        answer = await reader.eth_call(address, keccak(b"settlement()")[:4])
        assert decode(["address"], answer)[0] == found.settlement
    symbols = await reader.eth_calls([(token, keccak(b"symbol()")[:4]) for token in found.tokens])
    assert [decode(["string"], s)[0] for s in symbols] == [token.symbol for token in region.tokens]
    assert (await reader.block(found.block_number)).hash.hex() == found.block_hash[2:]
    # and the key is gone, and asking again changes nothing
    assert load_deployment(tmp_path) == found
    assert not (tmp_path / "deployer.key").exists()
    height = await reader.block_number()
    again = await deploy_region(reader, region, chain_key=CHAIN_KEY, administrators=ADMINISTRATORS, folder=tmp_path)
    assert again == found
    since = await reader.blocks(height + 1, await reader.block_number())
    assert not any(block.transactions for block in since)


async def test_a_crash_at_any_step_is_taken_up(
    reader: ChainReader, region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(Exception):
        pass

    create = deploy._create
    addresses = set()
    for steps_before_crash in range(len(region.tokens) + 2):
        # given a deployment that dies after so many contracts
        count = 0

        async def create_or_crash(*args: object) -> object:
            nonlocal count
            if count == steps_before_crash:  # noqa: B023
                raise Crash
            count += 1
            return await create(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(deploy, "_create", create_or_crash)
        with pytest.raises(Crash):
            await deploy_region(reader, region, chain_key=CHAIN_KEY, administrators=ADMINISTRATORS, folder=tmp_path)
        assert load_deployment(tmp_path) is None
        assert (tmp_path / "deployer.key").stat().st_mode & 0o777 == 0o600
        addresses.add((tmp_path / "deployer.key").read_text())
    # then the last try finishes what the first began, with the same key
    monkeypatch.undo()
    found = await deploy_region(reader, region, chain_key=CHAIN_KEY, administrators=ADMINISTRATORS, folder=tmp_path)
    assert len(addresses) == 1
    assert await reader.code(found.settlement)


async def test_another_chain_or_region_is_refused(reader: ChainReader, region: Region, tmp_path: Path) -> None:
    await deploy_region(reader, region, chain_key=CHAIN_KEY, administrators=ADMINISTRATORS, folder=tmp_path)
    with pytest.raises(Conflict, match="another region"):
        await deploy_region(reader, region, chain_key="0x" + "c2" * 20, administrators=ADMINISTRATORS, folder=tmp_path)
    with ChainNode(tmp_path / "other.sqlite") as other:
        async with ChainReader([other.url]) as elsewhere:
            with pytest.raises(Conflict, match="not on this chain"):
                await deploy_region(
                    elsewhere, region, chain_key=CHAIN_KEY, administrators=ADMINISTRATORS, folder=tmp_path
                )
