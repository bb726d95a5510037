"""What traces call: memory growth, storage and logs by Berlin's prices, without py-evm's layers.

Each either does its work and returns the gas left, or does nothing and returns -1 where py-evm would have to
decide. Source: EIP-2200 and EIP-2929; yellow paper, appendix G and H.
"""

from __future__ import annotations

from typing import Any

from sdt.adapters.chain.embedded.keccak import keccak

__all__ = ["NAMES"]

_WARM = 100
_COLD_SLOAD = 2_100
_SSTORE_SENTRY = 2_300
_SET = 20_000
_RESET = 5_000 - _COLD_SLOAD
_CLEAR_REFUND = 15_000


def _memory_cost(words: int) -> int:
    return 3 * words + words * words // 512


def grow(memory: bytearray, end: int, gas: int) -> int:
    """Extend memory to whole words."""
    words = (end + 31) // 32
    left = gas - _memory_cost(words) + _memory_cost(len(memory) // 32)
    if left < 0:
        return -1
    memory.extend(bytes(words * 32 - len(memory)))
    return left


def sload_gas(accounts: Any, address: bytes, slot: int) -> int:
    """Return what reading a slot costs now."""
    return _WARM if (address, slot) in accounts._warm else _COLD_SLOAD


def sstore(computation: Any, accounts: Any, slot: int, value: int, gas: int) -> int:
    """Write a slot, with EIP-2200's net price and refunds and EIP-2929's surcharge."""
    if gas <= _SSTORE_SENTRY or computation.msg.is_static:
        return -1
    address = computation.msg.storage_address
    cold = (address, slot) not in accounts._warm
    current = accounts.get_storage(address, slot)
    price, refund = _WARM, 0
    if current != value:
        original = accounts.get_storage(address, slot, from_journal=False)
        price, refund = _net_price(original, current, value)
    left: int = gas - price - (_COLD_SLOAD if cold else 0)
    if left < 0:
        return -1
    if refund:
        computation.refund_gas(refund)
    if cold:
        accounts.mark_storage_warm(address, slot)
    accounts.set_storage(address, slot, value)
    return left


def _net_price(original: int, current: int, value: int) -> tuple[int, int]:
    """Return price and refund of changing a slot. Source: EIP-2200, with EIP-2929's numbers."""
    if original == current:
        if original == 0:
            return _SET, 0
        return _RESET, 0 if value else _CLEAR_REFUND
    refund = 0
    if original != 0:
        if current == 0:
            refund -= _CLEAR_REFUND
        if value == 0:
            refund += _CLEAR_REFUND
    if original == value:
        refund += (_SET if original == 0 else _RESET) - _WARM
    return _WARM, refund


def log(computation: Any, topics: tuple[int, ...], data: bytes) -> None:
    """Record a log."""
    counter = computation.transaction_context.get_next_log_counter()
    computation._log_entries.append((counter, computation.msg.storage_address, topics, data))


NAMES: dict[str, Any] = {"grow": grow, "sload_gas": sload_gas, "sstore": sstore, "log": log, "keccak": keccak}
