"""API, worker, queue and database all hostile, or a location's own node or clock: nothing moves."""

from __future__ import annotations

import asyncio
import random
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from eth_hash.auto import keccak
from nacl.signing import SigningKey

from lying_node import LyingNode
from sdt.adapters.chain.deploy import load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.domain.envelope import seal_envelope
from sdt.domain.errors import SdtError
from sdt.domain.registry import KeyWord, Role, pack_key_word
from sdt.domain.transaction_id import uuid7
from sdt.signing.config import load_signer_config
from sdt.signing.registry import KEY_SET
from sdt.signing.store import Store
from sdt.signing.validation import Validator
from sdt.signing.wire import ActivateKey, DealtValue, Drop, Entry, MarkSpend, Promote, Propose, Release
from signing_region import Person, RegionRig, approved, claims, coordinator, in_s, public_text, signed

pytestmark = pytest.mark.slow

MUTATIONS = 60
LATE_SIGNER = Path(__file__).parents[1] / "late_signer.py"  # not imported: it would change this process's clock


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    made = RegionRig(tmp_path_factory.mktemp("hostile"))
    try:
        made.alice, made.bob, made.mallory = (Person.new(name) for name in ("alice", "bob", "mallory"))
        made.settled_entries = []

        async def prepare():
            await made.open(stock=200)
            async with coordinator(made) as to:
                people = (made.alice, made.bob, made.mallory)
                await made.settle(to, [made.register(person) for person in people])
                await made.settle(to, [*(made.identify(person) for person in people), made.attest(1_000_000)])
                made.settled_entries.append(made.issue(made.alice, 500_000))
                await made.settle(to, made.settled_entries[:1])
                made.settled_entries.append(made.transfer(made.alice, made.bob, 1_000))
                await made.settle(to, made.settled_entries[1:])

        asyncio.run(prepare())
        yield made
    finally:
        made.stop()


async def moved_nothing(rig, to, entries, frame=None):
    """Propose entries as a hostile worker does; return the codes of the refusals. A signature fails the test."""
    try:
        proposal, made = rig.propose(entries, frame)
    except (SdtError, AssertionError):  # what our own code cannot put together, a hostile worker proposes by hand
        proposal, made = rig.propose([rig.transfer(rig.alice, rig.bob)], frame)
        proposal = type(proposal)(**{**_fields(proposal), "entries": tuple(entries)})
    try:
        outcome = await to.sign(proposal, made.transaction.signing_hash())
    except SdtError as error:
        return [error.code]
    assert outcome.signature is None, "it was signed"
    assert outcome.culprits == ()
    return [refusal.code for refusal in outcome.refusals]


def _fields(proposal):
    return {name: getattr(proposal, name) for name in proposal.__struct_fields__}


async def chain_state(rig):
    """Return what stands on chain: the supply, the people's balances, and the head of batches."""
    deployment = load_deployment(rig.home)
    async with ChainReader([rig.node.url]) as reader:
        found = await reader.eth_call(deployment.settlement, selector("tokens()"))
        token = "0x" + found[64:96][12:].hex()
        calls = [(token, selector("totalSupply()")), (deployment.settlement, selector("head()"))]
        calls += [
            (token, selector("balanceOf(address)") + bytes(12) + bytes.fromhex(person.account[2:]))
            for person in (rig.alice, rig.bob, rig.mallory)
        ]
        return await reader.eth_calls(calls)


def selector(signature):
    return keccak(signature.encode())[:4]


