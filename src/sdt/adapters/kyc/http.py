"""An identity vendor over HTTP."""

from __future__ import annotations

from msgspec import Struct

from sdt.adapters.vendor.client import VendorClient
from sdt.adapters.vendor.wire import Count, Moment, address_wire, same, segment
from sdt.ports import Evidence, KycApplication, KycOutcome, KycPerson


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


class HttpKyc:
    """The `Kyc` port."""

    def __init__(self, url: str, api_key: str, *, timeout_s: float = 10) -> None:
        self._client = VendorClient("kyc", url, api_key, timeout_s=timeout_s)

    async def apply(self, person: KycPerson, key: str) -> KycApplication:
        """Hand in an application."""
        application = self._application(await self._client.post("/v1/applications", _body(person), f"apply.{key}"))
        same(account=(person.account, application.account))
        return application

    async def retry(self, application_id: str, person: KycPerson, key: str) -> KycApplication:
        """Hand in corrected data."""
        path = f"/v1/applications/{segment(application_id)}/attempts"
        application = self._application(await self._client.post(path, _body(person), f"retry.{key}"))
        same(application=(application_id, application.application_id), account=(person.account, application.account))
        return application

    async def application(self, application_id: str) -> KycApplication:
        """Return an application as it stands now."""
        application = self._application(await self._client.get(f"/v1/applications/{segment(application_id)}"))
        same(application=(application_id, application.application_id))
        return application

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

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
            ),
        )


def _body(person: KycPerson) -> dict[str, object]:
    return {
        "account": person.account,
        "given_name": person.given_name,
        "family_name": person.family_name,
        "born_on": person.born_on.isoformat(),
        "address": address_wire(person.address),
        "ssn_last4": person.ssn_last4,
        "region_state": person.region_state,
    }
