"""Whether a key may sign this message: its status, its time, its role, its account, its token.

Pure, and asked alike by the API (from the database's copy of the registry) and by every signer (from the chain's).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sdt.domain.envelope import unb64url
from sdt.domain.errors import Forbidden, Invalid, Unauthenticated, Unprocessable
from sdt.domain.key_scope import KeyScope, scope_of
from sdt.domain.message import (
    Adjust,
    AttestIdentity,
    AttestReserve,
    Deposit,
    Freeze,
    Fund,
    GrantRole,
    Issue,
    Message,
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
)
from sdt.domain.region import Region
from sdt.domain.registry import Role
from sdt.domain.transaction_id import id_time_ms

__all__ = [
    "KeyFacts",
    "approver_role",
    "check_approval",
    "check_authority",
    "check_grant",
    "check_rotation",
    "check_times",
    "check_token",
    "covered_tokens",
    "own_key",
    "parties",
    "speaks_for",
]

CLOCK_SKEW_S = 30

_OF_A_TOKEN: Final = (
    Issue,
    Adjust,
    AttestReserve,
    Fund,
    Release,
    Freeze,
    Unfreeze,
    Seize,
    Pause,
    Resume,
    GrantRole,
    SetMintAllowance,
)
"""What a key whose role is limited to one token may sign of that token alone; an empty token is every token."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What the registry says of a key.

    `account` is empty for an official's key; its `scope` is 0 for every token, else the token's index plus one. Of a
    client's key it is the byte of `sdt.domain.key_scope`.
    Units: expires_at_s in unix seconds.
    """

    kid: str
    public_key: bytes
    account: str
    roles: Role
    scope: int
    active: bool
    expires_at_s: int


def own_key(message: Register) -> bytes:
    """Return the key that a registration is about, which must also have signed it."""
    return unb64url(message.public_key.encode())


def speaks_for(message: Message) -> str:
    """Return the address a client's message speaks for; empty for an official's."""
    if isinstance(message, Transfer):
        return message.payer
    if isinstance(message, Register | Deposit | Redeem | RotateKey):
        return message.account
    return ""


def parties(message: Message) -> tuple[str | None, str | None]:
    """Return whom a message is about, as the books index it: who gives or speaks, and who gets or is spoken of."""
    if isinstance(message, Transfer):
        return message.payer, message.payee
    if isinstance(message, Register | Deposit | Redeem | RotateKey):
        return message.account, None
    if isinstance(message, Adjust) and message.kind != "remint":
        return message.account, None
    return None, getattr(message, "account", None)


def check_authority(signed: Signed, key: KeyFacts, region: Region, now_s: int) -> None:
    """Refuse a key that may not sign this message. The signature itself was verified before.

    Errors: Unauthenticated for a key that no longer counts; Forbidden for the wrong one.
    """
    if not key.active:
        raise Unauthenticated("This key was revoked.", code="key_revoked")
    if now_s >= key.expires_at_s:
        raise Unauthenticated("This key has expired.", code="key_expired")
    message: Message = signed.message
    if not key.roles & message.signer_roles:
        raise Forbidden(f"This key may not sign a {signed.type} message.", code="wrong_role")
    account = speaks_for(message)
    if account and account != key.account:
        raise Forbidden("This key does not belong to the account it speaks for.", code="wrong_key")
    if account and key.scope:
        _check_scope(signed, scope_of(key.scope), region)
    check_token(message, key, region)


def check_token(message: Message, key: KeyFacts, region: Region) -> None:
    """Refuse an official's key whose role is limited to one token and who acts on another, or on every one.

    The rules are every token's, and an identity that of every token of its domain: who has one token attests in its
    domain alone.
    Errors: Forbidden.
    """
    if not key.scope:
        return
    if isinstance(message, _OF_A_TOKEN) and region.token_index.get(message.token) != key.scope - 1:
        named = message.token or "every token"
        raise Forbidden(f"This key's role does not cover {named}.", code="wrong_scope")
    if isinstance(message, SetRules):
        raise Forbidden("This key's role does not cover the rules of every token.", code="wrong_scope")
    if isinstance(message, AttestIdentity):
        domains = {token.domain for token in region.tokens[key.scope - 1 : key.scope]}
        if message.domain not in domains:
            raise Forbidden(f"This key's role does not cover the {message.domain} domain.", code="wrong_scope")


def covered_tokens(key: KeyFacts, region: Region) -> tuple[str, ...]:
    """Return the tokens that an official's key covers: every one, unless its role is limited to one."""
    return tuple(symbol for symbol, index in region.token_index.items() if key.scope in (0, index + 1))


