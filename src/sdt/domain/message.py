"""Every type of message: its claims, their forms, and who may sign it.

One strict validator for everybody: the API, the worker and each signer read a message through `read_message`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import Meta, Struct

from sdt.domain.claims import (
    Address,
    Digest,
    DomainName,
    Handle,
    Id,
    Legal,
    Network,
    OptionalDigest,
    OptionalSymbol,
    Period,
    PublicKey,
    Reference,
    RegionId,
    RoleName,
    Sequence,
    Symbol,
    Time,
    Units,
    format_time,
    parse_time,
    read_claims,
)
from sdt.domain.envelope import Envelope, check_public_key, message_digest, open_envelope, unb64url
from sdt.domain.errors import Invalid
from sdt.domain.key_scope import KeyRole
from sdt.domain.money import UNITS_MAX
from sdt.domain.registry import Role

__all__ = [
    "MESSAGE_TYPES",
    "Adjust",
    "Approve",
    "AttestIdentity",
    "AttestReserve",
    "Deposit",
    "Freeze",
    "Fund",
    "GrantRole",
    "Issue",
    "Message",
    "Pause",
    "Redeem",
    "Register",
    "Release",
    "Resume",
    "RotateKey",
    "Seize",
    "SetMintAllowance",
    "SetRules",
    "Signed",
    "Transfer",
    "Unfreeze",
    "format_time",
    "parse_time",
    "read_message",
    "read_payload",
]


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """The claims every message has. `network` keeps a sandbox message from ever counting in production."""

    signer_roles: ClassVar[Role] = Role.CLIENT
    """Which roles may sign it; CLIENT means the key of the account it speaks for."""
    administrative: ClassVar[bool] = False
    """Whether it travels in a batch of its own kind, a barrier to the batches after it."""
    approval: ClassVar[bool] = False
    """Whether a second officer's `approve` must stand beside it."""

    version: Literal[1]
    network: Network
    transaction_id: Id
    region: RegionId
    issued_at: Time


class Register(Message, frozen=True, tag="register"):
    """A new account, signed by the key it registers. The address is random: derived from nothing."""

    administrative: ClassVar[bool] = True

    user_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
    account: Address
    handle: Handle
    public_key: PublicKey
    residency: RegionId


class RotateKey(Message, frozen=True, tag="rotate_key"):
    """Add a key to the signer's own account, or revoke one; `role` and `token` limit what the added key may do."""

    administrative: ClassVar[bool] = True

    account: Address
    public_key: PublicKey
    action: Literal["add", "revoke"]
    expires_at: Time
    role: KeyRole = "manager"
    token: OptionalSymbol = ""


class GrantRole(Message, frozen=True, tag="grant_role"):
    """Give an official's key its one role, or take it back; an empty token means every token."""

    signer_roles: ClassVar[Role] = Role.ADMINISTRATOR
    administrative: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    public_key: PublicKey
    role: RoleName
    token: OptionalSymbol
    action: Literal["grant", "revoke"]
    expires_at: Time


class AttestIdentity(Message, frozen=True, tag="attest_identity"):
    """Who stands behind an account was established, for one domain."""

    signer_roles: ClassVar[Role] = Role.KYC_DESK
    administrative: ClassVar[bool] = True

    account: Address
    domain: DomainName
    tier: Annotated[int, Meta(ge=0, le=9)]
    resident: bool
    evidence: Digest
    expires_at: Time


class Transfer(Message, frozen=True, tag="transfer"):
    """A payment. The handle is the one the payer verified: it must be bound to the payee on chain."""

    token: Symbol
    payer: Address
    payee: Address
    payee_handle: Handle
    amount: Units
    fee_max: Units
    memo: OptionalDigest
    expires_at: Time


class Deposit(Message, frozen=True, tag="deposit"):
    """Bring value in: dollars by ACH from a linked bank account, or metal dropped off at a depository."""

    token: Symbol
    account: Address
    amount: Units
    source: Reference
    expires_at: Time


