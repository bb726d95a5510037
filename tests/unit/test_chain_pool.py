"""The pool's order and bounds, and how parameters are read."""

from __future__ import annotations

import pytest

from chain_node import CHAIN_ID, Sender
from sdt.adapters.chain.embedded import parameters
from sdt.adapters.chain.embedded.errors import RpcError
from sdt.adapters.chain.embedded.pool import Pool
from sdt.adapters.chain.embedded.transaction import Transaction, decode_transaction


def signed(sender: Sender, nonce: int) -> Transaction:
    return decode_transaction(sender.signed("0x" + "22" * 20, nonce=nonce), CHAIN_ID)


class Nonces(dict[bytes, int]):
    def __missing__(self, key: bytes) -> int:
        return 0


def new_pool(nonces: Nonces) -> Pool:
    return Pool(nonce_of=nonces.__getitem__, balance_of=lambda _: 0, gas_limit=1_000_000)


def test_nonces_order_a_sender_and_arrival_orders_senders() -> None:
    pool = new_pool(Nonces())
    a, b = Sender(1), Sender(2)
    assert pool.add(signed(a, 1)) is False
    assert pool.add(signed(b, 0)) is True
    assert pool.add(signed(a, 0)) is True
    assert pool.add(signed(b, 2)) is False
    ready = [(t.sender.hex() == a.address[2:], t.nonce) for t in pool.ready()]
    assert ready == [(False, 0), (True, 0), (True, 1)]
    assert pool.counts() == (3, 1)
    assert pool.pending_nonce(bytes.fromhex(a.address[2:])) == 2


def test_what_a_block_included_or_refused_is_forgotten() -> None:
    nonces = Nonces()
    pool = new_pool(nonces)
    a, b = Sender(1), Sender(2)
    for transaction in (signed(a, 0), signed(a, 1), signed(b, 0)):
        pool.add(transaction)
    nonces[bytes.fromhex(a.address[2:])] = 1
    pool.settle([signed(b, 0)])
    assert [t.nonce for t in pool.ready()] == [1]
    assert pool.get(signed(a, 0).hash) is None and pool.get(signed(a, 1).hash) is not None


def test_the_pool_is_bounded() -> None:
    pool = new_pool(Nonces())
    sender = Sender(1)
    template = signed(sender, 0)
    for n in range(2_048):
        pool.add(template.copy(nonce=n, hash=n.to_bytes(32, "big")))
    with pytest.raises(RpcError, match="txpool is full"):
        pool.add(template.copy(nonce=2_048, hash=b"x"))


@pytest.mark.parametrize("value", [None, 5, "", "12", "0x1", "0x0g", "0x 1", "0x12 ", "0X12", "0x" + "11" * 19, "0x١١"])
def test_what_is_no_address(value: object) -> None:
    with pytest.raises(RpcError) as refused:
        parameters.address(value)
    assert refused.value.code == -32602


@pytest.mark.parametrize("value", [None, 5, "", "1", "0x", "latest", "0xg", "0x-1", "0x_1", "0x1_0", "0x" + "1" * 65])
def test_what_is_no_quantity(value: object) -> None:
    with pytest.raises(RpcError) as refused:
        parameters.number(value)
    assert refused.value.code == -32602