def crafted(rig):
    """Return what somebody proposes who has everything but a client's, a desk's or a signer's key."""
    alice, bob, mallory, mine = rig.alice, rig.bob, rig.mallory, SigningKey.generate()
    true = rig.transfer(alice, bob)
    other = rig.transfer(alice, bob)
    body = claims(
        "transfer",
        token="TXD",
        payer=alice.account,
        payee=mallory.account,
        payee_handle="mallory",
        amount="400000",
        fee_max="1000",
        memo="",
        expires_at=in_s(3600),
    )
    grant = {
        "public_key": public_text(mine),
        "role": "issuer",
        "token": "TXD",
        "action": "grant",
        "expires_at": in_s(3600),
    }
    header, _, signature = true.jws.split(b".")
    stolen = seal_envelope("transfer", body, mine)
    fields = {"token": "TXD", "account": mallory.account, "amount": "5", "evidence": "ab" * 32}
    issue = rig.issue(mallory, 5)
    return {
        "a payment that its payer never signed": Entry(stolen),
        "another's signature over it": Entry(b".".join((*stolen.split(b".")[:2], signature))),
        "a true header over another payload": Entry(b".".join((header, stolen.split(b".")[1], signature))),
        "a payment from alice signed by mallory": rig.transfer(alice, mallory, key=mallory.key),
        "what is settled already": rig.settled_entries[1],
        "an issue that is settled already": rig.settled_entries[0],
        "an issue without a second officer": Entry(issue.jws),
        "an issue with another's approval": Entry(issue.jws, rig.issue(mallory, 5).attachments),
        "an issue approved by its maker": approved(
            rig.desks["issuer"], rig.desks["issuer"], "issue", deposit=new_deposit(), **fields
        ),
        "an issue by nobody": approved(mine, rig.desks["approver"], "issue", deposit=new_deposit(), **fields),
        "more than the reserve": rig.issue(mallory, 900_000),
        "a role for ourselves": approved(mine, SigningKey.generate(), "grant_role", **grant),
        "a role by one administrator": approved(rig.first, rig.first, "grant_role", **grant),
        "alice's account anew under our key": signed(
            mine,
            "register",
            user_id="01890000-0000-7000-8000-000000000001",
            account=alice.account,
            handle="alice2",
            public_key=public_text(mine),
            residency="US-TX",
        ),
        "our key into alice's account": signed(
            mine, "rotate_key", account=alice.account, public_key=public_text(mine), action="add", expires_at=in_s(3600)
        ),
        "a sandbox message in production": rig.transfer(alice, mallory, network="sandbox"),
        "another region's message": rig.transfer(alice, mallory, region="US-NY"),
        "an order that is over": rig.transfer(alice, mallory, expires_at=in_s(-10)),
        "a message of the last week": rig.transfer(alice, mallory, given_s=time.time() - 9 * 86_400),
        "a payee under a handle of another": rig.transfer(alice, mallory, payee_handle="bob"),
        "rules by ourselves": approved(mine, SigningKey.generate(), "set_rules", digest="ab" * 32, effective=in_s(-1)),
        "no message at all": Entry(b""),
        "an approval as a message": Entry(issue.attachments[0]),
        "the payment with something beside it": Entry(other.jws, issue.attachments),
    }


def new_deposit():
    return uuid7(int(time.time() * 1000), secrets.token_bytes(10))


async def test_whoever_holds_api_worker_queue_and_database_moves_nothing(rig):
    async with coordinator(rig) as to:
        before = await chain_state(rig)
        for what, entry in crafted(rig).items():
            # when it is proposed alone, with a batch of true messages, or hidden among them
            for entries in ([entry], [rig.transfer(rig.alice, rig.bob), entry]):
                codes = await moved_nothing(rig, to, entries)
                assert codes, what
        # then nothing was signed, what came of it is counted, and the chain is as it was
        assert await chain_state(rig) == before
        assert to.culprits() == {}
        assert {"unknown_key", "wrong_role", "bad_signature", "already_used", "wrong_network"} <= to.refused().keys()


async def test_no_change_to_a_true_message_or_to_its_batch_is_signed(rig):
    chance = random.Random(7)
    async with coordinator(rig) as to:
        before = await chain_state(rig)
        # given true messages, with bytes changed, taken out, or put in
        for _ in range(MUTATIONS):
            raw = bytearray(rig.transfer(rig.alice, rig.bob).jws)
            at = chance.randrange(len(raw))
            match chance.randrange(3):
                case 0:
                    raw[at] = chance.choice([byte for byte in range(256) if byte != raw[at]])
                case 1:
                    del raw[at]
                case 2:
                    raw.insert(at, chance.randrange(256))
            assert await moved_nothing(rig, to, [Entry(bytes(raw))])
        # and a batch whose every field was changed in turn
        frame = rig.frame()
        for changes in (
            {"number": frame.number + 1},
            {"number": 0},
            {"parent": secrets.token_bytes(32)},
            {"nonce": frame.nonce + 999},
            {"deadline_s": int(time.time()) + 10**6},
            {"chain_id": 1},
            {"settlement": rig.mallory.account},
            {"gas_price_wei": 10**12},
        ):
            assert await moved_nothing(rig, to, [rig.transfer(rig.alice, rig.bob)], replace(frame, **changes))
        assert await chain_state(rig) == before


