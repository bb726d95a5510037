"""Receipts from a real chain through the API: made of its blocks, checked before they leave, verified offline."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from api_platform import Holder, Platform, platform
from receipt_region import RegionOnNode, Sent, registration
from typer.testing import CliRunner

from chain_node import ChainNode
from lying_node import LyingNode, honest
from sdt.adapters.chain.reader import ChainReader
from sdt.api.services import Deployment
from sdt.cli.app import app as cli
from sdt.domain.batch import BATCH_SETTLED_TOPIC, ITEM_SKIPPED_TOPIC
from sdt.domain.chain_tx import transaction_hash
from sdt.domain.envelope import message_digest, seal_envelope
from sdt.domain.message import read_message
from sdt.domain.receipt import read_receipt
from sdt.domain.receipt_check import ReceiptRefused, verify
from sdt.domain.receipt_trust import KnownBlock, Trust, read_deployment
from sdt.domain.registry import Role
from sdt.domain.transaction import Event, Status
from sdt.store import Store, batches, transactions
from sdt.store.batches import FormedBatch
from sdt.store.intake import AcceptedRow
from sdt.store.transactions import Change

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainNode]:
    with ChainNode(tmp_path_factory.mktemp("chain") / "chain.sqlite", "--gather-ms", "2", "--idle-s", "0") as running:
        yield running


@dataclass
class Scene:
    """An API over a chain on which Alice paid Bob, twice, and once more than she has."""

    api: Platform
    node: LyingNode
    folder: Path
    alice: Holder
    bob: Holder
    ids: list[str]
    region: RegionOnNode
    sent: Sent

    @property
    def trust(self) -> Trust:
        return read_deployment(json.loads((self.folder / "deployment.json").read_text()))

    async def get(self, id_: str, holder: Holder | None) -> tuple[int, bytes, dict[str, str]]:
        path = f"/v1/transactions/{id_}/receipt"
        async with self.api.session.get(self.api.url + path, headers=self.api.proof("GET", path, holder)) as answer:
            return answer.status, await answer.read(), dict(answer.headers)

    async def problem(self, id_: str, holder: Holder | None) -> tuple[int, dict[str, Any]]:
        status, body, _ = await self.get(id_, holder)
        return status, json.loads(body)


@pytest.fixture
async def scene(node: ChainNode, tmp_path: Path) -> AsyncIterator[Scene]:
    alice, bob = Holder("alice.tx"), Holder("bob.tx")
    async with ChainReader([node.url]) as reader, LyingNode(node.url) as lying:
        region = await RegionOnNode.deployed(reader, tmp_path)
        await region.open(alice, bob)
        ours = region.deployment
        known = Deployment(ours.chain_id, ours.settlement, ours.registry, ours.tokens, ours.chain_key)
        async with platform(tmp_path, deployment=known, chain_urls=(lying.url,)) as api:
            for holder in (alice, bob):
                await api.settle(holder)
            ids, messages = [], []
            for payer, payee, amount in ((alice, bob, "120"), (alice, bob, "9999999"), (bob, alice, "20")):
                id_, message = await api.signed_transfer(payer, payee, amount=amount)
                assert (await api.put(id_, message))[0] == 202
                ids.append(id_)
                messages.append(message)
            sent = await region.settle(messages)
            yield Scene(api, lying, tmp_path, alice, bob, ids, region, sent)


async def finish(scene: Scene, ids: list[str] | None = None, sent: Sent | None = None) -> None:
    """Write into the books what worker and follower write once a batch is final."""
    await scene.api.store.run(_finish, ids or scene.ids, sent or scene.sent)


def _finish(store: Store, ids: list[str], sent: Sent) -> None:
    number = sent.frame.number
    kind = "admin" if sent.assembled.administers else "value"
    place = (sent.frame.parent, sent.frame.deadline_s, sent.frame.nonce)
    batches.form(store, FormedBatch(number, kind, *place, len(ids), 1))
    transactions.move(store, [Change(id_, Event.SCREEN) for id_ in ids], actor="test", at_ms=1)
    transactions.place_in_batch(store, ids, number, actor="test", at_ms=1)
    made = sent.assembled
    facts = {"root": made.root, "head": made.head, "gas": made.transaction.gas, "raw_tx": sent.raw}
    batches.mark_signed(store, number, chain_tx_hash=transaction_hash(sent.raw), **facts, signed_at_ms=1)
    transactions.advance_whole_batch(store, number, Event.SUBMIT, from_status=Status.BATCHED, actor="test", at_ms=1)
    skipped = {int.from_bytes(log.data[:32], "big") for log in sent.receipt.logs if log.topics[0] == ITEM_SKIPPED_TOPIC}
    refused = [Change(id_, Event.REJECT) for position, id_ in enumerate(ids) if position in skipped]
    transactions.move(store, refused, actor="test", at_ms=1)
    through = (Event.SETTLE, Event.COMPLETE)
    transactions.advance_whole_batch(store, number, through, from_status=Status.SUBMITTED, actor="test", at_ms=1)
    block = {"block_number": sent.receipt.block_number, "block_hash": sent.receipt.block_hash}
    batches.mark_final(store, number, **block, skipped_count=len(skipped), final_at_ms=1)


async def test_both_parties_get_a_file_that_verifies_offline(scene: Scene) -> None:
    await finish(scene)
    # when payer and payee ask, then each gets the same file, named for a browser
    status, data, headers = await scene.get(scene.ids[0], scene.alice)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert headers["Content-Disposition"] == f'attachment; filename="sdt-receipt-{scene.ids[0]}.json"'
    assert (await scene.get(scene.ids[0], scene.bob))[1] == data
    # and it proves, under the deployment's facts and the block's hash, what was settled
    anchor = KnownBlock(scene.sent.receipt.block_hash)
    trust = scene.trust
    assert trust.tokens == ("TXD", "TXG")
    found = verify(read_receipt(data), Trust(trust.chain_id, trust.settlement, trust.chain_key, anchor=anchor))
    assert (found.outcome, found.signed.message.amount, found.batch_number) == ("settled", "120", 3)
    assert found.chain_transaction == scene.sent.receipt.tx_hash


async def test_a_payment_that_the_chain_skipped_has_a_receipt_that_says_so(scene: Scene) -> None:
    await finish(scene)
    status, data, _ = await scene.get(scene.ids[1], scene.alice)
    assert status == 200
    assert verify(read_receipt(data), scene.trust).outcome == "insufficient_funds"
    assert verify(read_receipt((await scene.get(scene.ids[2], scene.alice))[1]), scene.trust).outcome == "settled"


async def test_an_administrative_message_has_one_too(scene: Scene) -> None:
    # given Carol's registration, and one of the same handle, which the chain skips
    carol, thief = Holder("carol.tx"), Holder("carol.tx")
    messages = [registration(carol), registration(thief)]
    ids = [read_message(raw).message.transaction_id for raw in messages]
    rows = [_row(id_, raw, holder) for id_, raw, holder in zip(ids, messages, (carol, thief), strict=True)]
    await scene.api.store.run(transactions.insert_accepted, rows)
    await finish(scene)
    await finish(scene, ids, await scene.region.settle(messages))
    await scene.api.settle(carol)
    officer = await scene.api.settle(Holder("officer", roles=Role.COMPLIANCE_OFFICER))
    # then Carol has the receipt of hers, and a compliance officer that of the other, whose key never came in force
    found = verify(read_receipt((await scene.get(ids[0], carol))[1]), scene.trust)
    assert (found.outcome, found.signed.type) == ("settled", "register")
    found = verify(read_receipt((await scene.get(ids[1], officer))[1]), scene.trust)
    assert found.outcome == "already_exists"


def _row(id_: str, raw: bytes, holder: Holder) -> AcceptedRow:
    return AcceptedRow(
        id=id_, type="register", administrative=True, kid=holder.kid, account=holder.account, counterparty=None,
        token=None, units=0, fee_units=0, digest=message_digest(raw), raw=raw, issued_at_s=int(time.time()),
        expires_at_s=int(time.time()) + 900, accepted_at_ms=1, linked_id=None,
    )  # fmt: skip


async def test_nobody_else_gets_it(scene: Scene) -> None:
    await finish(scene)
    carol = await scene.api.settle(Holder("carol.tx"))
    desk = await scene.api.settle(Holder("desk", roles=Role.KYC_DESK))
    for whoever in (carol, desk):
        assert (await scene.problem(scene.ids[0], whoever))[1]["code"] == "not_yours"
    status, problem = await scene.problem(scene.ids[0], None)
    assert (status, problem["code"]) == (401, "proof_required")


async def test_what_has_no_receipt_says_why(scene: Scene) -> None:
    # given transactions on their way, one refused before the chain, one id unused, one never given
    (unused,) = await scene.api.ids()
    id_, message = await scene.api.signed_transfer(scene.alice, scene.bob)
    await scene.api.put(id_, message)
    await scene.api.store.run(
        transactions.move, [Change(id_, Event.REJECT, code="residency", detail="No.")], actor="test", at_ms=1
    )
    for asked, answer in (
        (scene.ids[0], (409, "receipt_not_yet")),
        (id_, (409, "receipt_none")),
        (unused, (404, "no_message")),
        ("019a8f2e-1c00-7a3b-8c4d-5e6f708192a3", (404, "unknown_transaction_id")),
        ("nonsense", (400, "transaction_id")),
    ):
        status, problem = await scene.problem(asked, scene.alice)
        assert (status, problem["code"]) == answer, asked
    # given a deposit, then its issue is named, null until there is one
    claims = scene.api.claims("deposit", (await scene.api.ids())[0])
    deposit = claims["transaction_id"]
    claims |= {"token": "TXD", "account": scene.alice.account, "amount": "5", "source": "bank:x"}
    claims["expires_at"] = scene.api.transfer(deposit, scene.alice, scene.bob)["expires_at"]
    assert (await scene.api.put(deposit, seal_envelope("deposit", claims, scene.alice.key)))[0] == 202
    status, problem = await scene.problem(deposit, scene.alice)
    assert (status, problem["code"], problem["receipt_of"]) == (409, "receipt_elsewhere", None)


def _without(name: str) -> Any:
    """Return a lie: this log is left out of receipts."""

    def change(method: str, _: list[Any], result: Any) -> Any:
        if method == "eth_getTransactionReceipt" and result:
            topic = "0x" + {"skip": ITEM_SKIPPED_TOPIC, "close": BATCH_SETTLED_TOPIC}[name].hex()
            return {**result, "logs": [log for log in result["logs"] if log["topics"][0] != topic]}
        return result

    return change


def _instead(name: str, value: Any) -> Any:
    """Return a lie: another value in the block, or in its transactions."""

    def change(method: str, _: list[Any], result: Any) -> Any:
        if method == "eth_getBlockByHash" and result:
            if name in result:
                return {**result, name: value}
            return {**result, "transactions": [{**one, name: value} for one in result["transactions"]]}
        return result

    return change


@pytest.mark.parametrize(
    "lie",
    [
        _without("skip"),
        _without("close"),
        _instead("receiptsRoot", "0x" + "11" * 32),
        _instead("timestamp", "0x1"),
        _instead("stateRoot", "0x" + "11" * 32),
        _instead("hash", "0x" + "11" * 32),
        _instead("extraData", "0x"),
        _instead("gasUsed", "zero"),
        _instead("input", "0x00"),
        _instead("nonce", "0x63"),
        _instead("type", "0x2"),
        _instead("transactions", []),
        lambda method, _, result: None if method == "eth_getBlockByHash" else result,
        lambda method, _, result: None if method == "eth_getTransactionReceipt" else result,
        lambda method, _, result: "nonsense",
        lambda method, _, result: [],
    ],
)
async def test_a_node_that_lies_gets_no_receipt_out(scene: Scene, lie: Any) -> None:
    await finish(scene)
    # given a node that shows something else than what is in the block
    scene.node.change = lie
    status, problem = await scene.problem(scene.ids[1], scene.alice)
    assert (status, problem["code"]) in ((503, "receipt_unproven"), (503, "chain_unavailable"))
    # when it tells the truth again, then there is a receipt
    scene.node.change = honest
    assert (await scene.get(scene.ids[1], scene.alice))[0] == 200


async def test_no_chain_no_receipt_and_what_was_proven_once_is_kept(scene: Scene) -> None:
    await finish(scene)
    asked: list[str] = []

    def count(method: str, _: list[Any], result: Any) -> Any:
        asked.append(method)
        return result

    scene.node.change = count
    # when the receipts of one batch are asked for at the same time, then the node is asked once
    answers = await asyncio.gather(*(scene.get(id_, scene.alice) for id_ in scene.ids * 3))
    assert {status for status, _, _ in answers} == {200}
    assert asked.count("eth_getBlockByHash") == 1
    # and when it is gone, then they are there still
    await scene.node._runner.cleanup()  # type: ignore[union-attr]
    assert (await scene.get(scene.ids[0], scene.alice))[0] == 200
    scene.api.app.runtime.receipts._proofs.clear()
    status, problem = await scene.problem(scene.ids[0], scene.alice)
    assert (status, problem["code"]) == (503, "chain_unavailable")


async def test_another_regions_receipt_on_the_same_chain_is_refused(
    scene: Scene, node: ChainNode, tmp_path: Path
) -> None:
    await finish(scene)
    _, data, _ = await scene.get(scene.ids[0], scene.alice)
    (tmp_path / "other").mkdir()
    async with ChainReader([node.url]) as reader:
        other = await RegionOnNode.deployed(reader, tmp_path / "other")
    trust = read_deployment(json.loads((tmp_path / "other" / "deployment.json").read_text()))
    assert trust.settlement == other.deployment.settlement != scene.trust.settlement
    with pytest.raises(ReceiptRefused):
        verify(read_receipt(data), trust)


async def test_the_command_line_shows_each_step_and_its_exit_status_is_the_verdict(scene: Scene) -> None:
    await finish(scene)
    file = scene.folder / "receipt.json"
    file.write_bytes((await scene.get(scene.ids[0], scene.alice))[1])
    deployment = str(scene.folder / "deployment.json")
    block = "0x" + scene.sent.receipt.block_hash.hex()

    def run(*options: str, receipt: Path = file) -> tuple[int, str]:
        found = CliRunner().invoke(cli, ["receipt", "verify", str(receipt), "--deployment", deployment, *options])
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found.exit_code, found.output

    code, output = run("--block-hash", block)
    assert code == 0
    assert output.count("✓") == 9
    assert "VERIFIED." in output
    # where nobody vouches for the block it never says so
    for options, expected in (((), 3), (("--unsealed",), 0)):
        code, output = run(*options)
        assert (code, "VERIFIED" in output, "UNSEALED." in output) == (expected, False, True)
    code, output = run("--json")
    facts = json.loads(output)
    assert (code, facts["verified"], facts["unsealed"], facts["outcome"]) == (3, False, True, "settled")
    # a wrong anchor, a changed file
    assert run("--block-hash", "0x" + "00" * 32)[0] == 1
    code, output = run("--validators", "0x" + "11" * 20, "--json")
    assert (code, json.loads(output)["failed"]["step"]) == (1, "Who vouches for the block")
    assert run("--signers", "0x" + "11" * 20)[0] == 1
    changed = scene.folder / "changed.json"
    changed.write_bytes(file.read_bytes().replace(b'"settled"', b'"paused_"'))
    code, output = run("--block-hash", block, receipt=changed)
    assert code == 1
    assert "✗ What became of the item" in output


def test_help_teaches() -> None:
    found = CliRunner().invoke(cli, ["receipt", "verify", "--help"])
    assert found.exit_code == 0
    for word in ("deployment.json", "genesis", "--unsealed", "Exit status"):
        assert word in found.output
