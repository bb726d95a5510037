"""A receipt verifies as it is, and nothing else does: no changed bit, no other field, region or seals."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

import receipt_rig as rig
from domain_messages import ALICE, BOB, an_id, envelope_claims, sealed, transfer_claims
from receipt_rig import CLIENT, VALIDATORS, ChainKey, Made, block, by_signer, by_validators, transfers, trust
from sdt.domain import rlp
from sdt.domain.batch import GENESIS_HEAD, SkipReason, ValueItem, ValueKind, administer_calldata, settle_calldata
from sdt.domain.chain_tx import CURVE_ORDER, ChainTransaction
from sdt.domain.errors import Invalid, SdtError
from sdt.domain.mpt import IndexTrie
from sdt.domain.qbft import NotSealed
from sdt.domain.receipt import RECEIPT_BYTES_MAX, Block, Proof, Receipt, encode_receipt, read_receipt
from sdt.domain.receipt_check import ReceiptRefused, Verified, verify
from sdt.domain.receipt_seal import check_has_seals
from sdt.domain.receipt_trust import KnownBlock, Signers, Trust, Validators

FLIPS = 1000
SKIPS = {3: SkipReason.INSUFFICIENT_FUNDS, 5: SkipReason.PAYEE_FROZEN}
OF_QBFT = Validators(frozenset(key.raw_address for key in VALIDATORS))
OF_CLIQUE = Signers(frozenset(key.raw_address for key in VALIDATORS))


def file_of(receipt: Receipt, trusted: Trust) -> Verified:
    """Write a receipt, read it and verify it."""
    return verify(read_receipt(encode_receipt(receipt)), trusted)


def refusal(data: bytes, trusted: Trust) -> SdtError:
    """Return why a file is refused; anything but a typed refusal is a bug, and so is none."""
    with pytest.raises((Invalid, ReceiptRefused)) as caught:
        verify(read_receipt(data), trusted)
    return caught.value


@pytest.fixture(scope="module")
def made() -> Made:
    """Seven transfers, two of them skipped."""
    return block(transfers(7), skipped=SKIPS)


def known(made: Made) -> Trust:
    return trust(anchor=KnownBlock(made.header.stated_hash))


# --- what holds ---


def test_a_settled_payment_is_proven_step_by_step(made: Made) -> None:
    found = file_of(by_validators(made).receipt(2), trust(anchor=OF_QBFT))
    # then it says what became of which message, where
    assert (found.outcome, found.sealed, found.batch_number, found.position) == ("settled", "validators", 7, 2)
    assert found.signed.message.transaction_id == an_id(3)
    assert (found.signed.message.payer, found.signed.message.amount) == (ALICE, "103")
    assert found.chain_transaction == keccak(made.transactions[2])
    # and each step says what it proved
    assert len(found.steps) == 9
    assert "3 of 4 trusted validators sealed it, in round 1" in found.steps[-1].proved
    assert f"{ALICE} pays {BOB} (bob.tx) 103" in found.steps[0].proved
    # and what it does not prove is told: the key's owner, and the memo
    assert [text.split(":")[0] for text in found.unproven] == ["Whose key it is", "The memo's words"]


@pytest.mark.parametrize("position", range(7))
def test_every_message_of_a_batch_has_its_outcome(made: Made, position: int) -> None:
    outcome = SKIPS[position].code if position in SKIPS else "settled"
    found = file_of(made.receipt(position), known(made))
    assert found.outcome == outcome
    if position in SKIPS:
        assert SKIPS[position].sentence in found.steps[7].proved


@pytest.mark.parametrize("size", [1, 2, 3, 64, 257, 500])
def test_batches_of_all_sizes_are_proven_at_their_ends(size: int) -> None:
    last = size - 1
    made = block(transfers(size), skipped={last: SkipReason.PAUSED}, before=130 if size == 3 else 0)
    assert file_of(made.receipt(last), known(made)).outcome == "paused"
    if last:
        assert file_of(made.receipt(0), known(made)).outcome == "settled"


def test_an_administrative_batch_is_proven_item_by_item() -> None:
    # given a registration, a freeze of one token and one of all
    made = block([rig.registration(1), rig.freeze(2, "TXG"), rig.freeze(3, "")], skipped={0: SkipReason.ALREADY_EXISTS})
    found = file_of(made.receipt(0, SigningKey(b"\1" * 32)), known(made))
    assert (found.outcome, found.signed.type) == ("already_exists", "register")
    for position in (1, 2):
        found = file_of(made.receipt(position), known(made))
        assert found.outcome == "settled"
        assert "freeze item with exactly what the message asks for" in found.steps[4].proved


def grant(seed: int, token: str) -> bytes:
    claims = envelope_claims("grant_role", seed) | {
        "public_key": rig.key_text(SigningKey(b"g" * 32)), "role": "issuer", "token": token, "action": "grant",
        "expires_at": "2027-01-01T00:00:00Z",
    }  # fmt: skip
    return sealed("grant_role", claims, CLIENT)


def reserve(seed: int) -> bytes:
    claims = envelope_claims("attest_reserve", seed) | {
        "token": "TXG", "reserve": "5", "holdings": "00" * 32, "as_of": "2026-11-01T00:00:00Z",
        "valid_until": "2026-12-01T00:00:00Z", "sequence": 3,
    }  # fmt: skip
    return sealed("attest_reserve", claims, CLIENT)


def acts(seed: int) -> list[bytes]:
    """A seizure, a stop of every token and its end, and an allowance."""
    stop = {"token": "", "reason": "INC-7"}
    key = rig.key_text(SigningKey(b"g" * 32))
    claims: list[tuple[str, dict[str, Any]]] = [
        ("seize", {"account": ALICE, "token": "TXG", "amount": "7", "to": BOB, "order": "S-1", "authority": "Court"}),
        ("pause", stop),
        ("resume", stop),
        ("set_mint_allowance", {"public_key": key, "token": "TXG", "limit": "9", "period_s": 86_400}),
    ]
    return [sealed(kind, envelope_claims(kind, seed + n) | one, CLIENT) for n, (kind, one) in enumerate(claims)]


@pytest.mark.parametrize("tokens", [("TXD", "TXG"), None])
def test_every_administrative_item_is_compared_whether_or_not_the_tokens_are_known(tokens: Any) -> None:
    messages = [grant(1, "TXG"), grant(2, ""), reserve(3), rig.freeze(4, "TXG"), rig.freeze(5, ""), *acts(6)]
    made = block(messages)
    for position in range(len(messages)):
        assert file_of(made.receipt(position), replace(known(made), tokens=tokens)).outcome == "settled"


def test_an_item_about_every_token_is_not_one_about_one() -> None:
    # given a chain key in wrong hands that widens a grant and a freeze to every token
    for narrow, wide in ((grant(1, "TXG"), grant(1, "")), (rig.freeze(1, "TXG"), rig.freeze(1, ""))):
        made, other = block([narrow], before=0), block([wide], before=0)
        item = other.assembled.items[0]
        data = administer_calldata(7, GENESIS_HEAD, made.assembled.root, 1_795_430_060, [item])  # type: ignore[list-item]
        sent = rig.CHAIN_KEY.sign(ChainTransaction(rig.CHAIN_ID, 3, rig.SETTLEMENT, data, 10**6))
        forged = replace(made, transactions=[sent], header=rig.header_over([sent], made.receipts))
        for tokens in (("TXD", "TXG"), None):
            refused = refusal(encode_receipt(forged.receipt(0)), replace(known(forged), tokens=tokens))
            assert isinstance(refused, ReceiptRefused)
            assert refused.step.startswith("The item says")


def test_issue_and_redemption_are_items_too() -> None:
    issue = envelope_claims("issue", 1) | {
        "token": "TXD", "account": ALICE, "amount": "5", "deposit": an_id(9), "evidence": "ab" * 32,
    }  # fmt: skip
    redeem = envelope_claims("redeem", 2) | {
        "token": "TXG", "account": BOB, "amount": "7", "fee_max": "0", "destination": "bank:x",
        "expires_at": "2026-11-30T00:00:00Z",
    }  # fmt: skip
    made = block([sealed("issue", issue, CLIENT), sealed("redeem", redeem, CLIENT)])
    for position, kind in enumerate(("mint", "burn")):
        found = file_of(made.receipt(position), known(made))
        assert f"It is a {kind} of" in found.steps[4].proved
        assert any(text.startswith("What bank or depository did") for text in found.unproven)
    assert any(text.startswith("The second officer") for text in file_of(made.receipt(0), known(made)).unproven)


# --- who vouches for the block ---


def test_an_unsealed_block_is_said_to_be_one(made: Made) -> None:
    found = file_of(made.receipt(0), trust())
    assert found.sealed == "nothing"
    assert "UNSEALED" in found.steps[-1].proved
    assert any(text.startswith("That the block is in the chain") for text in found.unproven)


def test_another_block_than_the_known_one_is_refused(made: Made) -> None:
    assert refusal(encode_receipt(made.receipt(0)), trust(anchor=KnownBlock(bytes(32)))).step.startswith("Who vouches")


def test_too_few_validators_strangers_and_a_voted_set_are_refused_with_advice(made: Made) -> None:
    stranger = ChainKey("stranger")
    for sealers in (VALIDATORS[:2], (*VALIDATORS[:3], stranger), (*VALIDATORS[:2], VALIDATORS[0]), ()):
        refusal(encode_receipt(by_validators(made, sealers).receipt(0)), trust(anchor=OF_QBFT))
    # given a network that has voted a fifth in, and a reader who trusts the four of the genesis
    five = (*VALIDATORS, stranger)
    late = encode_receipt(by_validators(made, five[1:], five).receipt(0))
    refused = refusal(late, trust(anchor=OF_QBFT))
    # then it says what to do, and with those in force it verifies
    assert "name the validators in force at block 42" in refused.detail
    now = Validators(frozenset(key.raw_address for key in five))
    assert verify(read_receipt(late), trust(anchor=now)).sealed == "validators"
    # and where the trusted ones still suffice, the difference is told
    kept = encode_receipt(by_validators(made, VALIDATORS, five).receipt(0))
    assert any("have voted" in text for text in verify(read_receipt(kept), trust(anchor=OF_QBFT)).unproven)


def test_seals_that_a_node_left_out_or_made_up_are_noticed_before_a_receipt_leaves(made: Made) -> None:
    strangers = [ChainKey(f"made up {n}") for n in range(3)]
    for sealers, good in ((VALIDATORS, True), (VALIDATORS[:3], True), ((), False), (strangers, False)):
        header = by_validators(made, sealers).header
        if good:
            check_has_seals(header)
        else:
            with pytest.raises(NotSealed):
                check_has_seals(header)
    # a chain that is none of QBFT has no such seals
    check_has_seals(made.header)


def test_a_clique_block_is_one_signers_word_and_says_so(made: Made) -> None:
    good = by_signer(made)
    found = file_of(good.receipt(1), trust(anchor=OF_CLIQUE))
    assert found.sealed == "signer"
    assert "one signer's word" in found.steps[-1].proved
    assert any(text.startswith("That the block stayed") for text in found.unproven)
    # a checkpoint lists the signers between vanity and seal
    listed = bytes(32) + b"".join(key.raw_address for key in VALIDATORS)
    assert file_of(by_signer(made, vanity=listed).receipt(1), trust(anchor=OF_CLIQUE)).sealed == "signer"
    # a stranger's seal, none, and one in another form are refused
    for bad in (by_signer(made, ChainKey("stranger")), made, by_signer(made, vanity=bytes(33)), twin_of(good)):
        refusal(encode_receipt(bad.receipt(1)), trust(anchor=OF_CLIQUE))


def twin_of(made: Made) -> Made:
    """Return the block with the other form of its seal, which anybody can make."""
    extra = made.header.field("extraData")
    s = CURVE_ORDER - int.from_bytes(extra[-33:-1], "big")
    return replace(
        made, header=rig.with_extra(made.header, extra[:-33] + s.to_bytes(32, "big") + bytes([extra[-1] ^ 1]))
    )


def test_one_networks_seals_are_not_anothers(made: Made) -> None:
    refusal(encode_receipt(by_validators(made).receipt(0)), trust(anchor=OF_CLIQUE))
    refusal(encode_receipt(by_signer(made).receipt(0)), trust(anchor=OF_QBFT))
    refusal(encode_receipt(made.receipt(0)), trust(anchor=OF_QBFT))


# --- no other region ---


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"chain_id": 1338}, "The region's chain key"),
        ({"settlement": "0x" + "5f" * 20}, "The region's chain key"),
        ({"chain_key": ChainKey("another").address}, "The region's chain key"),
        ({"region": "US-OK"}, "The message is signed"),
        ({"tokens": ("TXG", "TXD")}, "The item says"),
        ({"tokens": ("TXX",)}, "The item says"),
    ],
)
def test_another_regions_receipt_is_refused(made: Made, changes: dict[str, Any], step: str) -> None:
    refused = refusal(encode_receipt(made.receipt(0)), replace(known(made), **changes))
    assert isinstance(refused, ReceiptRefused)
    assert refused.step.startswith(step)


def test_where_the_tokens_are_not_known_that_is_told(made: Made) -> None:
    found = file_of(made.receipt(0), replace(known(made), tokens=None))
    assert any(text.startswith("That the item's token is TXD") for text in found.unproven)


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": 1},
        {"settlement": "0x" + "5f" * 20},
        {"key": ChainKey("thief")},
        {"status": 0},
    ],
)
def test_a_batch_sent_elsewhere_by_another_or_refused_is_no_settlement(changes: dict[str, Any]) -> None:
    made = block(transfers(2), **changes)
    assert isinstance(refusal(encode_receipt(made.receipt(0)), known(made)), ReceiptRefused)


# --- no changed bit ---

SEALED = {
    "validators": (lambda made: by_validators(made, VALIDATORS), trust(anchor=OF_QBFT)),
    "signer": (by_signer, trust(anchor=OF_CLIQUE)),
    "nothing": (lambda made: made, trust()),
}


@pytest.mark.parametrize("sealed_by", SEALED)
def test_a_thousand_flipped_bits_are_refused_each(made: Made, sealed_by: str) -> None:
    seal, trusted = SEALED[sealed_by]
    chance = random.Random(sealed_by)
    files = [encode_receipt(seal(made).receipt(position)) for position in (0, 3)]
    for data in files:
        assert verify(read_receipt(data), trusted).sealed == sealed_by
    for _ in range(FLIPS):
        data = chance.choice(files)
        changed = bytearray(data)
        at = chance.randrange(8 * len(data))
        changed[at // 8] ^= 1 << at % 8
        refusal(bytes(changed), trusted)


def test_every_bit_of_a_small_receipt_counts() -> None:
    made = by_validators(block(transfers(1), before=0))
    data = encode_receipt(made.receipt(0))
    for at in range(0, 8 * len(data), 9):  # every byte, each bit of eight in turn
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        refusal(bytes(changed), trust(anchor=OF_QBFT))


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every member that is no object and no list, and to every list."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves_of(inner, (*path, name))
    elif isinstance(value, list):
        yield path
        for at, inner in enumerate(value):
            yield from leaves_of(inner, (*path, at))
    else:
        yield path


def others(value: Any) -> list[Any]:
    """Return what could stand there instead."""
    if isinstance(value, int):
        return [value + 1, value - 1, -1, 2**70, float(value), str(value), True, None]
    if isinstance(value, list):
        return [[], value[1:], value[:-1], [*value, "00" * 32], value[::-1] if len(value) > 1 else [1], None, {}]
    last = "1" if value[-1] == "0" else "0"
    return [
        value[:-1] + last,
        value + "00",
        value[2:],
        value.upper() + "A",
        "",
        "0x" + value,
        " " + value,
        7,
        None,
        [value],
    ]


def test_every_field_altered_missing_or_added_is_refused(made: Made) -> None:
    trusted = trust(anchor=OF_QBFT)
    data = encode_receipt(by_validators(made).receipt(3))
    document = json.loads(data)
    paths = list(leaves_of(document))
    assert len(paths) > 15
    for path in paths:
        whole = json.loads(data)
        inner = whole
        for name in path[:-1]:
            inner = inner[name]
        value = inner[path[-1]]
        for other in others(value):
            inner[path[-1]] = other
            refusal(msgspec.json.encode(whole), trusted)
        if isinstance(inner, dict):
            del inner[path[-1]]
            refusal(msgspec.json.encode(whole), trusted)
            refusal(msgspec.json.encode({**whole, "more": 1}), trusted)


def test_one_spelling_only(made: Made) -> None:
    data = encode_receipt(made.receipt(0))
    document = json.loads(data)
    reordered = dict(reversed(document.items()))
    escaped = data.replace(b'"sdt-receipt/1"', b'"sdt-receipt\\/1"')
    twice = b'{"format":"sdt-receipt/1",' + data[1:]
    for other in (
        *(data + b"\n", b" " + data, b"\xef\xbb\xbf" + data, data + b"{}", json.dumps(document).encode()),
        *(msgspec.json.encode(reordered), escaped, twice, data.decode().encode("utf-16")),
    ):
        assert other != data
        assert refusal(other, trust()).code == "receipt_malformed"


def test_a_cut_and_an_oversized_file_are_refused(made: Made) -> None:
    data = encode_receipt(made.receipt(0))
    for end in range(0, len(data), 7):
        assert refusal(data[:end], trust()).code == "receipt_malformed"
    assert refusal(data + b" " * RECEIPT_BYTES_MAX, trust()).code == "receipt_malformed"
    for deep in (b"[" * 100_000, b'{"format":' * 100_000, b'{"batch":' + b"[" * 100_000):
        assert refusal(deep, trust()).code == "receipt_malformed"


@given(
    st.one_of(
        st.binary(max_size=200), st.recursive(st.none() | st.text(), st.lists, max_leaves=5).map(msgspec.json.encode)
    )
)
def test_nonsense_is_refused(data: bytes) -> None:
    assert refusal(data, trust()).code == "receipt_malformed"


# --- no false tale from true parts ---


def test_parts_of_two_receipts_do_not_fit_together(made: Made) -> None:
    one = by_validators(made)
    another = by_validators(block(transfers(7), number=8, skipped=SKIPS), round_=2)
    second = another.receipt(4)
    first = one.receipt(4)
    for name in ("block", "proof"):
        refusal(encode_receipt(msgspec.structs.replace(first, **{name: getattr(second, name)})), trust(anchor=OF_QBFT))
    # nor do those of two messages of one batch
    other = one.receipt(2)
    for name in ("message", "batch"):
        refusal(encode_receipt(msgspec.structs.replace(first, **{name: getattr(other, name)})), trust(anchor=OF_QBFT))
    # nor the two ways of one proof
    proof = Proof(first.proof.index, first.proof.receipt, first.proof.transaction)
    refusal(encode_receipt(msgspec.structs.replace(first, proof=proof)), trust(anchor=OF_QBFT))


def test_a_skipped_item_is_not_settled_whatever_the_file_says(made: Made) -> None:
    sealed_block = by_validators(made)
    receipt = sealed_block.receipt(3)
    # given a skipped item, when the file says settled, or another reason
    for claim in ("settled", "payer_frozen"):
        refused = refusal(encode_receipt(msgspec.structs.replace(receipt, outcome=claim)), trust(anchor=OF_QBFT))
        assert isinstance(refused, ReceiptRefused)
        assert refused.step == "What became of the item"
        assert len(refused.passed) == 7
    # when somebody writes another answer of the chain into a block of his own, then no validator sealed that
    forged = block(transfers(7), skipped={5: SKIPS[5]})
    forged = replace(forged, header=rig.stated(replace_roots(sealed_block, forged)))
    assert forged.receipt(3).outcome == "settled"
    assert "seal" in refusal(encode_receipt(forged.receipt(3)), trust(anchor=OF_QBFT)).detail.lower()


def replace_roots(sealed_block: Made, other: Made) -> Any:
    values = list(sealed_block.header.values)
    values[4], values[5] = other.header.values[4], other.header.values[5]
    return replace(sealed_block.header, values=tuple(values))


def with_answer(made: Made, answer: bytes) -> Made:
    receipts = [*made.receipts[:-1], answer]
    return replace(made, receipts=receipts, header=rig.header_over(made.transactions, receipts))


def test_only_settlements_own_words_count(made: Made) -> None:
    logs = rlp.decode(made.receipts[-1])[3]  # type: ignore[index]
    closing, skips = logs[-1], logs[1:-1]

    def answered(*said: Any) -> Made:
        return with_answer(made, rlp.encode([1, 1, bytes(256), list(said)]))

    def by(address: str, entry: Any) -> Any:
        return [bytes.fromhex(address[2:]), *entry[1:]]

    # given words that are Settlement's, then another contract's are passed over
    good = answered(by(rig.TOKEN, closing), *skips, closing)
    assert file_of(good.receipt(0), known(good)).outcome == "settled"
    # but none, another contract's alone, two, a bitmap without reasons, and reasons without it are refused
    for bad in (
        answered(*skips),
        answered(*skips, by(rig.TOKEN, closing)),
        answered(*skips, closing, closing),
        answered(closing),
        answered(*skips, *skips, closing),
        answered(*skips[:1], closing),
        answered(*skips, rig.log(rig.SETTLEMENT, [rig.ITEM_SKIPPED_TOPIC, (7).to_bytes(32, "big")], 0, 1), closing),
        answered(*skips, rig.log(rig.SETTLEMENT, [rig.ITEM_SKIPPED_TOPIC, (7).to_bytes(32, "big")], 0, 99), closing),
    ):
        receipt = msgspec.structs.replace(made.receipt(0), block=block_of(bad), proof=proof_of(bad))
        refusal(encode_receipt(receipt), known(bad))


def block_of(made: Made) -> Any:
    return Block(made.header.stated_hash.hex(), made.header.encode().hex())


def proof_of(made: Made) -> Any:
    ways = [tuple(n.hex() for n in IndexTrie(v).prove(made.index)) for v in (made.transactions, made.receipts)]
    return Proof(made.index, *ways)


def test_an_item_that_says_something_else_than_the_message_is_refused() -> None:
    """What a chain key in wrong hands could do: a true root over other items."""
    messages = transfers(1)
    made = block(messages, before=0)
    good = ValueItem(ValueKind.TRANSFER, ALICE, BOB, 101, 0, 0)
    for item in (
        ValueItem(ValueKind.TRANSFER, ALICE, BOB, 102, 0, 0),
        ValueItem(ValueKind.TRANSFER, ALICE, "0x" + "cc" * 20, 101, 0, 0),
        ValueItem(ValueKind.TRANSFER, "0x" + "cc" * 20, BOB, 101, 0, 0),
        ValueItem(ValueKind.TRANSFER, ALICE, BOB, 101, 1, 0),
        ValueItem(ValueKind.TRANSFER, ALICE, BOB, 101, 0, 1),
        ValueItem(ValueKind.BURN, ALICE, BOB, 101, 0, 0),
    ):
        for chosen, holds in ((item, False), (good, True)):
            data = settle_calldata(7, GENESIS_HEAD, made.assembled.root, 1_795_430_060, [chosen])
            sent = rig.CHAIN_KEY.sign(ChainTransaction(rig.CHAIN_ID, 3, rig.SETTLEMENT, data, 10**6))
            other = replace(made, transactions=[sent], header=rig.header_over([sent], made.receipts))
            if holds:
                assert file_of(other.receipt(0), known(other)).outcome == "settled"
            else:
                refused = refusal(encode_receipt(other.receipt(0)), known(other))
                assert isinstance(refused, ReceiptRefused)
                assert refused.step.startswith("The item says")


def test_a_message_that_is_no_item_has_no_receipt_even_under_a_true_root() -> None:
    claims = envelope_claims("deposit", 1) | {
        "token": "TXD", "account": ALICE, "amount": "5", "source": "bank:x", "expires_at": "2026-11-30T00:00:00Z",
    }  # fmt: skip
    messages = [sealed("deposit", claims, CLIENT)]
    transfer = sealed("transfer", transfer_claims(transaction_id=an_id(1)), CLIENT)
    made = replace(block([transfer]), messages=messages)
    refusal(encode_receipt(made.receipt(0)), known(made))


def test_another_key_under_the_message_is_refused(made: Made) -> None:
    receipt = msgspec.structs.replace(made.receipt(0), public_key=bytes(SigningKey.generate().verify_key).hex())
    assert refusal(encode_receipt(receipt), known(made)).step == "The message is signed"


def test_a_block_after_the_deadline_is_refused(made: Made) -> None:
    values = list(made.header.values)
    values[11] = 1_795_430_061
    late = replace(made, header=rig.stated(replace(made.header, values=tuple(values))))
    assert "deadline" in refusal(encode_receipt(late.receipt(0)), known(late)).detail


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with a few changed, cut out or put in."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(changed))
        kind = chance.randrange(4)
        if kind == 0:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[at] = chance.randrange(256)
        elif kind == 2:
            del changed[at : at + chance.randrange(1, 40)]
        else:
            changed[at:at] = chance.randbytes(chance.randrange(1, 40))
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_whoever_makes_a_whole_chain_of_nonsense_gets_typed_refusals(made: Made, seed: int) -> None:
    """Behind true hashes every parser is reached: nobody sealed the block, so its maker chose all of it."""
    chance = random.Random(seed)
    reached = set()
    for _ in range(FLIPS // 4):
        transactions, receipts = [*made.transactions], [*made.receipts]
        where = chance.choice(("transaction", "receipt", "header"))
        if where == "transaction":
            transactions[-1] = mutated(transactions[-1], chance)
        elif where == "receipt":
            receipts[-1] = mutated(receipts[-1], chance)
        if min(len(transactions[-1]), len(receipts[-1])) < 32:
            continue
        header = rig.header_over(transactions, receipts).encode()
        if where == "header":
            header = mutated(header, chance)
        ways = [tuple(n.hex() for n in IndexTrie(v).prove(made.index)) for v in (transactions, receipts)]
        chosen = Block(keccak(header).hex(), header.hex())
        receipt = msgspec.structs.replace(made.receipt(3), block=chosen, proof=Proof(made.index, *ways))
        try:
            found = verify(read_receipt(encode_receipt(receipt)), trust())
        except (Invalid, ReceiptRefused) as error:
            reached.add(getattr(error, "step", "form"))
        else:
            # what nothing covers but seals, such as the gas used: and the outcome is still the true one
            assert (found.outcome, found.sealed) == ("insufficient_funds", "nothing")
    assert {step.split()[-1] for step in reached} >= {"named", "it", "out"}