async def test_a_batch_that_does_not_balance_is_one_that_the_signers_did_not_rebuild(rig):
    # given a true payment, and calldata in which the payee gets more than the payer gives
    entry = rig.transfer(rig.alice, rig.mallory, 5)
    proposal, made = rig.propose([entry])
    data = bytearray(made.transaction.data)
    at = data.index(bytes.fromhex(rig.alice.account[2:])) + 20
    data[at : at + 12] = (400_000).to_bytes(12, "big")
    forged = replace(made.transaction, data=bytes(data))
    async with coordinator(rig) as to:
        with pytest.raises(SdtError) as refused:
            await to.sign(proposal, forged.signing_hash())
        # then their hash is another, and no part was given for ours
        assert refused.value.code == "hash_mismatch"
        # and the same with more gas than the items take
        with pytest.raises(SdtError) as refused:
            await to.sign(type(proposal)(**{**_fields(proposal), "gas": proposal.gas + 1}), forged.signing_hash())
        assert refused.value.code == "batch_gas"


async def test_every_other_operation_gives_a_hostile_coordinator_nothing(rig):
    async with coordinator(rig) as to:
        await to._pool.refresh((1, 2))
        job, index = to._pool.take((1, 2))
        proposal, made = rig.propose([rig.transfer(rig.alice, rig.bob)])
        tx_hash = made.transaction.signing_hash()
        own = SigningKey.generate()
        await to._remotes[1].call(Propose(proposal, job, index), 5)
        for operation in (
            Release(job, index, tx_hash, own.sign(tx_hash).signature),
            Release(job, index, secrets.token_bytes(32), bytes(64)),
            Release(job, index + 1, tx_hash, bytes(64)),
            Promote(job, (bytes(64),) * 3),
            ActivateKey(secrets.token_bytes(16), (bytes(64),) * 3),
            MarkSpend(10**9, bytes(64)),
            Drop(secrets.token_bytes(16), 3, bytes(64)),
            DealtValue(secrets.token_bytes(16), secrets.token_bytes(32)),
        ):
            with pytest.raises(SdtError):
                await to._remotes[1].call(operation, 5)


# What a location's own node and clock can do


def start_again(rig, party, command=None):
    rig.processes[party].send_signal(signal.SIGTERM)
    rig.processes[party].wait(10)
    if command is None:
        rig.start(party)
        return
    log = (rig.folder(party) / "log").open("ab")
    command = [sys.executable, *command, "--home", str(rig.folder(party))]
    rig.processes[party] = subprocess.Popen(command, stdout=log, stderr=log)


async def judged(rig, tmp_path, node, changes, entries=None):
    """Return the code with which one location's judgement, by a lying node, ends; `changes` come one after another."""
    config = replace(load_signer_config(rig.folder(1)), chain_url=node.url)
    store = Store(tmp_path / f"{secrets.token_hex(4)}.db")
    validator = Validator(config, store)
    proposal, _ = rig.propose(entries or [rig.transfer(rig.alice, rig.bob)])
    async with coordinator(rig) as to:
        sender = bytes.fromhex(to.address()[2:])
    code = ""
    try:
        for change in changes:
            node.change = change
            await asyncio.sleep(0.15)  # a look at the chain is good for 0.1 s
            await validator.build(proposal, sender, lambda number: False)
    except SdtError as error:
        code = error.refusals[0].code if hasattr(error, "refusals") else error.code
    finally:
        await validator.close()
        store.close()
    return code


def honest(method, params, result):
    return result


def shows(method, change):
    return lambda asked, params, result: change(params, result) if asked == method else result


def older(params, result):
    return {**result, "number": "0x2"} if params[0] == "latest" else result


def an_hour_old(params, result):
    return {**result, "timestamp": hex(int(result["timestamp"], 16) - 3600)}


