"""What three real signers let through and refuse, on a real chain: the coordinator here is as hostile as it can be."""

from __future__ import annotations

import asyncio
import secrets
import time

import pytest
from nacl.signing import SigningKey

from sdt.domain.batch import GENESIS_HEAD
from sdt.domain.errors import SdtError
from sdt.domain.transaction_id import uuid7
from sdt.signing.config import load_signer_config
from sdt.signing.store import Store
from sdt.signing.validation import BatchWrong, Validator
from sdt.signing.wire import Entry
from signing_region import Person, RegionRig, approved, coordinator, in_s, public_text, signed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    made = RegionRig(tmp_path_factory.mktemp("region"))
    try:
        made.alice, made.bob, made.carol = (Person.new(name) for name in ("alice", "bob", "carol"))

        async def prepare():
            await made.open(stock=60)
            async with coordinator(made) as to:
                people = (made.alice, made.bob, made.carol)
                await made.settle(to, [made.register(person) for person in people])
                await made.settle(to, [*(made.identify(person) for person in people[:2]), made.attest(1_000_000)])
                settled = await made.settle(to, [made.issue(made.alice, 500_000)])
                assert settled.skipped == 0

        asyncio.run(prepare())
        yield made
    finally:
        made.stop()


async def refusals(rig, entries):
    """Propose entries and return what is refused, as position -> code."""
    async with coordinator(rig) as to:
        outcome = await rig.sign(to, entries)
        assert outcome.signature is None, "it was signed"
        return {refusal.position: refusal.code for refusal in outcome.refusals}


async def batch_refused(rig, entries, **changes):
    """Propose a batch with its frame changed; return why the signers refuse the whole."""
    from dataclasses import replace

    frame = replace(rig.frame(), **changes)
    proposal, made = rig.propose(entries, frame)
    async with coordinator(rig) as to:
        with pytest.raises(SdtError) as caught:
            await to.sign(proposal, made.transaction.signing_hash())
        return caught.value.code


async def test_a_payment_is_signed_and_settles(rig):
    async with coordinator(rig) as to:
        settled = await rig.settle(to, [rig.transfer(rig.alice, rig.bob) for _ in range(5)])
    assert (settled.count, settled.skipped) == (5, 0)


async def test_what_is_wrong_with_a_message_is_found_and_named(rig):
    stranger = SigningKey.generate()
    good = rig.transfer(rig.alice, rig.bob)
    forged = good.jws[:-4] + (b"AAAA" if good.jws[-4:] != b"AAAA" else b"BBBB")
    # given messages, each wrong in its own way
    cases = [
        (rig.transfer(rig.alice, rig.bob, key=stranger), "unknown_key"),
        (rig.transfer(rig.alice, rig.bob, key=rig.bob.key), "wrong_key"),
        (rig.transfer(rig.alice, rig.bob, key=rig.desks["issuer"]), "wrong_role"),
        (Entry(forged), "bad_signature"),
        (rig.transfer(rig.alice, rig.bob, network="sandbox"), "wrong_network"),
        (rig.transfer(rig.alice, rig.bob, region="US-OK"), "wrong_region"),
        (rig.transfer(rig.alice, rig.bob, expires_at=in_s(-5)), "expired_message"),
        (rig.transfer(rig.alice, rig.bob, expires_at=in_s(30 * 86_400)), "expires_too_late"),
        (rig.transfer(rig.alice, rig.bob, given_s=time.time() + 120), "clock_skew"),
        (rig.issue(rig.bob, 1, given_s=time.time() - 8 * 86_400), "expired_message"),
        (rig.transfer(rig.alice, rig.bob, payee_handle="carol"), "handle_mismatch"),
        (rig.transfer(rig.alice, rig.carol), "identity"),
        (rig.transfer(rig.alice, Person.new("nobody")), "domain_wall"),
        (
            signed(
                rig.desks["issuer"],
                "issue",
                token="TXD",
                account=rig.bob.account,
                amount="1",
                deposit=good_id(),
                evidence="ab" * 32,
            ),
            "approval_missing",
        ),
        (rig.issue(rig.bob, 600_000), "over_reserve"),
    ]
    # when they are proposed with one good message
    found = await refusals(rig, [good, *(entry for entry, _ in cases)])
    # then each is refused for its own reason, and the good one is not
    minting = len(cases)
    assert found == {position: code for position, (_, code) in enumerate(cases, 1) if position != minting}
    # and what only counts once the rest is right is found then
    assert await refusals(rig, [good, cases[-1][0]]) == {1: "over_reserve"}


def good_id():
    return "01890000-0000-7000-8000-000000000000"


