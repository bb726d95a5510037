"""What the three locations' enclaves attest, for whoever asks: the documents as they came, for the asker to check."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from sdt.api.declared import problems
from sdt.api.runtime import Running
from sdt.api.services import Services
from sdt.api.strict_route import StrictRoute
from sdt.domain.errors import Unavailable
from sdt.store import attestations

__all__ = ["router"]

WAIT_S: Final = 8.0
LOOK_S: Final = 0.1

router = APIRouter(route_class=StrictRoute, tags=["region"])


class LocationAttestation(BaseModel):
    """One location's word about what it runs."""

    location: int = Field(ge=1, le=3)
    document: str | None = Field(
        description="A COSE_Sign1 of its security module, in base64; null where it runs in no enclave, or is away."
    )


class Attestations(BaseModel):
    """Three documents for one nonce. The API has checked nothing: whoever asked checks, with a policy of their own."""

    nonce: str
    network: str
    locations: list[LocationAttestation]


async def ask_locations(services: Services, nonce: str) -> Attestations:
    """Have the worker ask the locations, and wait for what they say.

    Errors: RateLimited, Unavailable.
    """
    await services.store.run(attestations.ask, nonce, services.now_ms())
    for _ in range(int(WAIT_S / LOOK_S)):
        found = await services.store.read(attestations.answered, nonce)
        if found is not None:
            locations = [
                LocationAttestation(location=int(party), document=document)
                for party, document in sorted(json.loads(found).items())
            ]
            return Attestations(nonce=nonce, network=services.network, locations=locations)
        await asyncio.sleep(LOOK_S)
    raise Unavailable("The locations' answers did not come in time.", code="locations_silent")


@router.get(
    "/v1/attestation",
    summary="What the signers run",
    responses=problems(429),
    operation_id="getAttestation",
)
async def _attestation(
    runtime: Running,
    nonce: Annotated[
        str, Query(pattern=r"^([0-9a-f]{2}){16,64}$", description="16 to 64 random bytes of your own, in hex.")
    ],
) -> Attestations:
    """Answer with one attestation document for each location that has one, each over this nonce."""
    return await ask_locations(runtime.services, nonce)
