"""Attestation between locations: what a location says of itself, and what it demands of its peers.

A document's `public_key` is the key of the certificate that the location shows over TLS, so the enclave that speaks is
the one at the other end of the connection; its `user_data` says which location of which network it is. Both ways: a
caller demands it of whom it reached before its first call, the called demands it of the caller before it answers, over
its own link to it, and everybody of everybody with a fresh nonce before a joint job or a deal.
Where no policy is configured nothing is demanded, and the status says so.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sdt.domain.attestation import AttestationRefused, Document, ImagePolicy
from sdt.domain.errors import Forbidden, Invalid, SdtError
from sdt.domain.strict_json import parse_object
from sdt.signing.attestation import verify_attestation
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.link import Ask, Link, Prove
from sdt.signing.tls import COORDINATOR, Credentials, public_key_of_file
from sdt.signing.wire import Operation
from sdt.signing.wire_attestation import Attest, Attested

NONCE_BYTES: Final = 32
LOOK_PERIOD_S: Final = 60.0

_log = logging.getLogger("sdt.signing.attested")


class PeerNotAttested(Forbidden):
    """A peer's attestation is missing or refused; `check` says by which check."""

    code = "peer_not_attested"


@dataclass(frozen=True, slots=True)
class LocationStatement:
    """What a location says of itself in `user_data`: one spelling, JSON with its members in order.

    `seal` says what its secrets at rest are sealed under: `kms` and the key's name, where only KMS gives the key.
    Shape: intent_key 64 hex digits; chain_key an address, or empty before key generation; agreement 64 hex digits, or
    empty where nothing is demanded.
    """

    network: str
    party: int
    intent_key: str
    chain_key: str
    agreement: str
    seal: str

    def encode(self) -> bytes:
        """Return it as it stands in a document."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def of(cls, document: Document) -> LocationStatement:
        """Read it. Errors: AttestationRefused."""
        raw = document.user_data or b""
        try:
            said = parse_object(raw)
            statement = cls(**said)
        except (Invalid, TypeError):
            raise AttestationRefused("statement", "The document is not about a signer.") from None
        texts = (statement.network, statement.intent_key, statement.chain_key, statement.agreement, statement.seal)
        if not all(isinstance(each, str) for each in texts) or type(statement.party) is not int:
            raise AttestationRefused("statement", "The document is not about a signer.")
        if statement.encode() != raw:
            raise AttestationRefused("statement", "The document spells what it is about in another way.")
        return statement


class Attester:
    """This location's word about itself, from its security module, if it has one."""

    def __init__(self, nsm: Nsm | None, tls: Credentials, statement: Callable[[], LocationStatement]) -> None:
        self._nsm = nsm
        self._tls = tls
        self._statement = statement

    @property
    def able(self) -> bool:
        """Whether there is a security module to ask."""
        return self._nsm is not None

    async def attest(self, operation: Attest) -> Attested:
        """Answer with a document for this nonce, or with none. Errors: NsmFailed."""
        if self._nsm is None:
            return Attested(b"")
        nsm, key, about = self._nsm, public_key_of_file(Path(self._tls.certificate)), self._statement().encode()
        return Attested(await asyncio.to_thread(nsm.attest, operation.nonce, public_key=key, user_data=about))


@dataclass(frozen=True, slots=True)
class _Checked:
    key: bytes
    at_s: float