async def test_an_approval_must_be_another_officers_word_for_this_very_message(rig):
    issuer, approver = rig.desks["issuer"], rig.desks["approver"]
    fields = {
        "token": "TXD",
        "account": rig.bob.account,
        "amount": "1",
        "deposit": good_id(),
        "evidence": "cd" * 32,
    }
    one, two = approved(issuer, approver, "issue", **fields), approved(issuer, approver, "issue", **fields)
    found = await refusals(
        rig,
        [
            approved(issuer, issuer, "issue", **fields),
            approved(issuer, rig.first, "issue", **fields),
            Entry(one.jws, two.attachments),
            Entry(rig.transfer(rig.alice, rig.bob).jws, one.attachments),
        ],
    )
    assert found[0] in ("same_officer", "wrong_role")
    assert found == {0: found[0], 1: "wrong_role", 2: "approval_mismatch", 3: "approval_mismatch"}


async def test_an_adjustment_stays_within_the_original_that_travels_beside_it(rig):
    alice, bob = rig.alice, rig.bob
    deposit, redeem = rig.client_act("deposit", alice, 500), rig.client_act("redeem", alice, 500)
    others = rig.client_act("deposit", bob, 500)
    forged = rig.client_act("deposit", alice, 900, key=bob.key)
    unknown = rig.client_act("deposit", alice, 500, key=SigningKey.generate())
    good = rig.adjust("clawback", alice, 10, deposit)
    frozen = Person.new("nobody")
    found = await refusals(
        rig,
        [
            good,
            rig.adjust("clawback", alice, 501, deposit),
            rig.adjust("clawback", bob, 10, deposit),
            rig.adjust("clawback", alice, 10, others),
            rig.adjust("clawback", alice, 10, redeem),
            rig.adjust("remint", alice, 499, redeem),
            rig.adjust("remint", bob, 500, redeem),
            rig.adjust("write_down", alice, 10, deposit),
            rig.adjust("clawback", alice, 600, forged),
            rig.adjust("clawback", alice, 10, unknown),
            Entry(good.jws, good.attachments[:1]),
            Entry(good.jws, (good.attachments[1], good.attachments[0])),
            Entry(good.jws, ()),
            Entry(good.jws, (rig.adjust("clawback", alice, 10, deposit).attachments[0], deposit)),
            rig.adjust("clawback", frozen, 10, rig.client_act("deposit", alice, 10)),
        ],
    )
    mismatch = dict.fromkeys(range(1, 8), "original_mismatch")
    assert found == {
        **mismatch,
        8: "wrong_key",
        9: "unknown_key",
        10: "wrong_key",
        11: "wrong_key",
        12: "original_missing",
        13: "approval_mismatch",
        14: "original_mismatch",
    }


async def test_a_remint_is_bound_by_the_reserve_and_an_adjustment_is_used_once_for_ever(rig):
    alice = rig.alice
    deposit, redeem = rig.client_act("deposit", alice, 500), rig.client_act("redeem", alice, 600_000)
    assert await refusals(rig, [rig.adjust("remint", alice, 600_000, redeem)]) == {0: "over_reserve"}
    evidence = secrets.token_hex(32)
    small = rig.client_act("redeem", alice, 7)
    async with coordinator(rig) as to:
        # given a clawback and a re-mint that are settled
        first = rig.adjust("clawback", alice, 10, deposit, evidence=evidence)
        settled = await rig.settle(to, [first, rig.adjust("remint", alice, 7, small)])
        assert (settled.count, settled.skipped) == (2, 0)
        # then the same original with the same evidence is not signed again, nor a second re-mint of one redemption
        again = [rig.adjust("clawback", alice, 5, deposit, evidence=evidence), rig.adjust("remint", alice, 7, small)]
        outcome = await rig.sign(to, again)
        assert outcome.signature is None
        assert {r.position for r in outcome.refusals} == {0, 1}
        # and the same original with other evidence is: the rest of it
        settled = await rig.settle(to, [rig.adjust("clawback", alice, 5, deposit)])
        assert settled.skipped == 0


async def test_a_message_settles_once(rig):
    async with coordinator(rig) as to:
        # given a payment that is settled
        entry = rig.transfer(rig.alice, rig.bob)
        await rig.settle(to, [entry])
    # when it is proposed again, alone, or twice in a batch
    # then it is refused, whichever pair is asked
    assert await refusals(rig, [entry]) == {0: "already_used"}
    fresh = rig.transfer(rig.alice, rig.bob)
    assert await refusals(rig, [fresh, fresh]) == {1: "duplicate"}


async def test_a_deposit_is_issued_against_once(rig):
    async with coordinator(rig) as to:
        deposit = good_id()
        await rig.settle(to, [rig.issue(rig.bob, 10, deposit=deposit)])
    assert await refusals(rig, [rig.issue(rig.bob, 10, deposit=deposit)]) == {0: "already_issued"}


