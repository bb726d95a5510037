"""The bytes of a batch: calldata as an ABI encoder would write it, items there and back, heads, leaves and logs."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from sdt.domain.batch import (
    BATCH_SETTLED_TOPIC,
    GENESIS_HEAD,
    ITEM_SKIPPED_TOPIC,
    ITEMS_MAX,
    AdminItem,
    AdminKind,
    BatchSettled,
    ExchangeItem,
    GateSide,
    ItemSkipped,
    SkipReason,
    ValueItem,
    ValueKind,
    administer_calldata,
    exchange_calldata,
    exchange_gas_limit,
    leaf,
    next_head,
    pack_admin_items,
    pack_exchange_items,
    pack_value_items,
    read_calldata,
    settle_calldata,
    unpack_admin_items,
    unpack_exchange_items,
    unpack_value_items,
    value_gas_limit,
)
from sdt.domain.errors import Invalid
from sdt.domain.registry import Domain, KeyWord, Role, handle_hash, pack_key_word

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
PARENT, ROOT = b"\x11" * 32, b"\x22" * 32

accounts = st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex())
words = st.binary(min_size=32, max_size=32)
value_items = st.builds(
    ValueItem,
    st.sampled_from(ValueKind),
    accounts,
    accounts,
    st.integers(0, 2**96 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**16 - 1),
)
admin_items = st.builds(
    AdminItem,
    st.sampled_from(AdminKind),
    accounts,
    st.integers(0, 2**80 - 1),
    st.integers(0, 255),
    st.tuples(words, words, words),
)
exchange_items = st.builds(
    ExchangeItem,
    accounts,
    st.integers(0, 2**96 - 1),
    accounts,
    st.integers(0, 2**96 - 1),
    accounts,
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**16 - 1),
)


def swap() -> ExchangeItem:
    return ExchangeItem(ALICE, 200, BOB, 300, ALICE, 0, 1)


def transfer(amount: int = 12_000, fee: int = 5, token: int = 1) -> ValueItem:
    return ValueItem(ValueKind.TRANSFER, ALICE, BOB, amount, fee, token)


def test_a_value_item_lies_as_the_contract_reads_it() -> None:
    packed = pack_value_items([ValueItem(ValueKind.MINT, ALICE, BOB, 2**96 - 2, 2**64 - 3, 0x1234)])

    assert int.from_bytes(packed[:32], "big") == int(ALICE, 16) << 96 | 2**96 - 2
    assert int.from_bytes(packed[32:], "big") == int(BOB, 16) << 96 | (2**64 - 3) << 32 | 0x1234 << 16 | 1 << 8


def test_an_admin_item_lies_as_the_contract_reads_it() -> None:
    item = AdminItem(AdminKind.ATTEST, ALICE, 2**80 - 2, 7, (b"\1" * 32, b"\2" * 32, b"\3" * 32))

    packed = pack_admin_items([item])

    assert int.from_bytes(packed[:32], "big") == int(ALICE, 16) << 96 | (2**80 - 2) << 16 | 7 << 8 | 7
    assert packed[32:] == b"\1" * 32 + b"\2" * 32 + b"\3" * 32


@given(st.lists(value_items, max_size=9))
def test_value_items_come_back_as_they_went(items: list[ValueItem]) -> None:
    assert unpack_value_items(pack_value_items(items)) == items


@given(st.lists(admin_items, max_size=9))
def test_admin_items_come_back_as_they_went(items: list[AdminItem]) -> None:
    assert unpack_admin_items(pack_admin_items(items)) == items


@pytest.mark.parametrize(
    ("make", "pack", "signature"),
    [
        (settle_calldata, pack_value_items, "settle"),
        (administer_calldata, pack_admin_items, "administer"),
        (exchange_calldata, pack_exchange_items, "exchange"),
    ],
)
@pytest.mark.parametrize("count", [1, 2, ITEMS_MAX])
def test_calldata_is_what_an_abi_encoder_writes(make, pack, signature: str, count: int) -> None:  # type: ignore[no-untyped-def]
    types = ["uint256", "bytes32", "bytes32", "uint256", "bytes"]
    items = [{"settle": transfer(), "administer": AdminItem.pause(1, True), "exchange": swap()}[signature]] * count

    calldata = make(7, PARENT, ROOT, 1_900_000_000, items)

    encoded = encode(types, [7, PARENT, ROOT, 1_900_000_000, pack(items)])
    assert calldata == keccak(f"{signature}({','.join(types)})".encode())[:4] + encoded
    call = read_calldata(calldata)
    kinds = {"settle": "value", "administer": "admin", "exchange": "exchange"}
    assert (call.kind, call.number) == (kinds[signature], 7)
    assert (call.parent, call.root, call.deadline_s) == (PARENT, ROOT, 1_900_000_000)
    assert call.packed == pack(items)


@pytest.mark.parametrize("cut", [0, 3, 4, 100, 195, 259])
def test_calldata_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(Invalid):
        read_calldata(settle_calldata(1, PARENT, ROOT, 1, [transfer()])[:cut])


def test_calldata_of_another_function_or_with_something_added_is_refused() -> None:
    calldata = settle_calldata(1, PARENT, ROOT, 1, [transfer()])

    for other in (b"\0" + calldata[1:], calldata + bytes(32)):
        with pytest.raises(Invalid):
            read_calldata(other)


@pytest.mark.parametrize(
    "field",
    [
        {"payer": ALICE[:-1]},
        {"payer": ALICE[:-1] + "\n"},
        {"payee": ALICE.upper()},
        {"payee": "0x" + "é" * 40},
        {"payee": " " * 42},
        {"amount": -1},
        {"amount": 2**96},
        {"fee": 2**64},
        {"token": 2**16},
    ],
)
def test_an_item_that_does_not_fit_is_refused(field: dict[str, object]) -> None:
    good = {"kind": ValueKind.TRANSFER, "payer": ALICE, "payee": BOB, "amount": 1, "fee": 0, "token": 0}

    with pytest.raises(Invalid):
        ValueItem(**{**good, **field})  # type: ignore[arg-type]


@pytest.mark.parametrize("packed", [bytes(63), bytes(62) + b"\3\0", bytes(63) + b"\1", bytes(64 * 501)])
def test_packed_items_that_nobody_packed_are_refused(packed: bytes) -> None:
    with pytest.raises(Invalid):
        unpack_value_items(packed)


@pytest.mark.parametrize("packed", [bytes(127), bytes(128), bytes(31) + b"\x0e" + bytes(96)])
def test_packed_admin_items_that_nobody_packed_are_refused(packed: bytes) -> None:
    with pytest.raises(Invalid):
        unpack_admin_items(packed)


def test_an_exchange_item_lies_as_the_contract_reads_it() -> None:
    packed = pack_exchange_items([ExchangeItem(ALICE, 2**96 - 2, BOB, 2**96 - 3, "0x" + "0c" * 20, 0x1234, 0x5678)])

    words = [int.from_bytes(packed[at : at + 32], "big") for at in (0, 32, 64)]
    assert words == [
        int(ALICE, 16) << 96 | 2**96 - 2,
        int(BOB, 16) << 96 | 2**96 - 3,
        int("0c" * 20, 16) << 96 | 0x1234 << 80 | 0x5678 << 64,
    ]


@given(st.lists(exchange_items, max_size=9))
def test_exchange_items_come_back_as_they_went(items: list[ExchangeItem]) -> None:
    assert unpack_exchange_items(pack_exchange_items(items)) == items


@pytest.mark.parametrize("packed", [bytes(95), bytes(97), bytes(95) + b"\1", bytes(88) + b"\1" * 8, bytes(96 * 501)])
def test_packed_exchange_items_that_nobody_packed_are_refused(packed: bytes) -> None:
    with pytest.raises(Invalid):
        unpack_exchange_items(packed)


@pytest.mark.parametrize(
    "field",
    [
        {"payer": ALICE.upper()},
        {"payee": BOB[:-1]},
        {"peer": ""},
        {"sold": 2**96},
        {"bought": -1},
        {"sells": 2**16},
        {"buys": -1},
    ],
)
def test_an_exchange_that_does_not_fit_is_refused(field: dict[str, object]) -> None:
    good = {"payer": ALICE, "sold": 1, "payee": BOB, "bought": 1, "peer": ALICE, "sells": 0, "buys": 0}
    with pytest.raises(Invalid):
        ExchangeItem(**{**good, **field})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "field",
    [{"pool": "0x"}, {"daily_cap": 2**96}, {"bought": 2**128}, {"sold": -1}, {"expires_s": -1}, {"their_token": 2**16}],
)
def test_a_gate_that_does_not_fit_is_refused(field: dict[str, object]) -> None:
    good = {"their_token": 1, "pool": ALICE, "daily_cap": 5, "bought": 3, "sold": 2, "expires_s": 99}
    with pytest.raises(Invalid):
        AdminItem.gate(BOB, GateSide.PAYS, 1, **{**good, **field})  # type: ignore[arg-type]


def test_the_constructors_put_each_word_where_the_contract_looks() -> None:
    def number(value: int) -> bytes:
        return value.to_bytes(32, "big")

    key, zero = KeyWord(ALICE, Role.CLIENT, expires_s=99), bytes(32)

    assert AdminItem.register(ALICE, ROOT, key, "alice").words == (ROOT, pack_key_word(key), handle_hash("alice"))
    assert AdminItem.set_key(ROOT, key) == AdminItem(AdminKind.SET_KEY, ALICE, 0, 0, (ROOT, pack_key_word(key), zero))
    identity = AdminItem.identity(ALICE, Domain.CASH, 3, True, 99, ROOT)
    assert (identity.param, identity.words) == (2 << 16 | 3 << 8 | 1, (number(99), ROOT, zero))
    assert AdminItem.freeze(ALICE, 255, ROOT, 99).words == (ROOT, number(99), zero)
    assert AdminItem.unfreeze(ALICE, 255, ROOT).words == (ROOT, zero, zero)
    assert AdminItem.set_rules(ROOT, 99).words == (ROOT, number(99), zero)
    assert AdminItem.attest(1, 5, 6, 7, 8).words == (number(5), number(6 << 128 | 7), number(8))
    assert AdminItem.fund(1, 5, 6, ROOT).words == (number(5), number(6), ROOT)
    assert AdminItem.release(1, 5, 6, ROOT).words == (number(5), number(6), ROOT)
    assert AdminItem.pause(1, True).words == (number(1), zero, zero)
    assert AdminItem.seize(ALICE, 1, ROOT, BOB, 7).words == (ROOT, number(int(BOB, 16)), number(7))
    assert AdminItem.mint_allowance(ALICE, 1, 5, 6).words == (number(5), number(6), zero)
    gate = AdminItem.gate(BOB, GateSide.PAYS, 1, 4, pool=ALICE, daily_cap=5, bought=3, sold=2, expires_s=99)
    assert (gate.account, gate.param, gate.token) == (BOB, 2 << 16 | 4, 1)
    assert gate.words == (number(int(ALICE, 16) << 96 | 5), number(3 << 128 | 2), number(99))


def test_a_leaf_binds_place_id_and_message() -> None:
    assert leaf(258, b"\xaa" * 16, b"\xbb" * 32) == b"\1\2" + b"\xaa" * 16 + b"\xbb" * 32


def test_the_head_chains_number_and_root() -> None:
    first = next_head(GENESIS_HEAD, 1, ROOT)

    assert first == keccak(bytes(32) + (1).to_bytes(32, "big") + ROOT)
    assert len({first, next_head(GENESIS_HEAD, 2, ROOT), next_head(first, 1, ROOT), next_head(first, 2, PARENT)}) == 4


class TestLogs:
    """What the chain reports of a batch."""

    NUMBER = (7).to_bytes(32, "big")

    def test_a_settled_batch_is_read_as_bytes_or_hex(self) -> None:
        data = encode(["bytes32", "bytes32", "uint256", "uint256[2]"], [ROOT, PARENT, 500, [1 << 3, 1 << 1]])
        topics = [BATCH_SETTLED_TOPIC, self.NUMBER]

        settled = BatchSettled.from_log(topics, data)

        assert settled == BatchSettled(7, ROOT, PARENT, 500, 1 << 3 | 1 << 257)
        assert [p for p in range(500) if not settled.settled(p)] == [3, 257]
        assert BatchSettled.from_log(["0x" + t.hex() for t in topics], "0x" + data.hex()) == settled

    def test_a_skipped_item_is_read(self) -> None:
        data = encode(["uint256", "uint256"], [499, 6])

        assert ItemSkipped.from_log([ITEM_SKIPPED_TOPIC, self.NUMBER], data) == ItemSkipped(
            7, 499, SkipReason.OVER_RESERVE
        )

    @pytest.mark.parametrize(
        ("topics", "data"),
        [
            ([], b""),
            ([ITEM_SKIPPED_TOPIC], bytes(64)),
            ([BATCH_SETTLED_TOPIC, NUMBER], bytes(64)),
            ([ITEM_SKIPPED_TOPIC, NUMBER], bytes(63)),
            ([ITEM_SKIPPED_TOPIC, NUMBER], bytes(64)),  # reason 0
            ([ITEM_SKIPPED_TOPIC, NUMBER], bytes(63) + b"\x63"),
            (["0xzz", "0x00"], "0x"),
        ],
    )
    def test_any_other_log_is_refused(self, topics: list[bytes | str], data: bytes | str) -> None:
        with pytest.raises(Invalid):
            ItemSkipped.from_log(topics, data)


def test_every_reason_has_a_code_and_a_sentence() -> None:
    assert [int(reason) for reason in SkipReason] == list(range(1, 20))
    for reason in SkipReason:
        assert reason.code == reason.name.lower()
        assert reason.sentence[0].isupper()
        assert reason.sentence.endswith(".")


def test_gas_grows_with_items_fees_tokens_and_mints() -> None:
    plain = value_gas_limit([transfer(fee=0)] * 100)
    mint = ValueItem(ValueKind.MINT, ALICE, BOB, 1, 0, 1)

    assert plain < value_gas_limit([transfer(fee=0)] * 101)
    assert plain < value_gas_limit([transfer()] * 100)
    assert plain < value_gas_limit([transfer(fee=0)] * 99 + [transfer(fee=0, token=2)])
    assert plain < value_gas_limit([transfer(fee=0)] * 99 + [mint])


def test_an_exchange_asks_for_all_that_each_item_is_granted() -> None:
    assert exchange_gas_limit([swap()] * 3) - exchange_gas_limit([swap()] * 2) >= 250_000
