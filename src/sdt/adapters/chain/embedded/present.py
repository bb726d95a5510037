"""How blocks, chain transactions, receipts and logs look in JSON. Source: Ethereum execution APIs; geth 1.10."""

from __future__ import annotations

from collections.abc import Sequence

from sdt.adapters.chain.embedded.chain import Head
from sdt.adapters.chain.embedded.header import DIFFICULTY, EXTRA_DATA, MIX_HASH, NO_UNCLES, NONCE
from sdt.adapters.chain.embedded.store import Log, Receipt
from sdt.adapters.chain.embedded.transaction import Transaction

__all__ = ["block_object", "data", "log_object", "quantity", "receipt_object", "transaction_object", "word"]

Json = dict[str, object]


def quantity(value: int) -> str:
    return hex(value)


def data(value: bytes) -> str:
    return "0x" + value.hex()


def word(value: int) -> str:
    return f"0x{value:064x}"


def block_object(head: Head, transactions: Sequence[object], size: int) -> Json:
    header = head.header
    return {
        "number": quantity(header.number),
        "hash": data(head.hash),
        "parentHash": data(header.parent),
        "nonce": data(NONCE),
        "mixHash": data(MIX_HASH),
        "sha3Uncles": data(NO_UNCLES),
        "logsBloom": data(header.bloom),
        "transactionsRoot": data(header.transactions_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipts_root),
        "miner": data(bytes(20)),
        "difficulty": quantity(DIFFICULTY),
        "totalDifficulty": quantity(DIFFICULTY * header.number),
        "extraData": data(EXTRA_DATA),
        "size": quantity(size),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "transactions": transactions,
        "uncles": [],
    }


def transaction_object(transaction: Transaction, head: Head | None, position: int) -> Json:
    """Return a chain transaction, mined when `head` is its block, else pending."""
    found: Json = {
        "hash": data(transaction.hash),
        "nonce": quantity(transaction.nonce),
        "blockHash": data(head.hash) if head else None,
        "blockNumber": quantity(head.header.number) if head else None,
        "transactionIndex": quantity(position) if head else None,
        "from": data(transaction.sender),
        "to": data(transaction.to) if transaction.to else None,
        "value": quantity(transaction.value),
        "gas": quantity(transaction.gas),
        "gasPrice": quantity(transaction.gas_price),
        "input": data(transaction.data),
        "type": quantity(transaction.type),
        "v": quantity(transaction.v),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
    }
    if transaction.type:
        found["accessList"] = [
            {"address": data(address), "storageKeys": [word(key) for key in keys]}
            for address, keys in transaction.access_list
        ]
    return found


def receipt_object(receipt: Receipt, head: Head, position: int, first_log: int) -> Json:
    return {
        "transactionHash": data(receipt.transaction),
        "transactionIndex": quantity(position),
        "blockHash": data(head.hash),
        "blockNumber": quantity(head.header.number),
        "from": data(receipt.sender),
        "to": data(receipt.to) if receipt.to else None,
        "contractAddress": data(receipt.contract) if receipt.contract else None,
        "status": quantity(receipt.status),
        "type": quantity(receipt.type),
        "gasUsed": quantity(receipt.gas_used),
        "cumulativeGasUsed": quantity(receipt.cumulative_gas),
        "effectiveGasPrice": "0x0",
        "logsBloom": data(receipt.bloom),
        "logs": [log_object(log, receipt, head, position, first_log + i) for i, log in enumerate(receipt.logs)],
    }


def log_object(log: Log, receipt: Receipt, head: Head, position: int, index: int) -> Json:
    return {
        "address": data(log.address),
        "topics": [data(topic) for topic in log.topics],
        "data": data(log.data),
        "blockNumber": quantity(head.header.number),
        "blockHash": data(head.hash),
        "transactionHash": data(receipt.transaction),
        "transactionIndex": quantity(position),
        "logIndex": quantity(index),
        "removed": False,
    }
