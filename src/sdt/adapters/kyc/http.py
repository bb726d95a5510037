"""An identity vendor, spoken to as its folder says."""

from __future__ import annotations

from sdt.adapters.vendor.agreement import same
from sdt.adapters.vendor.mapped import MappedVendor
from sdt.ports.evidence import VendorFault
from sdt.ports.kyc import KycApplication, KycBusiness, KycDocument, KycPerson


class HttpKyc:
    """The `Kyc` port; people and businesses are operations of their own, for most vendors keep them apart."""

    def __init__(self, vendor: MappedVendor) -> None:
        self._vendor = vendor

    async def apply(self, party: KycPerson | KycBusiness, key: str) -> KycApplication:
        """Hand in an application."""
        name = "apply" if isinstance(party, KycPerson) else "apply_business"
        return _about(party, await self._vendor.call(name, KycApplication, {"party": party}, key))

    async def retry(self, application_id: str, party: KycPerson | KycBusiness, key: str) -> KycApplication:
        """Hand in corrected data."""
        name = "retry" if isinstance(party, KycPerson) else "retry_business"
        asked = {"application_id": application_id, "party": party}
        application = _about(party, await self._vendor.call(name, KycApplication, asked, key))
        same(application=(application_id, application.application_id))
        return application

    async def submit(self, application_id: str, document: KycDocument, key: str) -> KycApplication:
        """Hand in a document."""
        asked = {"application_id": application_id, "document": document}
        application = await self._vendor.call("submit", KycApplication, asked, key)
        same(application=(application_id, application.application_id))
        return application

    async def application(self, application_id: str) -> KycApplication:
        """Return an application as it stands now."""
        application = await self._vendor.call("application", KycApplication, {"application_id": application_id})
        same(application=(application_id, application.application_id))
        return application

    async def close(self) -> None:
        """Close the connections."""
        await self._vendor.close()


def _about(party: KycPerson | KycBusiness, application: KycApplication) -> KycApplication:
    same(account=(party.account, application.account))
    if party.subjects != tuple(found.subject for found in application.subjects):
        raise VendorFault("The vendor's answer is not about everybody behind the business.")
    return application
