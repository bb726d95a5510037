"""Real blocks of a GoQuorum QBFT network: every one verifies, and none with any bit changed."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from sdt.domain import qbft
from sdt.domain.chain_tx import CURVE_ORDER
from sdt.domain.errors import Invalid
from sdt.domain.qbft import Header, NotSealed, quorum_of, verify_header
from sdt.domain.receipt_seal import check_has_seals

FLIPS = 1000


@pytest.fixture(scope="module")
def chain(sdt_data):
    """Return each block after genesis with the validators in force before it."""
    blocks = json.loads((sdt_data / "qbft" / "blocks.json").read_text())["blocks"]
    sets = [frozenset(bytes.fromhex(address[2:]) for address in block["validators_after"]) for block in blocks]
    shown = [block.get("block", block) for block in blocks]
    return list(zip(shown[1:], sets, strict=False))


def test_every_block_is_sealed_by_its_validators(chain):
    assert len(chain) == 24
    rounds = set()
    for block, validators in chain:
        header = Header.from_rpc(block)
        verify_header(header, validators)
        assert header.hash().hex() == block["hash"][2:] and header.number == int(block["number"], 16)
        rounds.add(header.extra.round)
    # then among them are blocks of later rounds, and a fifth validator came in
    assert {0, 1, 16} <= rounds
    assert {len(validators) for _, validators in chain} == {4, 5}


def test_every_block_is_the_same_encoded_as_a_receipt_carries_it(chain):
    for block, validators in chain:
        header = Header.from_rpc(block)
        again = Header.from_rlp(header.encode(), header.stated_hash)
        assert again == header
        verify_header(again, validators)


def test_every_block_has_the_seals_that_a_receipt_needs(chain):
    # given each real block, also those around the votes
    for block, _ in chain:
        header = Header.from_rpc(block)
        check_has_seals(header)
        # when a node leaves the seals out, which the block's hash does not show, then it is noticed
        bare = header.extra.encode(round_=header.extra.round)
        stripped = Header.from_rpc({**block, "extraData": "0x" + bare.hex()})
        assert stripped.hash() == header.hash()
        with pytest.raises(NotSealed):
            check_has_seals(stripped)


@pytest.mark.parametrize("kind", [b"\xff", b"\0", b""], ids=["in", "out as a byte", "out as a number"])
def test_a_vote_about_a_validator_is_read_and_written_back_as_it_stands(chain, kind):
    extra = Header.from_rpc(chain[0][0]).extra
    voting = replace(extra, vote=(bytes(20), kind))
    assert qbft.Extra.decode(voting.encode(round_=0, seals=extra.seals)) == replace(voting, round=0)
    with pytest.raises(Invalid):
        qbft.Extra.decode(replace(extra, vote=(bytes(20), b"\1")).encode(round_=0, seals=extra.seals))


def test_no_bit_of_an_encoded_header_can_change(chain):
    block, validators = chain[0]
    header = Header.from_rpc(block)
    encoded = header.encode()
    for at in range(8 * len(encoded)):
        changed = bytearray(encoded)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises((NotSealed, Invalid)):
            verify_header(Header.from_rlp(bytes(changed), header.stated_hash), validators)


def test_no_block_verifies_with_any_bit_changed(chain):
    chance = random.Random(0)
    fields = [name for name, _ in qbft._FIELDS] + ["hash"]
    for _ in range(FLIPS):
        block, validators = chance.choice(chain)
        name = chance.choice([*fields, *["extraData"] * 15])
        digits = block[name][2:]
        raw = bytearray(bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2)))
        at = chance.randrange(8 * len(raw))
        raw[at // 8] ^= 1 << at % 8
        changed = raw.hex() if len(digits) % 2 == 0 and name != "difficulty" else raw.hex().lstrip("0") or "0"
        with pytest.raises((NotSealed, Invalid)):
            verify_header(Header.from_rpc({**block, name: "0x" + changed}), validators)


def test_every_bit_of_one_blocks_extra_data_counts(chain):
    block, validators = chain[13]
    raw = bytes.fromhex(block["extraData"][2:])
    for at in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises((NotSealed, Invalid)):
            verify_header(Header.from_rpc({**block, "extraData": "0x" + changed.hex()}), validators)


def test_too_few_seals_a_seal_twice_and_a_strangers_are_refused(chain):
    block, validators = chain[13]
    header = Header.from_rpc(block)
    seals = header.extra.seals
    need = quorum_of(len(validators))

    def sealed_by(chosen):
        extra = replace(header.extra, seals=tuple(chosen)).encode(round_=header.extra.round, seals=tuple(chosen))
        return Header.from_rpc({**block, "extraData": "0x" + extra.hex()})

    verify_header(sealed_by(seals[:need]), validators)
    for chosen in (seals[: need - 1], (*seals[: need - 1], seals[0]), ()):
        with pytest.raises(NotSealed):
            verify_header(sealed_by(chosen), validators)
    # nor do true seals of others than those who are trusted count
    with pytest.raises(NotSealed):
        verify_header(header, validators - {header.sealers()[0]})
    # nor the other form of a seal, which anybody can make of the one
    r, s, v = seals[0][:32], int.from_bytes(seals[0][32:64], "big"), seals[0][64]
    twin = r + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([v ^ 1])
    with pytest.raises(NotSealed):
        verify_header(sealed_by((twin, *seals[1:])), validators)


@pytest.mark.parametrize(("validators", "quorum"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (100, 67)])
def test_a_quorum_is_two_thirds_rounded_up(validators, quorum):
    assert quorum_of(validators) == quorum
