"""From a signed message to its item in a batch: one pure function that worker and signers share.

A signer rebuilds every item from the messages; anything it did not rebuild it does not sign.
"""

from __future__ import annotations

import hashlib
from typing import Final

from eth_hash.auto import keccak

from sdt.domain.batch import AdminItem, AdminKind, ValueItem, ValueKind
from sdt.domain.envelope import unb64url
from sdt.domain.errors import Invalid
from sdt.domain.message import (
    AttestIdentity,
    AttestReserve,
    Freeze,
    Fund,
    GrantRole,
    Issue,
    Redeem,
    Register,
    Release,
    RotateKey,
    SetRules,
    Signed,
    Transfer,
    Unfreeze,
    parse_time,
)
from sdt.domain.region import Region
from sdt.domain.registry import Domain, KeyStatus, KeyWord, Role, pack_key_word

__all__ = ["EVERY_TOKEN", "build_item", "fee_of", "handle_hash", "order_digest"]

ZERO: Final = "0x" + "00" * 20
EVERY_TOKEN: Final = 255
CLIENT_KEY_LIFE_S: Final = 10 * 365 * 86_400

_ROLES: Final = {
    "custodian": Role.CUSTODIAN,
    "issuer": Role.ISSUER,
    "approver": Role.APPROVER,
    "kyc_desk": Role.KYC_DESK,
    "screening_desk": Role.SCREENING_DESK,
    "compliance_officer": Role.COMPLIANCE_OFFICER,
    "administrator": Role.ADMINISTRATOR,
}


def handle_hash(handle: str) -> bytes:
    """Return what stands on chain for a handle: the keccak-256 of its UTF-8 bytes."""
    return bytes(keccak(handle.encode()))


def order_digest(order: str, authority: str) -> bytes:
    """Return what stands on chain for an order: SHA-256 over its number and its authority."""
    return hashlib.sha256(f"{order}\n{authority}".encode()).digest()


def fee_of(signed: Signed, region: Region) -> int:
    """Return the fee this message pays under the region's schedule, at most what it signed.

    Units: the token's smallest. Errors: Invalid when the fee is above the signed fee_max.
    """
    message = signed.message
    if not isinstance(message, Transfer):
        return 0
    fee = region.token(message.token).fee(int(message.amount))
    if fee > int(message.fee_max):
        raise Invalid(f"The fee is {region.token(message.token).amount(fee)}, more than fee_max.", code="fee_above_max")
    return fee


def _key_item(kind: AdminKind, public_key: str, word: KeyWord, account: str, extra: bytes = bytes(32)) -> AdminItem:
    return AdminItem(kind, account, 0, 0, (unb64url(public_key.encode()), pack_key_word(word), extra))


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _two(high: int, low: int) -> bytes:
    return (high << 128 | low).to_bytes(32, "big")


def _value_item(signed: Signed, region: Region) -> ValueItem | None:
    m = signed.message
    if isinstance(m, Transfer):
        token = region.token_index.get(m.token)
        if token is None:
            region.token(m.token)
            raise AssertionError("unreachable: an unknown token raises")
        return ValueItem(ValueKind.TRANSFER, m.payer, m.payee, int(m.amount), fee_of(signed, region), token)
    if isinstance(m, Issue):
        return ValueItem(ValueKind.MINT, ZERO, m.account, int(m.amount), 0, _index(region, m.token))
    if isinstance(m, Redeem):
        return ValueItem(ValueKind.BURN, m.account, ZERO, int(m.amount), 0, _index(region, m.token))
    return None


def _index(region: Region, symbol: str) -> int:
    region.token(symbol)
    return region.token_index[symbol]


def build_item(signed: Signed, region: Region) -> ValueItem | AdminItem:
    """Return the one item a message becomes.

    Errors: Invalid for an unknown token or a fee above fee_max; a message that has no item of its own (a deposit,
    an approval) is a bug here (AssertionError).
    """
    item = _value_item(signed, region)
    if item is not None:
        return item
    return _admin_item(signed, region)


def _admin_item(signed: Signed, region: Region) -> AdminItem:
    m = signed.message
    if isinstance(m, Register):
        word = KeyWord(m.account, Role.CLIENT, 0, KeyStatus.ACTIVE, signed.issued_at_s + CLIENT_KEY_LIFE_S)
        return _key_item(AdminKind.REGISTER, m.public_key, word, m.account, handle_hash(m.handle))
    if isinstance(m, RotateKey):
        status = KeyStatus.ACTIVE if m.action == "add" else KeyStatus.REVOKED
        word = KeyWord(m.account, Role.CLIENT, 0, status, parse_time(m.expires_at))
        return _key_item(AdminKind.SET_KEY, m.public_key, word, m.account)
    if isinstance(m, GrantRole):
        status = KeyStatus.ACTIVE if m.action == "grant" else KeyStatus.REVOKED
        scope = _index(region, m.token) + 1 if m.token else 0
        return _key_item(
            AdminKind.SET_KEY,
            m.public_key,
            KeyWord(ZERO, _ROLES[m.role], scope, status, parse_time(m.expires_at)),
            ZERO,
        )
    if isinstance(m, AttestIdentity):
        domain = Domain.DOLLAR if m.domain == "dollar" else Domain.CASH
        param = domain << 16 | m.tier << 8 | int(m.resident)
        words = (_word(parse_time(m.expires_at)), bytes.fromhex(m.evidence), bytes(32))
        return AdminItem(AdminKind.IDENTITY, m.account, param, 0, words)
    if isinstance(m, Freeze | Unfreeze):
        kind = AdminKind.FREEZE if isinstance(m, Freeze) else AdminKind.UNFREEZE
        ends = parse_time(m.expires_at) if isinstance(m, Freeze) else 0
        words = (order_digest(m.order, m.authority), _word(ends), bytes(32))
        return AdminItem(kind, m.account, 0, _index(region, m.token) if m.token else EVERY_TOKEN, words)
    if isinstance(m, SetRules):
        words = (bytes.fromhex(m.digest), _word(parse_time(m.effective)), bytes(32))
        return AdminItem(AdminKind.SET_RULES, ZERO, 0, 0, words)
    if isinstance(m, AttestReserve):
        words = (_word(int(m.reserve)), _two(parse_time(m.as_of), parse_time(m.valid_until)), _word(m.sequence))
        return AdminItem(AdminKind.ATTEST, ZERO, 0, _index(region, m.token), words)
    if isinstance(m, Fund | Release):
        kind = AdminKind.FUND if isinstance(m, Fund) else AdminKind.RELEASE
        words = (_word(int(m.amount)), _word(m.sequence), bytes.fromhex(m.evidence))
        return AdminItem(kind, ZERO, 0, _index(region, m.token), words)
    raise AssertionError(f"a {signed.type} message has no item")