class Redeem(Message, frozen=True, tag="redeem"):
    """Take value out: the token is burnt, then the bank pays or the depository hands over."""

    token: Symbol
    account: Address
    amount: Units
    fee_max: Units
    destination: Reference
    expires_at: Time


class Issue(Message, frozen=True, tag="issue"):
    """Mint against one deposit whose value stands in the reserve. Deposit and evidence are unique for ever."""

    signer_roles: ClassVar[Role] = Role.ISSUER
    approval: ClassVar[bool] = True

    token: Symbol
    account: Address
    amount: Units
    deposit: Id
    evidence: Digest


class Adjust(Message, frozen=True, tag="adjust"):
    """Set right what a bank undid, naming the transaction it undid and the evidence: both together, once for ever.

    A clawback burns what a returned deposit had minted; a re-mint gives back a payout that failed; a write-down burns
    tokens of the region's own loss account against a debt that nobody pays.
    """

    signer_roles: ClassVar[Role] = Role.ISSUER
    approval: ClassVar[bool] = True

    kind: Literal["clawback", "remint", "write_down"]
    token: Symbol
    account: Address
    amount: Units
    original: Id
    evidence: Digest


class AttestReserve(Message, frozen=True, tag="attest_reserve"):
    """What the custodian finds in the reserve, and how long that statement holds."""

    signer_roles: ClassVar[Role] = Role.CUSTODIAN
    administrative: ClassVar[bool] = True

    token: Symbol
    reserve: Units
    holdings: Digest
    as_of: Time
    valid_until: Time
    sequence: Sequence


class Fund(Message, frozen=True, tag="fund"):
    """Value entered the reserve after the last attestation; numbered, used once."""

    signer_roles: ClassVar[Role] = Role.CUSTODIAN
    administrative: ClassVar[bool] = True

    token: Symbol
    amount: Units
    sequence: Sequence
    evidence: Digest


class Release(Message, frozen=True, tag="release"):
    """Value left the reserve after the last attestation; numbered, used once."""

    signer_roles: ClassVar[Role] = Role.CUSTODIAN
    administrative: ClassVar[bool] = True

    token: Symbol
    amount: Units
    sequence: Sequence
    evidence: Digest


class Freeze(Message, frozen=True, tag="freeze"):
    """Stop an account under an order. An empty token means every token."""

    signer_roles: ClassVar[Role] = Role.COMPLIANCE_OFFICER
    administrative: ClassVar[bool] = True

    account: Address
    token: OptionalSymbol
    order: Legal
    authority: Legal
    expires_at: Time


class Unfreeze(Message, frozen=True, tag="unfreeze"):
    """Lift an order."""

    signer_roles: ClassVar[Role] = Role.COMPLIANCE_OFFICER
    administrative: ClassVar[bool] = True

    account: Address
    token: OptionalSymbol
    order: Legal
    authority: Legal


class Seize(Message, frozen=True, tag="seize"):
    """Move an amount out of a frozen account, as an order says; `to` holds it for whom the order names."""

    signer_roles: ClassVar[Role] = Role.COMPLIANCE_OFFICER
    administrative: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    account: Address
    token: Symbol
    amount: Units
    to: Address
    order: Legal
    authority: Legal


class Pause(Message, frozen=True, tag="pause"):
    """Stop every movement of a token; an empty token means every token. One officer suffices to stop."""

    signer_roles: ClassVar[Role] = Role.COMPLIANCE_OFFICER | Role.ADMINISTRATOR
    administrative: ClassVar[bool] = True

    token: OptionalSymbol
    reason: Legal


class Resume(Message, frozen=True, tag="resume"):
    """Let a paused token go on, which takes two."""

    signer_roles: ClassVar[Role] = Role.ADMINISTRATOR
    administrative: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    token: OptionalSymbol
    reason: Legal


class SetMintAllowance(Message, frozen=True, tag="set_mint_allowance"):
    """Say how much of a token one issuer's key may mint in each period of chain time; zero stops it.

    Units: limit in the token's smallest unit.
    """

    signer_roles: ClassVar[Role] = Role.ADMINISTRATOR
    administrative: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    public_key: PublicKey
    token: Symbol
    limit: Units
    period_s: Period