def _check_scope(signed: Signed, scope: KeyScope, region: Region) -> None:
    token = region.token_index.get(getattr(signed.message, "token", ""))
    if not scope.allows(signed.type, token):
        raise Forbidden(f"This key is a {scope.role}'s: it does not cover this {signed.type}.", code="wrong_scope")


def check_rotation(message: RotateKey, key: KeyFacts, target: KeyFacts | None) -> None:
    """Refuse whoever manages one token alone to change or revoke a key that covers more. `target`: how it is known.

    Errors: Forbidden.
    """
    limit = scope_of(key.scope).token
    if target is not None and limit is not None and scope_of(target.scope).token != limit:
        raise Forbidden("That key covers more than yours.", code="wrong_scope")


def check_grant(message: GrantRole, key: KeyFacts, target: KeyFacts | None) -> None:
    """Refuse who administers one token alone to change or revoke a key of another token, or of every one.

    `target`: the key that the message names, as it is known; asked of maker and approver alike.
    Errors: Forbidden.
    """
    if key.scope and target is not None and target.scope != key.scope:
        raise Forbidden("That key covers more than yours, or another token.", code="wrong_scope")


def check_times(signed: Signed, region: Region, now_s: int, *, window: bool) -> None:
    """Refuse a message outside its time. `window`: also hold it to the region's acceptance window, as intake does.

    A signer sees a message later than intake did (it may have been held), so it enforces only what was signed.
    Errors: Unprocessable.
    """
    given_s = id_time_ms(signed.message.transaction_id) // 1000
    if window and now_s > given_s + region.acceptance_window_s:
        raise Unprocessable("The transaction_id has expired; ask for a new one.", code="expired_transaction_id")
    if given_s > now_s + CLOCK_SKEW_S:
        raise Unprocessable("The transaction_id is from the future.", code="clock_skew")
    if signed.issued_at_s > now_s + CLOCK_SKEW_S or signed.issued_at_s < given_s - CLOCK_SKEW_S:
        raise Unprocessable("issued_at is not between the id's time and now: check your clock.", code="clock_skew")
    if window and signed.issued_at_s > given_s + region.acceptance_window_s:
        raise Unprocessable("issued_at lies outside the acceptance window.", code="clock_skew")
    if now_s >= signed.expires_at_s:
        raise Unprocessable("The message's expires_at has passed.", code="expired_message")
    if speaks_for(signed.message) and signed.type in ("transfer", "deposit", "redeem"):
        if signed.expires_at_s > signed.issued_at_s + region.transfer_life_s_max:
            raise Unprocessable(
                f"expires_at is more than {region.transfer_life_s_max} seconds after issued_at.",
                code="expires_too_late",
            )


def approver_role(kind: str) -> Role:
    """Return the second officer's role: of money that is made or taken the approver, of the region's order the other
    administrator.
    """
    return Role.APPROVER if kind in ("issue", "adjust", "seize") else Role.ADMINISTRATOR


def check_approval(signed: Signed, approve: Signed, approver: KeyFacts, maker: KeyFacts, region: Region) -> None:
    """Refuse an approval that is not a second officer's word for this very message.

    Whose role is limited to one token approves what is of that token alone.

    Errors: Forbidden, Invalid.
    """
    if approve.type != "approve" or approve.message.digest != signed.digest.hex():
        raise Invalid("The approval is for another message.", code="approval_mismatch")
    if approver.kid == maker.kid or approver.public_key == maker.public_key:
        raise Forbidden("Maker and checker are the same person.", code="same_officer")
    if not approver.roles & approver_role(signed.type):
        raise Forbidden(f"A {signed.type} message is approved by another role.", code="wrong_role")
    check_token(signed.message, approver, region)
