"""Who asks: a read is authenticated by a proof, signed for this one request and accepted once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from sdt.api.keys import KeyCache
from sdt.api.services import Services
from sdt.domain.authority import KeyFacts, covered_tokens
from sdt.domain.envelope import b64url
from sdt.domain.errors import Forbidden, Unauthenticated
from sdt.domain.key_scope import scope_of
from sdt.domain.proof import CLOCK_SKEW_S, check_proof, open_proof
from sdt.domain.region import Region
from sdt.domain.registry import Role
from sdt.store import proofs

__all__ = ["Caller", "caller_of"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds this key, which is registered, in force, and signed for this request."""

    key: KeyFacts

    @property
    def account(self) -> str:
        """The account the key belongs to; empty for an official's."""
        return self.key.account

    def owns(self, account: str) -> None:
        """Refuse a caller who asks for somebody else's account. Errors: Forbidden."""
        if self.account != account:
            raise Forbidden("This belongs to another account.", code="not_yours")

    def holds(self, role: Role) -> None:
        """Refuse a caller whose key lacks a role. Errors: Forbidden."""
        if not self.key.roles & role:
            raise Forbidden(f"This needs a key with the role {role.name}.", code="wrong_role")

    def limit(self, region: Region) -> str | None:
        """Return the one token that an official's key is limited to; None for every token."""
        return "".join(covered_tokens(self.key, region)) if self.key.scope else None

    def dollars(self, region: Region) -> list[str]:
        """Return the dollar tokens that an official's key covers."""
        return [one for one in covered_tokens(self.key, region) if region.token(one).domain == "dollar"]

    def banks(self, region: Region) -> None:
        """Refuse whoever has no business with the bank: all but custodians of dollars. Errors: Forbidden."""
        self.holds(Role.CUSTODIAN)
        if not self.dollars(region):
            raise Forbidden("This key's role covers no dollars.", code="wrong_scope")

    def manages(self) -> None:
        """Refuse a key that may not change what belongs to its account. Errors: Forbidden (wrong_scope)."""
        if self.account and scope_of(self.key.scope).role != "manager":
            raise Forbidden("This takes a manager's key of the account.", code="wrong_scope")

    def is_party(self, kid: str, accounts: Collection[str | None]) -> bool:
        """Tell whether the caller signed it, or is one of its accounts."""
        return self.key.kid == kid or (self.account != "" and self.account in accounts)


async def caller_of(services: Services, keys: KeyCache, header: str, method: str, path: str) -> Caller:
    """Return who made the proof in `header` for this method and path.

    Errors: Unauthenticated (proof_…, unknown_key, key_revoked, key_expired, bad_signature).
    """
    proof = open_proof(header)
    key = await keys.find(proof.kid)
    if key is None:
        raise Unauthenticated("No key with this kid is registered.", code="unknown_key")
    now_s = services.now_s
    age_s_max = services.limits.proof_age_s_max
    jti = check_proof(
        proof,
        key.public_key,
        method=method,
        url=services.public_url + path,
        now_s=now_s,
        network=services.network,
        age_s_max=age_s_max,
    )
    if not key.active:
        raise Unauthenticated("This key was revoked.", code="key_revoked")
    if now_s >= key.expires_at_s:
        raise Unauthenticated("This key has expired.", code="key_expired")
    # Under the key's own name: nobody can spend another's jti.
    used = b64url(hashlib.sha256(f"{key.kid}.{jti}".encode()).digest()).decode()
    expires_at_s = now_s + int(age_s_max) + 2 * CLOCK_SKEW_S
    if not await services.store.run(proofs.use, used, expires_at_s, now_s):
        raise Unauthenticated("This proof was used before.", code="proof_used")
    return Caller(key)
