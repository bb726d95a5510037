"""An identity vendor over HTTP."""

from __future__ import annotations

import base64
import hashlib

from msgspec import Struct

from sdt.adapters.vendor.client import VendorClient
from sdt.adapters.vendor.wire import Count, Moment, address_wire, same, segment
from sdt.ports import (
    Evidence,
    KycApplication,
    KycBusiness,
    KycDocument,
    KycOutcome,
    KycPerson,
    KycSubject,
    VendorFault,
)


class _Subject(Struct, frozen=True):
    subject: str
    outcome: KycOutcome
    reasons: tuple[str, ...]


class _Application(Struct, frozen=True):
    application_id: str
    account: str
    outcome: KycOutcome
    reasons: tuple[str, ...]
    tier: Count
    region_state: str
    resident: bool | None
    attempts_left: Count
    decided_at: Moment | None
    expires_at: Moment | None
    residency: KycOutcome
    residency_reasons: tuple[str, ...]
    subjects: tuple[_Subject, ...]


class HttpKyc:
    """The `Kyc` port."""

    def __init__(self, url: str, api_key: str, *, timeout_s: float = 10) -> None:
        self._client = VendorClient("kyc", url, api_key, timeout_s=timeout_s)

    async def apply(self, party: KycPerson | KycBusiness, key: str) -> KycApplication:
        """Hand in an application."""
        answer = await self._client.post(f"/v1/{_collection(party)}", _body(party), f"apply.{key}")
        return self._about(answer, party)

    async def retry(self, application_id: str, party: KycPerson | KycBusiness, key: str) -> KycApplication:
        """Hand in corrected data."""
        path = f"/v1/{_collection(party)}/{segment(application_id)}/attempts"
        application = self._about(await self._client.post(path, _body(party), f"retry.{key}"), party)
        same(application=(application_id, application.application_id))
        return application

    async def submit(self, application_id: str, document: KycDocument, key: str) -> KycApplication:
        """Hand in a document."""
        body = {
            "kind": document.kind.value,
            "subject": document.subject,
            "media_type": document.media_type,
            "sha256": hashlib.sha256(document.content).hexdigest(),
            "content": base64.b64encode(document.content).decode(),
        }
        path = f"/v1/applications/{segment(application_id)}/documents"
        application = self._application(await self._client.post(path, body, f"document.{key}"))
        same(application=(application_id, application.application_id))
        return application

    async def application(self, application_id: str) -> KycApplication:
        """Return an application as it stands now."""
        application = self._application(await self._client.get(f"/v1/applications/{segment(application_id)}"))
        same(application=(application_id, application.application_id))
        return application

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _about(self, answer: bytes, party: KycPerson | KycBusiness) -> KycApplication:
        application = self._application(answer)
        same(account=(party.account, application.account))
        asked = party.subjects
        if asked != tuple(found.subject for found in application.subjects):
            raise VendorFault("The vendor's answer is not about everybody behind the business.")
        return application

    def _application(self, answer: bytes) -> KycApplication:
        return self._client.parse(
            answer,
            _Application,
            lambda wire: KycApplication(
                application_id=wire.application_id,
                account=wire.account,
                outcome=wire.outcome,
                reasons=wire.reasons,
                tier=wire.tier,
                region_state=wire.region_state,
                resident=wire.resident,
                attempts_left=wire.attempts_left,
                decided_at=wire.decided_at,
                expires_at=wire.expires_at,
                evidence=Evidence(answer),
                residency=wire.residency,
                residency_reasons=wire.residency_reasons,
                subjects=tuple(KycSubject(s.subject, s.outcome, s.reasons) for s in wire.subjects),
            ),
        )


def _collection(party: KycPerson | KycBusiness) -> str:
    return "applications" if isinstance(party, KycPerson) else "business-applications"


def _body(party: KycPerson | KycBusiness) -> dict[str, object]:
    if isinstance(party, KycPerson):
        return {"account": party.account, "region_state": party.region_state, **_person(party)}
    return {
        "account": party.account,
        "region_state": party.region_state,
        "legal_name": party.legal_name,
        "kind": party.kind,
        "ein_last4": party.ein_last4,
        "formed_in": party.formed_in,
        "address": address_wire(party.address),
        "control": _person(party.control),
        "owners": [{"share_ppm": owner.share_ppm, **_person(owner.person)} for owner in party.owners],
    }


def _person(person: KycPerson) -> dict[str, object]:
    return {
        "given_name": person.given_name,
        "family_name": person.family_name,
        "born_on": person.born_on.isoformat(),
        "address": address_wire(person.address),
        "ssn_last4": person.ssn_last4,
    }
