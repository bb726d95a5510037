"""Blocks as a node shows them become the bytes that their roots cover, whatever form their transactions have."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account

from sdt.adapters.chain.whole_block import WholeBlock
from sdt.domain import rlp

KEY = "0x" + "46" * 32
TO = "0x" + "11" * 20
ACCESS = [{"address": "0x" + "22" * 20, "storageKeys": ["0x" + "33" * 32, "0x" + "00" * 32]}]
COMMON: dict[str, Any] = {"nonce": 0, "gas": 90_000, "to": TO, "value": 7, "data": b"\0\1", "chainId": 1337}
FORMS: dict[int, dict[str, Any]] = {
    0: COMMON | {"gasPrice": 0},
    1: COMMON | {"gasPrice": 5, "type": 1, "accessList": ACCESS},
    2: COMMON | {"maxFeePerGas": 9, "maxPriorityFeePerGas": 1, "type": 2, "accessList": ACCESS},
}


def shown(kind: int, fields: dict[str, Any], signed: Any) -> dict[str, Any]:
    """Return a transaction as a node shows it."""
    found = {name: hex(value) for name, value in fields.items() if isinstance(value, int)}
    found |= {"to": fields.get("to"), "input": "0x" + fields["data"].hex(), "hash": "0x" + signed.hash.hex()}
    found |= {"type": hex(kind), "v": hex(signed.v), "r": hex(signed.r), "s": hex(signed.s)}
    return found | ({"accessList": fields["accessList"]} if kind else {})


def header(transactions: list[dict[str, Any]]) -> dict[str, Any]:
    sizes = {"parentHash": 32, "sha3Uncles": 32, "miner": 20, "stateRoot": 32, "transactionsRoot": 32}
    sizes |= {"receiptsRoot": 32, "logsBloom": 256, "mixHash": 32, "nonce": 8, "hash": 32, "extraData": 9}
    numbers = dict.fromkeys(("difficulty", "number", "gasLimit", "gasUsed", "timestamp"), "0x1")
    return {name: "0x" + "ab" * size for name, size in sizes.items()} | numbers | {"transactions": transactions}


def outcome(kind: int, logs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "status": "0x1", "cumulativeGasUsed": "0x5208", "logsBloom": "0x" + "00" * 256, "logs": logs, "type": hex(kind),
    }  # fmt: skip


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("creates", [False, True])
def test_a_transaction_of_each_form_has_the_bytes_that_were_signed(kind: int, creates: bool) -> None:
    fields = dict(FORMS[kind])
    if creates:
        del fields["to"]
    signed = Account.sign_transaction(fields, KEY)
    fields = {name: value for name, value in fields.items() if name != "type"}
    log = {"address": TO, "topics": ["0x" + "01" * 32], "data": "0x0203"}
    found = WholeBlock.read({"block": header([shown(kind, fields, signed)]), "receipts": [outcome(kind, [log])]})
    assert found.transactions == (bytes(signed.raw_transaction),)
    # then an outcome begins with the form's number, as EIP-2718 has it
    logs = [[b"\x11" * 20, [b"\1" * 32], b"\2\3"]]
    plain = rlp.encode([1, 21_000, bytes(256), logs])
    assert found.receipts == ((bytes([kind]) if kind else b"") + plain,)


@pytest.mark.parametrize(
    "changes",
    [{"type": "0x7f"}, {"v": "27"}, {"to": "0x11"}, {"input": "00"}, {"nonce": None}, {"gas": "0x"}, {"r": "-0x1"}],
)
def test_what_a_node_makes_up_is_refused(changes: dict[str, Any]) -> None:
    signed = Account.sign_transaction(FORMS[0], KEY)
    wrong = shown(0, FORMS[0], signed) | changes
    with pytest.raises((ValueError, TypeError, AttributeError)):
        WholeBlock.read({"block": header([wrong]), "receipts": [outcome(0, [])]})