async def test_a_deposit_is_issued_against_once_within_one_batch_too(rig):
    deposit = uuid7(int(time.time() * 1000), secrets.token_bytes(10))
    twice = [
        rig.issue(rig.bob, 10, deposit=deposit),
        rig.transfer(rig.alice, rig.bob),
        rig.issue(rig.bob, 10, deposit=deposit),
    ]
    assert await refusals(rig, twice) == {2: "already_issued"}


async def test_a_frozen_account_a_revoked_key_and_a_wrong_number_are_refused(rig):
    dave = Person.new("dave")
    async with coordinator(rig) as to:
        await rig.settle(to, [rig.register(dave)])
        await rig.settle(to, [rig.identify(dave)])
        await rig.settle(to, [rig.transfer(rig.alice, dave, 1000)])
        officer = rig.desks["compliance_officer"]
        order = {"account": dave.account, "token": "", "order": "A-1", "authority": "District Court"}
        # when an officer freezes the account
        await rig.settle(to, [signed(officer, "freeze", **order, expires_at=in_s(3600))])
    assert await refusals(rig, [rig.transfer(dave, rig.bob)]) == {0: "frozen"}
    async with coordinator(rig) as to:
        # and when it is lifted, and the account's key revoked
        await rig.settle(to, [signed(officer, "unfreeze", **order)])
        await rig.settle(to, [rig.transfer(dave, rig.bob)])
        revoke = {"account": dave.account, "public_key": public_text(dave.key), "action": "revoke"}
        await rig.settle(to, [signed(dave.key, "rotate_key", **revoke, expires_at=in_s(86_400))])
    assert await refusals(rig, [rig.transfer(dave, rig.bob)]) == {0: "key_revoked"}
    # and a fund out of its order
    fund = {"token": "TXD", "amount": "5", "evidence": "ef" * 32}
    assert await refusals(rig, [signed(rig.desks["custodian"], "fund", sequence=7, **fund)]) == {0: "bad_sequence"}


async def test_a_seizure_takes_a_freeze_and_two_officers(rig):
    erin = Person.new("erin")
    async with coordinator(rig) as to:
        await rig.settle(to, [rig.register(erin)])
        await rig.settle(to, [rig.identify(erin)])
        await rig.settle(to, [rig.transfer(rig.alice, erin, 5000)])
    officer, approver = rig.desks["compliance_officer"], rig.desks["approver"]
    order = {"account": erin.account, "token": "TXD", "order": "S-1", "authority": "District Court"}
    seize = {**order, "amount": "3000", "to": rig.bob.account}
    # given no freeze yet, then no seizure
    assert await refusals(rig, [approved(officer, approver, "seize", **seize)]) == {0: "not_frozen"}
    async with coordinator(rig) as to:
        await rig.settle(to, [signed(officer, "freeze", **order, expires_at=in_s(3600))])
    # given the freeze, then only with the approver's word, by the officer, to who may hold the token
    found = await refusals(
        rig,
        [
            signed(officer, "seize", **seize),
            approved(officer, officer, "seize", **seize),
            approved(officer, rig.first, "seize", **seize),
            approved(rig.first, approver, "seize", **seize),
            approved(officer, approver, "seize", **{**seize, "to": rig.carol.account}),
        ],
    )
    assert found == {0: "approval_missing", 1: found[1], 2: "wrong_role", 3: "wrong_role", 4: "payee_not_eligible"}
    assert found[1] in ("same_officer", "wrong_role")
    # and then it moves, while the account itself still cannot
    async with coordinator(rig) as to:
        settled = await rig.settle(to, [approved(officer, approver, "seize", **seize)])
    assert settled.skipped == 0
    assert await refusals(rig, [rig.transfer(erin, rig.bob)]) == {0: "frozen"}


async def test_a_token_is_stopped_by_one_officer_and_goes_on_by_two(rig):
    officer, stop = rig.desks["compliance_officer"], {"token": "TXD", "reason": "INC-7"}
    async with coordinator(rig) as to:
        await rig.settle(to, [signed(officer, "pause", **stop)])
        assert (await rig.settle(to, [rig.transfer(rig.alice, rig.bob)])).skipped == 1
    assert await refusals(
        rig,
        [
            signed(rig.first, "resume", **stop),
            approved(officer, rig.first, "resume", **stop),
            approved(rig.first, rig.desks["approver"], "resume", **stop),
            signed(rig.desks["issuer"], "pause", **stop),
        ],
    ) == {0: "approval_missing", 1: "wrong_role", 2: "wrong_role", 3: "wrong_role"}
    async with coordinator(rig) as to:
        await rig.settle(to, [approved(rig.first, rig.second, "resume", **stop)])
        assert (await rig.settle(to, [rig.transfer(rig.alice, rig.bob)])).skipped == 0


