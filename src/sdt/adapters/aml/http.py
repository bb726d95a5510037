"""A screening vendor, spoken to as its folder says."""

from __future__ import annotations

from sdt.adapters.vendor.agreement import same
from sdt.adapters.vendor.mapped import MappedVendor
from sdt.ports.aml import SanctionsList, Screening, ScreeningRequest


class HttpAml:
    """The `Aml` port."""

    def __init__(self, vendor: MappedVendor) -> None:
        self._vendor = vendor

    async def screen(self, request: ScreeningRequest, key: str) -> Screening:
        """Screen a name against the list in force."""
        screening = await self._vendor.call("screen", Screening, {"request": request}, key)
        same(purpose=(request.purpose, screening.purpose), reference=(request.reference, screening.reference))
        return screening

    async def screening(self, screening_id: str) -> Screening:
        """Return an earlier screening."""
        screening = await self._vendor.call("screening", Screening, {"screening_id": screening_id})
        same(screening=(screening_id, screening.screening_id))
        return screening

    async def sanctions_list(self) -> SanctionsList:
        """Return the edition in force."""
        return await self._vendor.call("sanctions_list", SanctionsList, {})

    async def close(self) -> None:
        """Close the connections."""
        await self._vendor.close()