class PeerChecks:
    """What this location demands of its peers; nothing at all without a policy."""

    def __init__(
        self,
        policy: ImagePolicy | None,
        network: str,
        intent_keys: Mapping[int, str],
        agreement: str,
        now_s: Callable[[], float],
    ) -> None:
        self._agreement = agreement
        self._policy = policy
        self._network = network
        self._intent_keys = intent_keys
        self._now_s = now_s
        self._links: Mapping[int, Link] = {}
        self._checked: dict[int, _Checked] = {}

    @property
    def demands(self) -> bool:
        """Whether anything is demanded."""
        return self._policy is not None

    def prover(self, party: int) -> Prove | None:
        """Return what a link to this party demands at each connection."""
        if self._policy is None:
            return None
        policy = self._policy

        async def prove(key: bytes, ask: Ask) -> None:
            try:
                await self._check(policy, party, key, ask)
            except PeerNotAttested:
                self._checked.pop(party, None)
                raise
            self._checked[party] = _Checked(key, asyncio.get_running_loop().time())

        return prove

    def use(self, links: Mapping[int, Link]) -> None:
        """Take the links by which peers are asked."""
        self._links = links

    async def _check(self, policy: ImagePolicy, party: int, key: bytes, ask: Ask) -> None:
        """Errors: PeerNotAttested."""
        nonce = os.urandom(NONCE_BYTES)
        answer = await ask(Attest(nonce))
        raw = answer.document if isinstance(answer, Attested) else b""
        try:
            if not raw:
                raise AttestationRefused("missing", "It has no attestation.")
            document = verify_attestation(raw, policy, nonce, int(self._now_s() * 1000))
            said = LocationStatement.of(document)
            if document.public_key != key:
                raise AttestationRefused("tls_key", "The enclave vouches for another key than the connection's.")
            if (said.network, said.party, said.intent_key) != (self._network, party, self._intent_keys[party]):
                raise AttestationRefused("statement", "The enclave speaks for another location.")
            if said.agreement != self._agreement:
                raise AttestationRefused("agreement", "The enclave was told other peers or another policy.")
            if policy.seals and said.seal not in policy.seals:
                raise AttestationRefused("seal", "The enclave seals its secrets under what the policy does not name.")
        except (AttestationRefused, Invalid) as error:
            check = error.check if isinstance(error, AttestationRefused) else error.code
            _log.error("The attestation of location %d is refused (%s): %s", party, check, error.detail)
            raise PeerNotAttested(
                f"Location {party} is not attested: {error.detail}", party=party, check=check
            ) from None

    async def admit(self, caller: int, key: bytes, operation: Operation) -> None:
        """Refuse a peer's operation until that peer, under the key it called with, has proven what it runs.

        The coordinator is trusted with nothing and proves nothing; asking for an attestation is free to all.
        Errors: PeerNotAttested; LinkLost when the peer cannot be asked.
        """
        if self._policy is None or caller == COORDINATOR or isinstance(operation, Attest):
            return
        if not self._is_fresh(caller, key):
            await self._links[caller].prove()
        if not self._is_fresh(caller, key):
            raise PeerNotAttested(
                f"Location {caller} called with another key than it attested.", party=caller, check="tls_key"
            )

    def _is_fresh(self, party: int, key: bytes) -> bool:
        known = self._checked.get(party)
        return known is not None and known.key == key and party in self.attested()

    def attested(self) -> tuple[int, ...]:
        """Return whose attestation was checked and is no older than the policy allows."""
        if self._policy is None:
            return ()
        oldest_s = asyncio.get_running_loop().time() - self._policy.age_s_max
        return tuple(sorted(party for party, each in self._checked.items() if each.at_s >= oldest_s))

    async def prove_all(self) -> dict[int, bytes]:
        """Demand a fresh attestation of every peer now; return the keys that they attested, none without a policy.

        Errors: PeerNotAttested, LinkLost.
        """
        if self._policy is None:
            return {}
        await asyncio.gather(*(link.prove() for link in self._links.values()))
        keys = {party: each.key for party, each in self._checked.items()}
        if missing := sorted(self._links.keys() - keys.keys()):  # another check refused it meanwhile
            raise PeerNotAttested(f"Location {missing[0]} is not attested.", party=missing[0], check="missing")
        return keys

    async def run(self) -> None:
        """Ask again and again, so that the status tells the truth."""
        while self._policy is not None:
            for link in self._links.values():
                try:
                    await link.prove()
                except SdtError as error:
                    _log.info("Location %d proved nothing: %s", link.party, error.detail)
            await asyncio.sleep(min(LOOK_PERIOD_S, self._policy.age_s_max / 3))
