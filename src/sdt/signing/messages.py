"""One message before a signer: its signature, its signer, its time, its rules."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from sdt.domain.adjustment import check_account, check_original
from sdt.domain.authority import (
    KeyFacts,
    check_approval,
    check_authority,
    check_grant,
    check_rotation,
    check_times,
    own_key,
    speaks_for,
)
from sdt.domain.envelope import Envelope, kid_of, open_envelope, unb64url
from sdt.domain.errors import Forbidden, Invalid, Unauthenticated, Unprocessable
from sdt.domain.items import build_item, key_word
from sdt.domain.message import (
    Adjust,
    Approve,
    Deposit,
    GrantRole,
    Register,
    RotateKey,
    Seize,
    Signed,
    Transfer,
    read_message,
)
from sdt.domain.region import Region
from sdt.domain.registry import NEVER_S, KeyStatus, Role, handle_hash
from sdt.domain.rules import Refused, check_rules, check_seizure
from sdt.domain.transaction_id import id_time_ms
from sdt.signing.registry import Registry
from sdt.signing.wire import Entry

ATTACHMENTS_MAX: Final = 2

_handle_hash = lru_cache(maxsize=20_000)(handle_hash)


class MessageChecks:
    """The checks of one batch's messages, at one time, against one state of the registry."""

    def __init__(self, network: str, region: Region, registry: Registry, administers: bool, now_s: int) -> None:
        self._network = network
        self._region = region
        self._registry = registry
        self._administers = administers
        self._now_s = now_s
        self._life_s = region.acceptance_window_s + region.transfer_life_s_max
        self._set: dict[str, KeyFacts] = {}
        """Keys as messages before this one in the batch set them."""

    def check(self, entry: Entry) -> Signed:
        """Return the message if everything about it is right.

        Errors: SdtError, whose code and detail are the refusal.
        """
        signed, key = self._verify(entry.jws)
        if isinstance(signed.message, Deposit | Approve) or signed.message.administrative is not self._administers:
            raise Invalid(f"A {signed.type} message has no place in this batch.", code="wrong_batch_kind")
        check_times(signed, self._region, self._now_s, window=False)
        self._check_age(signed)
        beside = entry.attachments
        if isinstance(signed.message, Adjust):
            beside = self._check_adjustment(signed.message, beside)
        self._check_approval(signed, key, beside)
        refusal = check_rules(signed.type, signed.message, self._region, self._registry.account, self._now_s)
        if refusal is not None:
            raise Refused(refusal)
        if isinstance(signed.message, Transfer):
            self._check_handle(signed.message)
        if isinstance(signed.message, Seize):
            check_seizure(signed.message, self._region, self._registry.account, self._now_s)
        build_item(signed, self._region)
        if isinstance(signed.message, RotateKey | GrantRole):
            self._set_key(signed, signed.message)
        return signed

    def _verify(self, raw: bytes) -> tuple[Signed, KeyFacts]:
        """Check the signature over the exact bytes, then read them, then ask whether this key may sign this.

        Errors: Unauthenticated, Invalid, Forbidden.
        """
        envelope = open_envelope(raw)
        key = self._registry.key(envelope.kid) if envelope.type != "register" else None
        if key is not None:
            envelope.verify(key.public_key)
            signed = read_message(raw, envelope)
        elif envelope.type == "register":
            signed, key = self._verify_register(raw, envelope)
        else:
            raise Unauthenticated("The registry knows no such key.", code="unknown_key")
        if signed.message.network != self._network:
            raise Forbidden(f"This message is for the network {signed.message.network}.", code="wrong_network")
        if signed.message.region != self._region.id:
            raise Forbidden(f"This message is for the region {signed.message.region}.", code="wrong_region")
        check_authority(signed, key, self._region, self._now_s)
        if isinstance(signed.message, RotateKey):
            check_rotation(signed.message, key, self._named(signed.message))
        elif isinstance(signed.message, GrantRole):
            check_grant(signed.message, key, self._named(signed.message))
        return signed, key

    def _named(self, message: RotateKey | GrantRole) -> KeyFacts | None:
        """Return the key that a message is about, as the contract will find it."""
        kid = kid_of(unb64url(message.public_key.encode()))
        return self._set.get(kid) or self._registry.key(kid)

    def _set_key(self, signed: Signed, message: RotateKey | GrantRole) -> None:
        word, public_key = key_word(signed, self._region), unb64url(message.public_key.encode())
        kid, active = kid_of(public_key), word.status is KeyStatus.ACTIVE
        self._set[kid] = KeyFacts(kid, public_key, word.account, word.roles, word.scope, active, word.expires_s)

    def _verify_register(self, raw: bytes, envelope: Envelope) -> tuple[Signed, KeyFacts]:
        """A registration is signed by the very key that it brings, which the registry must not know."""
        signed = read_message(raw, envelope)
        assert isinstance(signed.message, Register)
        public_key = own_key(signed.message)
        if kid_of(public_key) != envelope.kid:
            raise Unauthenticated("A registration is signed by the key that it registers.", code="unknown_key")
        envelope.verify(public_key)
        if self._registry.key(envelope.kid) is not None or self._registry.handle_of(signed.message.account):
            raise Unprocessable("The account or its key is registered already.", code="already_exists")
        return signed, KeyFacts(envelope.kid, public_key, signed.message.account, Role.CLIENT, 0, True, NEVER_S)

    def _check_age(self, signed: Signed) -> None:
        """Refuse what is older than any message may be: ids older than this are no longer remembered.

        Errors: Unprocessable.
        """
        if self._now_s > id_time_ms(signed.message.transaction_id) // 1000 + self._life_s:
            raise Unprocessable("The message is older than messages are accepted.", code="expired_message")

    def _check_approval(self, signed: Signed, maker: KeyFacts, attachments: tuple[bytes, ...]) -> None:
        """Demand a second officer's word where the type asks for it.

        Errors: Forbidden, Invalid, Unauthenticated.
        """
        if not signed.message.approval:
            if attachments:
                raise Invalid(f"Nothing stands beside a {signed.type} message.", code="approval_mismatch")
            return
        if not 0 < len(attachments) <= ATTACHMENTS_MAX:
            raise Forbidden(f"A {signed.type} message needs a second officer's approval.", code="approval_missing")
        for raw in attachments:
            approval, checker = self._verify(raw)
            check_times(approval, self._region, self._now_s, window=False)
            self._check_age(approval)
            check_approval(signed, approval, checker, maker, self._region)
            if isinstance(signed.message, GrantRole):
                check_grant(signed.message, checker, self._named(signed.message))

    def _check_adjustment(self, message: Adjust, attachments: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Hold an adjustment against the original message, which stands last beside it; return what else stands there.

        The original is evidence, not an act: that its key or its time has run out since does not unsay it.
        Errors: Forbidden, Invalid, Unauthenticated, Unprocessable.
        """
        if not attachments:
            raise Forbidden("An adjustment comes with the message of its original.", code="original_missing")
        *approvals, raw = attachments
        envelope = open_envelope(raw)
        key = self._registry.key(envelope.kid)
        if key is None:
            raise Unauthenticated("The registry knows no such key.", code="unknown_key")
        envelope.verify(key.public_key)
        original = read_message(raw, envelope).message
        if not key.account or key.account != speaks_for(original):
            raise Forbidden("The original is not signed for the account it speaks for.", code="wrong_key")
        check_original(message, original, self._region)
        check_account(message, self._region, self._registry.account, self._now_s)
        return tuple(approvals)

    def _check_handle(self, message: Transfer) -> None:
        """The payer verified a handle: it must be bound to the payee on chain.

        Errors: Unprocessable.
        """
        if self._registry.handle_of(message.payee) != _handle_hash(message.payee_handle):
            raise Unprocessable("The payee's handle is not bound to that account on chain.", code="handle_mismatch")
