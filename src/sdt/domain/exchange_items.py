"""The items of an exchange batch: two legs in two regions, both or none, in 96 bytes.

Only what a batch carries and the contracts read; rates, quotes and pools are a desk's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from sdt.domain.batch_items import ITEMS_MAX
from sdt.domain.errors import Invalid

__all__ = ["EXCHANGE_ITEM_BYTES", "ExchangeItem", "pack_exchange_items", "unpack_exchange_items"]

EXCHANGE_ITEM_BYTES: Final = 96

_is_account = re.compile(r"0x[0-9a-f]{40}", re.ASCII).fullmatch


class ExchangeItem(Struct, frozen=True, gc=False):
    """Give `sold` of our token to our pool; get `bought` of theirs from theirs.

    `peer` is the other region's Settlement; `payer` is an account here, `payee` one there. Tokens are places in each
    Settlement's list. Units: each amount in its own token's smallest unit.
    Errors: Invalid when a field does not fit.
    """

    payer: str
    sold: int
    payee: str
    bought: int
    peer: str
    sells: int
    buys: int

    def __post_init__(self) -> None:
        if not (_is_account(self.payer) and _is_account(self.payee) and _is_account(self.peer)):
            raise Invalid("An exchange names accounts by 0x and 40 lower-case digits.", code="batch_item")
        if not (0 <= self.sold < 2**96 and 0 <= self.bought < 2**96):
            raise Invalid("An exchange's amount is out of range.", code="batch_item")
        if not (0 <= self.sells < 2**16 and 0 <= self.buys < 2**16):
            raise Invalid("An exchange's token is out of range.", code="batch_item")


def pack_exchange_items(items: Iterable[ExchangeItem]) -> bytes:
    """Return the items as `exchange` takes them.

    Shape: payer (160) | sold (96), payee (160) | bought (96), peer (160) | sells (16) | buys (16) | zero (64).
    """
    return bytes.fromhex(
        "".join(
            f"{i.payer[2:]}{i.sold:024x}{i.payee[2:]}{i.bought:024x}{i.peer[2:]}{i.sells:04x}{i.buys:04x}{0:016x}"
            for i in items
        )
    )


def unpack_exchange_items(packed: bytes) -> list[ExchangeItem]:
    """Read packed items back, as an auditor does from the chain.

    Errors: Invalid.
    """
    if len(packed) % EXCHANGE_ITEM_BYTES or len(packed) > ITEMS_MAX * EXCHANGE_ITEM_BYTES:
        raise Invalid("Packed exchange items are of the wrong length.", code="batch_item")
    items: list[ExchangeItem] = []
    for at in range(0, len(packed), EXCHANGE_ITEM_BYTES):
        item = packed[at : at + EXCHANGE_ITEM_BYTES]
        if any(item[88:]):
            raise Invalid("An exchange item does not end in zeros.", code="batch_item")
        items.append(
            ExchangeItem(
                payer="0x" + item[:20].hex(),
                sold=int.from_bytes(item[20:32], "big"),
                payee="0x" + item[32:52].hex(),
                bought=int.from_bytes(item[52:64], "big"),
                peer="0x" + item[64:84].hex(),
                sells=int.from_bytes(item[84:86], "big"),
                buys=int.from_bytes(item[86:88], "big"),
            )
        )
    return items
