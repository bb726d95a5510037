"""A screening vendor over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

from sdt.adapters.vendor.client import VendorClient
from sdt.adapters.vendor.wire import Moment, address_wire, same, segment
from sdt.ports import Evidence, Purpose, SanctionsList, Screening, ScreeningOutcome, ScreeningRequest

_Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _List(Struct, frozen=True):
    list_date: date
    list_digest: _Digest


class _Screening(Struct, frozen=True):
    screening_id: str
    outcome: ScreeningOutcome
    score: Annotated[int, Meta(ge=0, le=100)]
    reasons: tuple[str, ...]
    purpose: Purpose
    reference: str
    list_date: date
    list_digest: _Digest
    screened_at: Moment


class HttpAml:
    """The `Aml` port."""

    def __init__(self, url: str, api_key: str, *, timeout_s: float = 10) -> None:
        self._client = VendorClient("aml", url, api_key, timeout_s=timeout_s)

    async def screen(self, request: ScreeningRequest, key: str) -> Screening:
        """Screen a name against the list in force."""
        body = {
            "name": request.name,
            "address": address_wire(request.address),
            "purpose": request.purpose.value,
            "reference": request.reference,
        }
        screening = self._screening(await self._client.post("/v1/screenings", body, f"screen.{key}"))
        same(purpose=(request.purpose, screening.purpose), reference=(request.reference, screening.reference))
        return screening

    async def screening(self, screening_id: str) -> Screening:
        """Return an earlier screening."""
        screening = self._screening(await self._client.get(f"/v1/screenings/{segment(screening_id)}"))
        same(screening=(screening_id, screening.screening_id))
        return screening

    async def sanctions_list(self) -> SanctionsList:
        """Return the edition in force."""
        answer = await self._client.get("/v1/list")
        return self._client.parse(answer, _List, lambda wire: SanctionsList(wire.list_date, wire.list_digest))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _screening(self, answer: bytes) -> Screening:
        return self._client.parse(
            answer,
            _Screening,
            lambda wire: Screening(
                screening_id=wire.screening_id,
                outcome=wire.outcome,
                score=wire.score,
                reasons=wire.reasons,
                purpose=wire.purpose,
                reference=wire.reference,
                sanctions_list=SanctionsList(wire.list_date, wire.list_digest),
                screened_at=wire.screened_at,
                evidence=Evidence(answer),
            ),
        )
