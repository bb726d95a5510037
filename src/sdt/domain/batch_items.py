"""The items of a batch and how they lie in calldata, one item for one message.

Signers rebuild these bytes from the messages themselves; the contracts read them word by word. Value items
take 64 bytes, admin items 128, big-endian, so that packing five hundred is string work, no ABI encoder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from msgspec import Struct

from sdt.domain.errors import Invalid
from sdt.domain.registry import NOBODY, Domain, KeyWord, account_bytes, handle_hash, pack_key_word

__all__ = [
    "ADMIN_ITEM_BYTES",
    "EVERY_TOKEN",
    "ITEMS_MAX",
    "VALUE_ITEM_BYTES",
    "AdminItem",
    "AdminKind",
    "GateSide",
    "ValueItem",
    "ValueKind",
    "pack_admin_items",
    "pack_value_items",
    "unpack_admin_items",
    "unpack_value_items",
]

ITEMS_MAX: Final = 500
VALUE_ITEM_BYTES: Final = 64
ADMIN_ITEM_BYTES: Final = 128

EVERY_TOKEN: Final = 255
"""As the token of a freeze or a pause: all tokens of the region."""

_is_account = re.compile(r"0x[0-9a-f]{40}", re.ASCII).fullmatch
_ZERO: Final = bytes(32)


class ValueKind(IntEnum):
    """What a value item does."""

    TRANSFER = 0
    MINT = 1
    BURN = 2


class AdminKind(IntEnum):
    """What an admin item does."""

    REGISTER = 1
    SET_KEY = 2
    IDENTITY = 3
    FREEZE = 4
    UNFREEZE = 5
    SET_RULES = 6
    ATTEST = 7
    FUND = 8
    RELEASE = 9
    PAUSE = 10
    SEIZE = 11
    MINT_ALLOWANCE = 12
    GATE = 13


class GateSide(IntEnum):
    """Which way value goes through a gate: our pool takes what is sold here, or pays what is bought there."""

    TAKES = 1
    PAYS = 2


class ValueItem(Struct, frozen=True, gc=False):
    """Move, mint or burn units of one token; a mint has its minter as payer, a burn has NOBODY as payee.

    Units: amount and fee in the token's smallest unit; the payer loses both.
    `token` is its place in Settlement's list.
    Errors: Invalid when a field does not fit.
    """

    kind: ValueKind
    payer: str
    payee: str
    amount: int
    fee: int
    token: int

    def __post_init__(self) -> None:
        if not (_is_account(self.payer) and _is_account(self.payee)):
            raise Invalid("An item's payer and payee are 0x and 40 lower-case digits.", code="batch_item")
        if not (0 <= self.amount < 2**96 and 0 <= self.fee < 2**64 and 0 <= self.token < 2**16):
            raise Invalid("An item's amount, fee or token is out of range.", code="batch_item")


@dataclass(frozen=True, slots=True)
class AdminItem:
    """Change a key, an identity, a freeze, the rules or a reserve; made by the constructors below.

    Shape: words are three times 32 bytes, by kind.
    Errors: Invalid when a field does not fit.
    """

    kind: AdminKind
    account: str = NOBODY
    param: int = 0
    token: int = 0
    words: tuple[bytes, bytes, bytes] = (_ZERO, _ZERO, _ZERO)

    def __post_init__(self) -> None:
        if not _is_account(self.account) or not (0 <= self.param < 2**80 and 0 <= self.token < 2**8):
            raise Invalid("An item's account, param or token is out of range.", code="batch_item")
        if len(self.words) != 3 or any(len(word) != 32 for word in self.words):
            raise Invalid("An item has three words of 32 bytes.", code="batch_item")

    @classmethod
    def register(cls, account: str, public_key: bytes, key: KeyWord, handle: str) -> AdminItem:
        """Open an account with its first key and bind its handle to it, for ever."""
        return cls(AdminKind.REGISTER, account, words=(public_key, pack_key_word(key), handle_hash(handle)))

    @classmethod
    def set_key(cls, public_key: bytes, key: KeyWord) -> AdminItem:
        """Add a key, change its roles or expiry, or revoke it."""
        return cls(AdminKind.SET_KEY, key.account, words=(public_key, pack_key_word(key), _ZERO))

    @classmethod
    def identity(
        cls, account: str, domain: Domain, tier: int, resident: bool, expires_s: int, evidence: bytes
    ) -> AdminItem:
        """Record who stands behind an account in one domain; tier 0 takes the right to hold away."""
        if not 0 <= tier < 2**8:
            raise Invalid("A tier is out of range.", code="batch_item")
        param = domain << 16 | tier << 8 | resident
        return cls(AdminKind.IDENTITY, account, param, words=(_word(expires_s), evidence, _ZERO))

    @classmethod
    def freeze(cls, account: str, token: int, order: bytes, expires_s: int) -> AdminItem:
        """Stop an account under an order (its digest) until it expires."""
        return cls(AdminKind.FREEZE, account, token=token, words=(order, _word(expires_s), _ZERO))

    @classmethod
    def unfreeze(cls, account: str, token: int, order: bytes) -> AdminItem:
        """Lift a freeze, naming the order that lifts it."""
        return cls(AdminKind.UNFREEZE, account, token=token, words=(order, _ZERO, _ZERO))

    @classmethod
    def set_rules(cls, digest: bytes, effective_s: int) -> AdminItem:
        """Put a rules file in force from a time on."""
        return cls(AdminKind.SET_RULES, words=(digest, _word(effective_s), _ZERO))

    @classmethod
    def attest(cls, token: int, amount: int, as_of_s: int, valid_until_s: int, sequence: int) -> AdminItem:
        """State what the reserve holds, what that includes, and how long it may be relied on."""
        if not (0 <= as_of_s < 2**128 and 0 <= sequence < 2**128):
            raise Invalid("An attestation's time or sequence is out of range.", code="batch_item")
        words = (_word(amount), _word(as_of_s << 128 | valid_until_s), _word(sequence))
        return cls(AdminKind.ATTEST, token=token, words=words)

    @classmethod
    def fund(cls, token: int, amount: int, sequence: int, evidence: bytes) -> AdminItem:
        """Record value that entered the reserve."""
        return cls(AdminKind.FUND, token=token, words=(_word(amount), _word(sequence), evidence))

    @classmethod
    def release(cls, token: int, amount: int, sequence: int, evidence: bytes) -> AdminItem:
        """Record value that left the reserve."""
        return cls(AdminKind.RELEASE, token=token, words=(_word(amount), _word(sequence), evidence))

    @classmethod
    def pause(cls, token: int, paused: bool) -> AdminItem:
        """Stop a token, or let it go on."""
        return cls(AdminKind.PAUSE, token=token, words=(_word(int(paused)), _ZERO, _ZERO))

    @classmethod
    def seize(cls, account: str, token: int, order: bytes, to: str, amount: int) -> AdminItem:
        """Move what an order (its digest) names out of a frozen account."""
        return cls(AdminKind.SEIZE, account, token=token, words=(order, _account_word(to), _word(amount)))

    @classmethod
    def mint_allowance(cls, minter: str, token: int, limit: int, period_s: int) -> AdminItem:
        """Say how much one minter may mint of a token in each period."""
        return cls(AdminKind.MINT_ALLOWANCE, minter, token=token, words=(_word(limit), _word(period_s), _ZERO))

    @classmethod
    def gate(
        cls,
        peer: str,
        side: GateSide,
        token: int,
        their_token: int,
        *,
        pool: str,
        daily_cap: int,
        bought: int,
        sold: int,
        expires_s: int,
    ) -> AdminItem:
        """Open a gate to another region's Settlement for a pair of tokens; expires_s 0 closes it.

        Units: the rate is `bought` of the bought token for `sold` of the sold one; daily_cap in our own token.
        """
        if not (0 <= their_token < 2**16 and 0 <= daily_cap < 2**96 and 0 <= bought < 2**128 and 0 <= sold < 2**128):
            raise Invalid("A gate's token, cap or rate is out of range.", code="batch_item")
        words = (
            account_bytes(pool) + daily_cap.to_bytes(12, "big"),
            _word(bought << 128 | sold),
            _word(expires_s),
        )
        return cls(AdminKind.GATE, peer, side << 16 | their_token, token, words)


def pack_value_items(items: Iterable[ValueItem]) -> bytes:
    """Return the items as `settle` takes them.

    Shape: from (160) | amount (96), to (160) | fee (64) | token (16) | kind (8) | zero (8); 64 bytes an item.
    """
    return bytes.fromhex(
        "".join([f"{i.payer[2:]}{i.amount:024x}{i.payee[2:]}{i.fee:016x}{i.token:04x}{i.kind:02x}00" for i in items])
    )


def pack_admin_items(items: Iterable[AdminItem]) -> bytes:
    """Return the items as `administer` takes them.

    Shape: account (160) | param (80) | token (8) | kind (8), then three words; 128 bytes an item.
    """
    parts: list[bytes] = []
    for i in items:
        parts += (bytes.fromhex(f"{i.account[2:]}{i.param:020x}{i.token:02x}{i.kind:02x}"), *i.words)
    return b"".join(parts)


def unpack_value_items(packed: bytes) -> list[ValueItem]:
    """Read packed items back, as an auditor does from the chain.

    Errors: Invalid.
    """
    items: list[ValueItem] = []
    for at in _starts(packed, VALUE_ITEM_BYTES):
        kind, zero = packed[at + 62], packed[at + 63]
        if kind > ValueKind.BURN or zero:
            raise Invalid("A value item is of no known kind.", code="batch_item")
        items.append(
            ValueItem(
                kind=ValueKind(kind),
                payer="0x" + packed[at : at + 20].hex(),
                payee="0x" + packed[at + 32 : at + 52].hex(),
                amount=int.from_bytes(packed[at + 20 : at + 32], "big"),
                fee=int.from_bytes(packed[at + 52 : at + 60], "big"),
                token=int.from_bytes(packed[at + 60 : at + 62], "big"),
            )
        )
    return items


def unpack_admin_items(packed: bytes) -> list[AdminItem]:
    """Read packed items back, as an auditor does from the chain.

    Errors: Invalid.
    """
    items: list[AdminItem] = []
    for at in _starts(packed, ADMIN_ITEM_BYTES):
        kind = packed[at + 31]
        if not AdminKind.REGISTER <= kind <= AdminKind.GATE:
            raise Invalid("An admin item is of no known kind.", code="batch_item")
        items.append(
            AdminItem(
                kind=AdminKind(kind),
                account="0x" + packed[at : at + 20].hex(),
                param=int.from_bytes(packed[at + 20 : at + 30], "big"),
                token=packed[at + 30],
                words=(packed[at + 32 : at + 64], packed[at + 64 : at + 96], packed[at + 96 : at + 128]),
            )
        )
    return items


def _starts(packed: bytes, item_bytes: int) -> range:
    if len(packed) % item_bytes or len(packed) > ITEMS_MAX * item_bytes:
        raise Invalid("Packed items are of the wrong length.", code="batch_item")
    return range(0, len(packed), item_bytes)


def _account_word(account: str) -> bytes:
    return bytes(12) + account_bytes(account)


def _word(value: int) -> bytes:
    if not 0 <= value < 2**256:
        raise Invalid("A number does not fit a word.", code="batch_item")
    return value.to_bytes(32, "big")
