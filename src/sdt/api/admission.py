"""What a message must be before it is stored: authentic, sent in its time, allowed to its signer.

Pure. The order is the order of the refusals: form, key, signature, claims, id, network and region, time, role, fee.
Rules of the region, history and sanctions are the worker's; every signer repeats what is checked here.
"""

from __future__ import annotations

from sdt.api.ids import Ids
from sdt.domain.authority import KeyFacts, check_authority, check_times, own_key, parties
from sdt.domain.envelope import Envelope, kid_of
from sdt.domain.errors import Invalid, Unauthenticated, Unprocessable
from sdt.domain.items import CLIENT_KEY_LIFE_S, fee_of
from sdt.domain.message import Register, Signed, read_message
from sdt.domain.region import Region
from sdt.domain.registry import Role
from sdt.store.intake import AcceptedRow

__all__ = ["authenticate", "check_act", "row_of"]


def authenticate(envelope: Envelope, key: KeyFacts | None) -> tuple[Signed, KeyFacts]:
    """Return the message and the key that signed it. A registration brings its own key.

    Errors: Unauthenticated (unknown_key, kid_mismatch, bad_signature); Invalid.
    """
    if envelope.type == "register":
        signed = read_message(envelope.raw, envelope)
        key = _registered_by(envelope, signed)
        envelope.verify(key.public_key)
        return signed, key
    if key is None:
        raise Unauthenticated("No key with this kid is registered.", code="unknown_key")
    # The transmitted bytes first: nothing of an unsigned message is parsed.
    envelope.verify(key.public_key)
    return read_message(envelope.raw, envelope), key


def _registered_by(envelope: Envelope, signed: Signed) -> KeyFacts:
    message: Register = signed.message
    public_key = own_key(message)
    if kid_of(public_key) != envelope.kid:
        raise Unauthenticated("The kid is not the thumbprint of the public_key.", code="kid_mismatch")
    return KeyFacts(
        kid=envelope.kid,
        public_key=public_key,
        account=message.account,
        roles=Role.CLIENT,
        scope=0,
        active=True,
        expires_at_s=signed.issued_at_s + CLIENT_KEY_LIFE_S,
    )


def check_id(signed: Signed, ids: Ids, expected: str | None) -> None:
    """Refuse an id nobody was given, and a message sent to another id's address. Errors: Invalid, NotFound."""
    transaction_id = signed.message.transaction_id
    if expected is not None and expected != transaction_id:
        raise Invalid(f"The address names {expected}, the message {transaction_id}.", code="transaction_id_mismatch")
    ids.check(transaction_id)


def check_act(signed: Signed, key: KeyFacts, region: Region, network: str, now_s: int) -> int:
    """Refuse what may not be done, or not now; return the fee.

    These answers change with time, so a message that was stored before never comes here again.
    Units: the fee in the token's smallest unit. Errors: Invalid, Unauthenticated, Forbidden, Unprocessable.
    """
    message = signed.message
    if message.network != network:
        raise Unprocessable(f"This is the network {network!r}.", code="wrong_network")
    if message.region != region.id:
        raise Unprocessable(f"This is the region {region.id}.", code="wrong_region")
    check_times(signed, region, now_s, window=True)
    check_authority(signed, key, region, now_s)
    if token := getattr(message, "token", ""):
        region.token(token)
    return fee_of(signed, region)


def row_of(signed: Signed, fee_units: int, now_ms: int) -> AcceptedRow:
    """Return what is stored of an admitted message."""
    message = signed.message
    account, counterparty = parties(message)
    return AcceptedRow(
        id=message.transaction_id,
        type=signed.type,
        administrative=message.administrative,
        kid=signed.kid,
        account=account,
        counterparty=counterparty,
        token=getattr(message, "token", None) or None,
        units=int(getattr(message, "amount", 0) or getattr(message, "reserve", 0)),
        fee_units=fee_units,
        digest=signed.digest,
        raw=signed.raw,
        issued_at_s=signed.issued_at_s,
        expires_at_s=signed.expires_at_s,
        accepted_at_ms=now_ms,
    )