async def test_what_a_lying_node_says_is_refused_where_it_can_be_told(rig, tmp_path):
    async with LyingNode(rig.node.url) as node:
        assert await judged(rig, tmp_path, node, [honest]) == ""
        for changes, code in (
            ([shows("eth_chainId", lambda params, result: "0x1")], "wrong_chain"),
            ([honest, shows("eth_getBlockByNumber", older)], "stale_node"),
            ([shows("eth_getBlockByNumber", an_hour_old)], "clock_skew"),
            ([shows("eth_getTransactionCount", lambda params, result: "0xffff")], "batch_nonce"),
            ([shows("eth_getLogs", lambda params, result: [])], "rules_digest"),
            ([shows("eth_getLogs", lambda params, result: "nonsense")], "chain_bad_answer"),
            ([shows("eth_call", lambda params, result: "0x" + "00" * 32)], "wrong_chain_key"),
        ):
            assert await judged(rig, tmp_path, node, changes) == code


async def test_minting_beyond_the_day_or_on_a_stale_attestation_is_refused(rig, tmp_path):
    def answers(signature, words):

        def change(params, result):
            called = params[0].get("data", params[0].get("input", ""))
            if not called.startswith("0x" + selector(signature).hex()):
                return result
            raw = bytes.fromhex(result[2:])
            parts = [raw[at : at + 32] for at in range(0, len(raw), 32)]
            for place, value in words.items():
                parts[place] = value.to_bytes(32, "big")
            return "0x" + b"".join(parts).hex()

        return shows("eth_call", change)

    issue = [rig.issue(rig.bob, 100)]
    async with LyingNode(rig.node.url) as node:
        assert (
            await judged(rig, tmp_path, node, [answers("mint_allowance()", {1: 99})], issue) == "mint_allowance_spent"
        )
        stale = answers("reserve_state()", {2: 1})
        assert await judged(rig, tmp_path, node, [stale], issue) == "attestation_stale"


async def test_a_registry_forged_by_one_locations_node_deceives_that_location_alone(rig):
    # given a node that shows mallory's key as one of alice's account, to location 2 only
    forged = SigningKey.generate()
    word = pack_key_word(KeyWord(rig.alice.account, Role.CLIENT))

    def forge(params, result):
        key_sets = [log for log in result if log["topics"][0] == "0x" + KEY_SET.hex()]
        if not key_sets:
            return result
        topics = [key_sets[-1]["topics"][0], "0x" + bytes(forged.verify_key).hex(), *key_sets[-1]["topics"][2:]]
        return [*result, {**key_sets[-1], "topics": topics, "data": "0x" + word.hex()}]

    file = rig.folder(2) / "signer.toml"
    before = file.read_text()
    async with LyingNode(rig.node.url) as node:
        node.change = shows("eth_getLogs", forge)
        file.write_text(before.replace(rig.node.url, node.url))
        start_again(rig, 2)
        try:
            async with coordinator(rig) as to:
                theft = rig.transfer(rig.alice, rig.mallory, 400_000, key=forged)
                proposal, made = rig.propose([theft])
                outcome = await to.sign(proposal, made.transaction.signing_hash())
                # then the other two refuse it, and nobody signs
                assert outcome.signature is None
                assert [refusal.code for refusal in outcome.refusals] == ["unknown_key"]
        finally:
            file.write_text(before)
            start_again(rig, 2)


@pytest.mark.parametrize("off_s", [3600, -3600])
async def test_a_location_an_hour_off_signs_nothing_and_the_others_go_on(rig, off_s):
    # given a real location whose clock is an hour off
    start_again(rig, 3, [str(LATE_SIGNER), str(off_s)])
    try:
        async with coordinator(rig) as to:
            # then an alarm tells of it before anything is signed
            assert [alarm.party for alarm in to.alarms() if alarm.code == "location_clock"] == [3]
            # and when its pair is tried first, it refuses, and the other two sign
            to._last_pair = (1, 3)
            await rig.settle(to, [rig.transfer(rig.alice, rig.bob)])
            assert to.refused()["clock_skew"] == 1
            assert to.culprits() == {}
    finally:
        start_again(rig, 3)
