"""eth_call and eth_estimateGas: running a transaction that nobody signed, and keeping nothing."""

from __future__ import annotations

from typing import Any

from eth.exceptions import Revert

from sdt.adapters.chain.embedded import parameters
from sdt.adapters.chain.embedded.chain import Chain, Head
from sdt.adapters.chain.embedded.errors import RpcError, invalid_params, server_error
from sdt.adapters.chain.embedded.evm import Outcome, failure_message
from sdt.adapters.chain.embedded.transaction import AccessList, Transaction, intrinsic_gas
from sdt.adapters.chain.embedded.view import StateGone

__all__ = ["call", "estimate_gas"]

_REASON = bytes.fromhex("08c379a0")  # Error(string)
_TRANSFER_GAS = 21_000


def call(chain: Chain, head: Head, request: Any) -> bytes:
    """Return what the call returns. Errors: RpcError 3 with the revert data, -32000 for anything else."""
    transaction = _transaction(chain, head, request)
    outcome = _run(chain, head, transaction)
    if outcome.error:
        raise _failure(outcome)
    return outcome.output


def estimate_gas(chain: Chain, head: Head, request: Any) -> int:
    """Return a gas limit with which the transaction succeeds, within 1.5 % of the least.

    Errors: RpcError as for `call` when it fails with all the gas allowed.
    """
    transaction = _transaction(chain, head, request)
    outcome = _run(chain, head, transaction)
    if outcome.error:
        raise _failure(outcome)
    low, high = outcome.gas_used - 1, transaction.gas
    # What it used is most often enough; else what it had refunded and what calls hold back (EIP-150) as well.
    guesses = [outcome.gas_used, (outcome.gas_used + outcome.gas_refunded + 2_300) * 64 // 63]
    while high - low > 1 and (guesses or (high - low) * 200 >= high * 3):
        middle = guesses.pop(0) if guesses else (low + high) // 2
        if not low < middle < high:
            continue
        if _run(chain, head, transaction.copy(gas=middle)).error:
            low = middle
        else:
            high = middle
    return high


def _run(chain: Chain, head: Head, transaction: Transaction) -> Outcome:
    if transaction.gas < transaction.intrinsic_gas:
        raise server_error("intrinsic gas too low")
    try:
        evm = chain.evm_on(head)
        balance = evm.accounts.get_balance(transaction.sender)
        if balance < transaction.value:
            raise server_error("insufficient funds for transfer")
        return evm.run(transaction.copy(nonce=evm.accounts.get_nonce(transaction.sender)))
    except StateGone as error:
        raise server_error("missing trie node: only the states of the last blocks are kept") from error


def _transaction(chain: Chain, head: Head, request: Any) -> Transaction:
    if not isinstance(request, dict):
        raise invalid_params("the call must be an object")
    read = parameters.field
    data = read(request, "data", parameters.data, None)
    given = read(request, "input", parameters.data, data)
    if data is not None and given != data:
        raise invalid_params('both "data" and "input" are set and not equal')
    payload = given or b""
    to = read(request, "to", parameters.address, b"")
    listed = _access_list(request.get("accessList"))
    return Transaction(
        nonce=0,
        gas_price=0,
        gas=min(read(request, "gas", parameters.number, chain.gas_limit), chain.gas_limit),
        to=to,
        value=read(request, "value", parameters.number, 0),
        data=payload,
        sender=read(request, "from", parameters.address, bytes(20)),
        access_list=listed,
        intrinsic_gas=intrinsic_gas(to, payload, listed),
    )


def _access_list(value: Any) -> AccessList:
    if value is None:
        return ()
    try:
        return tuple(
            (
                parameters.address(entry["address"]),
                tuple(int.from_bytes(parameters.digest(key), "big") for key in entry["storageKeys"]),
            )
            for entry in value
        )
    except (TypeError, KeyError) as error:
        raise invalid_params("invalid access list") from error


def _failure(outcome: Outcome) -> RpcError:
    error = outcome.error
    if error is None:
        raise AssertionError("no failure")
    if not isinstance(error, Revert):
        return server_error(failure_message(error))
    output = outcome.output
    message = failure_message(error)
    if output[:4] == _REASON and len(output) >= 68:
        size = int.from_bytes(output[36:68], "big")
        message += ": " + output[68 : 68 + size].decode(errors="replace")
    return RpcError(3, message, "0x" + output.hex())
