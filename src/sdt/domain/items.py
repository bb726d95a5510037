"""From a signed message to its item in a batch: one pure function that worker and signers share.

A signer rebuilds every item from the messages; anything it did not rebuild it does not sign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from sdt.domain.batch_items import EVERY_TOKEN, AdminItem, ValueItem, ValueKind
from sdt.domain.envelope import kid_of, unb64url
from sdt.domain.errors import Invalid
from sdt.domain.key_scope import KeyScope
from sdt.domain.message import (
    Adjust,
    AttestIdentity,
    AttestReserve,
    Freeze,
    Fund,
    GrantRole,
    Issue,
    Pause,
    Redeem,
    Register,
    Release,
    Resume,
    RotateKey,
    Seize,
    SetMintAllowance,
    SetRules,
    Signed,
    Transfer,
    Unfreeze,
    parse_time,
)
from sdt.domain.region import Region
from sdt.domain.registry import NOBODY, Domain, KeyStatus, KeyWord, Role

__all__ = [
    "CLIENT_KEY_LIFE_S",
    "adjustment_sides",
    "admin_item",
    "build_item",
    "fee_of",
    "key_word",
    "minter_of",
    "order_digest",
]

CLIENT_KEY_LIFE_S: Final = 10 * 365 * 86_400
"""How long the key of a registration counts, from the registration on."""

Place = Callable[[str], int]
"""From a token's symbol to its place in Settlement's list."""

_ROLES: Final = {
    "custodian": Role.CUSTODIAN,
    "issuer": Role.ISSUER,
    "approver": Role.APPROVER,
    "kyc_desk": Role.KYC_DESK,
    "screening_desk": Role.SCREENING_DESK,
    "compliance_officer": Role.COMPLIANCE_OFFICER,
    "administrator": Role.ADMINISTRATOR,
}


def order_digest(order: str, authority: str) -> bytes:
    """Return what stands on chain for an order: SHA-256 over its number and its authority."""
    return hashlib.sha256(f"{order}\n{authority}".encode()).digest()


def minter_of(kid: str) -> str:
    """Return what stands on chain for an issuer's key where it mints: the first 20 bytes of its thumbprint."""
    return "0x" + unb64url(kid.encode())[:20].hex()


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


def key_word(signed: Signed, region: Region) -> KeyWord:
    """Return the registry's entry of the key that a register, rotate_key or grant_role message is about."""
    return _key_word(signed, lambda symbol: _index(region, symbol))


def _key_word(signed: Signed, place: Place) -> KeyWord:
    m = signed.message
    if isinstance(m, Register):
        return KeyWord(m.account, Role.CLIENT, expires_s=signed.issued_at_s + CLIENT_KEY_LIFE_S)
    if isinstance(m, RotateKey):
        status = KeyStatus.ACTIVE if m.action == "add" else KeyStatus.REVOKED
        scope = KeyScope(m.role, place(m.token) if m.token else None).pack()
        return KeyWord(m.account, Role.CLIENT, scope, status, parse_time(m.expires_at))
    assert isinstance(m, GrantRole), f"a {signed.type} message is about no key"
    status = KeyStatus.ACTIVE if m.action == "grant" else KeyStatus.REVOKED
    scope = place(m.token) + 1 if m.token else 0
    return KeyWord(NOBODY, _ROLES[m.role], scope, status, parse_time(m.expires_at))


def adjustment_sides(message: Adjust, kid: str) -> tuple[ValueKind, str, str]:
    """Return kind, payer and payee of the item that an adjustment becomes: a re-mint mints, the others burn."""
    if message.kind == "remint":
        return ValueKind.MINT, minter_of(kid), message.account
    return ValueKind.BURN, message.account, NOBODY


def build_item(signed: Signed, region: Region) -> ValueItem | AdminItem:
    """Return the one item a message becomes.

    Errors: Invalid for an unknown token or a fee above fee_max; a message that has no item of its own (a deposit,
    an approval) is a bug here (AssertionError).
    """
    m = signed.message
    if isinstance(m, Transfer):
        token = _index(region, m.token)
        return ValueItem(ValueKind.TRANSFER, m.payer, m.payee, int(m.amount), fee_of(signed, region), token)
    if isinstance(m, Issue):
        minter = minter_of(signed.kid)
        return ValueItem(ValueKind.MINT, minter, m.account, int(m.amount), 0, _index(region, m.token))
    if isinstance(m, Redeem):
        return ValueItem(ValueKind.BURN, m.account, NOBODY, int(m.amount), 0, _index(region, m.token))
    if isinstance(m, Adjust):
        kind, payer, payee = adjustment_sides(m, signed.kid)
        return ValueItem(kind, payer, payee, int(m.amount), 0, _index(region, m.token))
    return admin_item(signed, lambda symbol: _index(region, symbol))


def admin_item(signed: Signed, place: Place) -> AdminItem:
    """Return the item of an administrative message, given where each token stands in Settlement's list."""
    m = signed.message
    if isinstance(m, Register):
        return AdminItem.register(m.account, _key(m.public_key), _key_word(signed, place), m.handle)
    if isinstance(m, RotateKey | GrantRole):
        return AdminItem.set_key(_key(m.public_key), _key_word(signed, place))
    if isinstance(m, AttestIdentity):
        domain = Domain.DOLLAR if m.domain == "dollar" else Domain.CASH
        evidence = bytes.fromhex(m.evidence)
        return AdminItem.identity(m.account, domain, m.tier, m.resident, parse_time(m.expires_at), evidence)
    if isinstance(m, Freeze):
        order = order_digest(m.order, m.authority)
        return AdminItem.freeze(m.account, _place_or_every(place, m.token), order, parse_time(m.expires_at))
    if isinstance(m, Unfreeze):
        order = order_digest(m.order, m.authority)
        return AdminItem.unfreeze(m.account, _place_or_every(place, m.token), order)
    if isinstance(m, Seize):
        order = order_digest(m.order, m.authority)
        return AdminItem.seize(m.account, place(m.token), order, m.to, int(m.amount))
    if isinstance(m, Pause | Resume):
        return AdminItem.pause(_place_or_every(place, m.token), isinstance(m, Pause))
    if isinstance(m, SetMintAllowance):
        minter = minter_of(kid_of(_key(m.public_key)))
        return AdminItem.mint_allowance(minter, place(m.token), int(m.limit), m.period_s)
    if isinstance(m, SetRules):
        return AdminItem.set_rules(bytes.fromhex(m.digest), parse_time(m.effective))
    if isinstance(m, AttestReserve):
        as_of, until = parse_time(m.as_of), parse_time(m.valid_until)
        return AdminItem.attest(place(m.token), int(m.reserve), as_of, until, m.sequence)
    if isinstance(m, Fund | Release):
        make = AdminItem.fund if isinstance(m, Fund) else AdminItem.release
        return make(place(m.token), int(m.amount), m.sequence, bytes.fromhex(m.evidence))
    raise AssertionError(f"a {signed.type} message has no item")


def _key(text: str) -> bytes:
    return unb64url(text.encode())


def _index(region: Region, symbol: str) -> int:
    region.token(symbol)
    return region.token_index[symbol]


def _place_or_every(place: Place, symbol: str) -> int:
    return place(symbol) if symbol else EVERY_TOKEN