class Approve(Message, frozen=True, tag="approve"):
    """A second officer's word for another message. It settles together with that message, never alone."""

    signer_roles: ClassVar[Role] = Role.APPROVER | Role.ADMINISTRATOR

    digest: Digest


class SetRules(Message, frozen=True, tag="set_rules"):
    """Put a rules file in force, by its digest."""

    signer_roles: ClassVar[Role] = Role.ADMINISTRATOR
    administrative: ClassVar[bool] = True
    approval: ClassVar[bool] = True

    digest: Digest
    effective: Time


_AnyMessage = (
    Register
    | RotateKey
    | GrantRole
    | AttestIdentity
    | Transfer
    | Deposit
    | Redeem
    | Issue
    | Adjust
    | AttestReserve
    | Fund
    | Release
    | Freeze
    | Unfreeze
    | Seize
    | Pause
    | Resume
    | SetMintAllowance
    | Approve
    | SetRules
)
MESSAGE_TYPES: Final[dict[str, type[Message]]] = {
    str(cls.__struct_config__.tag): cls for cls in Message.__subclasses__()
}
_UNITS: Final = {
    name: tuple(f for f in ("amount", "fee_max", "reserve", "limit") if f in cls.__annotations__)
    for name, cls in MESSAGE_TYPES.items()
}


class Signed(Struct, frozen=True):
    """A message with the evidence for it: exact bytes, their digest, and the key that signed."""

    raw: bytes
    digest: bytes
    kid: str
    type: str
    message: Any
    issued_at_s: int
    expires_at_s: int
    """When the message's own time to act ends; for types without one, the far future."""


NEVER_S: Final = 2**40 - 1


def read_payload(kind: str, payload: bytes) -> Message:
    """Return the message in `payload`, whose header announced `kind`.

    Errors: Invalid, naming the claim that is wrong.
    """
    message = read_claims(kind, payload, MESSAGE_TYPES)
    for name in _UNITS[kind]:
        if int(getattr(message, name)) > UNITS_MAX:
            raise Invalid(f"The {name} is more than {UNITS_MAX} units.", code="amount")
    _check_meaning(message)
    return message


def _check_meaning(message: Message) -> None:
    """What no single claim's form can say."""
    if isinstance(message, Seize) and message.account == message.to:
        raise Invalid("A seizure leads to another account.", code="same_account")
    if isinstance(message, Transfer):
        if message.payer == message.payee:
            raise Invalid("Payer and payee are the same account.", code="same_account")
        if message.amount == "0":
            raise Invalid("A transfer moves more than nothing.", code="amount")
    elif isinstance(message, Deposit | Redeem | Issue | Adjust | Fund | Release | Seize):
        if message.amount == "0":
            raise Invalid("The amount is zero.", code="amount")
    elif isinstance(message, Register | RotateKey | GrantRole | SetMintAllowance):
        check_public_key(unb64url(message.public_key.encode()))
    if isinstance(message, AttestReserve) and parse_time(message.as_of) >= parse_time(message.valid_until):
        raise Invalid("The attestation ends before it begins.", code="time")


def read_message(raw: bytes, envelope: Envelope | None = None) -> Signed:
    """Return the typed message in `raw`. Its signature must have been verified before anything acts on it.

    Errors: Invalid.
    """
    envelope = envelope or open_envelope(raw)
    message = read_payload(envelope.type, envelope.payload)
    expires = getattr(message, "expires_at", None) if not isinstance(message, _STANDING) else None
    return Signed(
        raw,
        message_digest(raw),
        envelope.kid,
        envelope.type,
        message,
        parse_time(message.issued_at),
        parse_time(expires) if expires else NEVER_S,
    )


# In these, `expires_at` is when what they establish ends, not the time left to act on the message.
_STANDING: Final = (RotateKey, GrantRole, AttestIdentity, Freeze)
