"""How much gas to ask for with a batch: the measured worst case and a tenth.

A block is packed by what its transactions ask for, so an ample guess would leave it half empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sdt.domain.batch_items import EVERY_TOKEN, AdminItem, AdminKind, ValueItem, ValueKind
from sdt.domain.exchange_items import ExchangeItem

__all__ = ["admin_gas_limit", "exchange_gas_limit", "value_gas_limit"]


def value_gas_limit(items: Sequence[ValueItem]) -> int:
    """Return the gas to ask for with a value batch.

    Source: tests/contracts/test_gas.py.
    """
    tokens = len({item.token for item in items})
    minted = len({item.token for item in items if item.kind is ValueKind.MINT})
    fees = sum(item.fee > 0 for item in items)
    gas = _BATCH_GAS + len(items) * _VALUE_GAS + fees * _FEE_GAS + tokens * _TOKEN_GAS + minted * _MINTED_TOKEN_GAS
    return gas * 11 // 10


def admin_gas_limit(items: Sequence[AdminItem], tokens: int) -> int:
    """Return the gas to ask for with an admin batch, of a region with so many tokens.

    Source: tests/contracts/test_gas.py.
    """
    gas = _BATCH_GAS
    for item in items:
        every = item.kind is AdminKind.IDENTITY or item.token == EVERY_TOKEN
        gas += _ADMIN_GAS[item.kind] + _ADMIN_TOKEN_GAS.get(item.kind, 0) * (tokens if every else 1)
    return gas * 11 // 10


def exchange_gas_limit(items: Sequence[ExchangeItem]) -> int:
    """Return the gas to ask for with an exchange batch: all that Settlement grants each item, for the other leg is
    another region's code and may burn it.

    Source: EXCHANGE_GAS in Settlement.vy.
    """
    return _BATCH_GAS + (len(items) + 1) * _EXCHANGE_GAS


_BATCH_GAS: Final = 110_000
_EXCHANGE_GAS: Final = 270_000
_VALUE_GAS: Final = 15_000
_FEE_GAS: Final = 2_700
_TOKEN_GAS: Final = 8_000
_MINTED_TOKEN_GAS: Final = 70_000
_ADMIN_GAS: Final = {
    AdminKind.REGISTER: 82_000,
    AdminKind.SET_KEY: 42_000,
    AdminKind.IDENTITY: 34_000,
    AdminKind.FREEZE: 5_000,
    AdminKind.UNFREEZE: 5_000,
    AdminKind.SET_RULES: 66_000,
    AdminKind.ATTEST: 112_000,
    AdminKind.FUND: 68_000,
    AdminKind.RELEASE: 68_000,
    AdminKind.PAUSE: 5_000,
    AdminKind.SEIZE: 62_000,
    AdminKind.MINT_ALLOWANCE: 48_000,
    AdminKind.GATE: 96_000,
}
_ADMIN_TOKEN_GAS: Final = {
    AdminKind.IDENTITY: 32_000,
    AdminKind.FREEZE: 58_000,
    AdminKind.UNFREEZE: 58_000,
    AdminKind.PAUSE: 36_000,
}
"""What each token that the item reaches adds."""