async def test_an_issuer_mints_within_an_allowance_that_administrators_change(rig):
    issuer = public_text(rig.desks["issuer"])

    def allow(limit):
        fields = {"public_key": issuer, "token": "TXD", "limit": str(limit), "period_s": 86_400}
        return approved(rig.first, rig.second, "set_mint_allowance", **fields)

    async with coordinator(rig) as to:
        await rig.settle(to, [allow(100)])
    # given an allowance of 100, then a batch of 60 and 41 is one unit too much
    assert await refusals(rig, [rig.issue(rig.bob, 60), rig.issue(rig.bob, 41)]) == {1: "mint_allowance_spent"}
    async with coordinator(rig) as to:
        assert (await rig.settle(to, [rig.issue(rig.bob, 60), rig.issue(rig.bob, 40)])).skipped == 0
    assert await refusals(rig, [rig.issue(rig.bob, 1)]) == {0: "mint_allowance_spent"}
    # and the issuer cannot raise it
    fields = {"public_key": issuer, "token": "TXD", "limit": "9", "period_s": 86_400}
    assert await refusals(rig, [approved(rig.desks["issuer"], rig.second, "set_mint_allowance", **fields)]) == {
        0: "wrong_role"
    }
    async with coordinator(rig) as to:
        await rig.settle(to, [allow(1_000_000)])
        assert (await rig.settle(to, [rig.issue(rig.bob, 1)])).skipped == 0


async def test_what_is_wrong_with_the_batch_as_a_whole_is_named(rig):
    entries = [rig.transfer(rig.alice, rig.bob)]
    # Whoever signed the batches before knows the line by itself; the other one knows it from the chain.
    assert await batch_refused(rig, entries, number=rig.number - 1) in ("batch_number", "bad_line")
    assert await batch_refused(rig, entries, parent=GENESIS_HEAD) == "batch_number"
    assert await batch_refused(rig, entries, parent=b"\1" * 32) == "unknown_parent"
    assert await batch_refused(rig, entries, nonce=rig.nonce - 1) == "batch_nonce"
    assert await batch_refused(rig, entries, nonce=rig.nonce + 1000) == "batch_nonce"
    assert await batch_refused(rig, entries, deadline_s=int(time.time()) - 5) == "batch_deadline"
    assert await batch_refused(rig, entries, deadline_s=int(time.time()) + 86_400) == "batch_deadline"
    # and a transaction for another chain or contract is one that the signers did not rebuild
    assert await batch_refused(rig, entries, chain_id=1) == "hash_mismatch"
    assert await batch_refused(rig, entries, settlement="0x" + "22" * 20) == "hash_mismatch"


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_signer_whose_clock_is_an_hour_off_signs_nothing(rig, tmp_path, hours):
    # given a location's judgement with a wrong clock
    store = Store(tmp_path / "signer.db")
    validator = Validator(load_signer_config(rig.folder(1)), store, now_s=lambda: time.time() + hours * 3600)
    async with coordinator(rig) as to:
        sender = bytes.fromhex(to.address()[2:])
    proposal, _ = rig.propose([rig.transfer(rig.alice, rig.bob)])
    # when a good batch is judged
    # then it is refused as a whole
    with pytest.raises(BatchWrong) as caught:
        await validator.build(proposal, sender, lambda number: False)
    assert caught.value.code == "clock_skew"
    await validator.close()
    # while with the right clock it stands, and with another key's address the contracts are not ours
    validator = Validator(load_signer_config(rig.folder(1)), store)
    assert (await validator.build(proposal, sender, lambda number: False)).transaction.nonce == rig.nonce
    await validator.close()
    validator = Validator(load_signer_config(rig.folder(1)), store)
    with pytest.raises(SdtError, match="another chain key"):
        await validator.build(proposal, bytes(20), lambda number: False)
    await validator.close()
    store.close()


async def test_kinds_never_mix_in_a_batch(rig):
    with pytest.raises(AssertionError):
        rig.propose([rig.transfer(rig.alice, rig.bob), rig.identify(rig.bob)])
    proposal, made = rig.propose([rig.transfer(rig.alice, rig.bob)])
    mixed = type(proposal)(
        **{
            **{f: getattr(proposal, f) for f in proposal.__struct_fields__},
            "entries": (*proposal.entries, rig.identify(rig.bob)),
        }
    )
    async with coordinator(rig) as to:
        outcome = await to.sign(mixed, made.transaction.signing_hash())
    assert [(r.position, r.code) for r in outcome.refusals] == [(1, "wrong_batch_kind")]
