"""From messages to the exact chain transaction: what the worker proposes and every signer rebuilds by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sdt.domain.batch import (
    AdminItem,
    ValueItem,
    admin_gas_limit,
    administer_calldata,
    leaf,
    merkle_root,
    next_head,
    settle_calldata,
    value_gas_limit,
)
from sdt.domain.chain_tx import ChainTransaction
from sdt.domain.items import build_item
from sdt.domain.message import Signed
from sdt.domain.region import Region
from sdt.domain.transaction_id import id_bytes

__all__ = ["Assembled", "Built", "Frame", "assemble", "assemble_built"]

Built = tuple[Signed, ValueItem | AdminItem]
"""A message and the item that it became."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a batch is besides its messages: its place in the chain of batches and of chain transactions.

    Units: deadline_s in unix seconds; gas_price_wei in wei. Shape: parent 32 bytes; settlement is an address.
    """

    number: int
    parent: bytes
    deadline_s: int
    nonce: int
    chain_id: int
    settlement: str
    gas_price_wei: int = 0


@dataclass(frozen=True, slots=True)
class Assembled:
    """A batch ready to be signed: whoever holds the same messages and frame has the same bytes."""

    administers: bool
    items: Sequence[ValueItem | AdminItem]
    root: bytes
    head: bytes
    transaction: ChainTransaction


def assemble(frame: Frame, messages: Sequence[Signed], region: Region) -> Assembled:
    """Return the batch that these messages make, in this order. They are all of one kind, value or administrative.

    Errors: Invalid for a message that cannot be an item (see `build_item`).
    """
    return assemble_built(frame, [(message, build_item(message, region)) for message in messages], region)


def assemble_built(frame: Frame, built: Sequence[Built], region: Region) -> Assembled:
    """Return the batch of messages whose items were built before, in this order, all of one kind."""
    messages, items = [message for message, _ in built], [item for _, item in built]
    administers = messages[0].message.administrative
    assert all(m.message.administrative is administers for m in messages), "kinds are never mixed in a batch"
    root = merkle_root([leaf(i, id_bytes(m.message.transaction_id), m.digest) for i, m in enumerate(messages)])
    place = (frame.number, frame.parent, root, frame.deadline_s)
    if administers:
        admin_items = [item for item in items if isinstance(item, AdminItem)]
        data, gas = administer_calldata(*place, admin_items), admin_gas_limit(admin_items, len(region.tokens))
    else:
        value_items = [item for item in items if isinstance(item, ValueItem)]
        data, gas = settle_calldata(*place, value_items), value_gas_limit(value_items)
    transaction = ChainTransaction(frame.chain_id, frame.nonce, frame.settlement, data, gas, frame.gas_price_wei)
    return Assembled(administers, items, root, next_head(frame.parent, frame.number, root), transaction)
