"""The API and the worker's identity part in one loop, over a real sandbox vendor."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api_platform import NETWORK, PERSON, Holder, Platform, platform
from sandbox_servers import Sandbox

from sdt.adapters.kyc import HttpKyc
from sdt.domain.claims import format_time
from sdt.domain.envelope import message_digest, seal_envelope
from sdt.domain.registry import Role
from sdt.store import Store, accounts, examinations
from sdt.worker.erasures import Erasures
from sdt.worker.identities import Identities
from sdt.workflows.documents import Documents

PDF = b"%PDF-1.7 an invented bill"
BUSINESS: dict[str, Any] = {
    "legal_name": "Example Feed and Seed LLC",
    "kind": "llc",
    "ein_last4": "4711",
    "formed_in": "TX",
    "address": PERSON["address"],
    "merchant_category": "5999",
    "control": PERSON,
    "owners": [{"person": PERSON | {"family_name": "Ownerson"}, "share_ppm": "600000"}],
    "certified": True,
}


@dataclass
class Bureau:
    """What a test of identities works with."""

    api: Platform
    vendor: HttpKyc
    identities: Identities
    erasures: Erasures
    papers: Documents

    async def send(self, holder: Holder, *, business: bool = False, **changes: Any) -> tuple[int, dict[str, Any]]:
        """Send a registration."""
        (id_,) = await self.api.ids()
        message = seal_envelope("register", self.api.registration(id_, holder), holder.key).decode()
        if business:
            return await self.api.post("/v1/businesses", {"message": message, "business": BUSINESS | changes})
        return await self.api.post("/v1/users", {"message": message, "person": PERSON | changes})

    async def join(self, name: str, *, business: bool = False, **changes: Any) -> Holder:
        """Register somebody, let the registration be final, and hand it to the vendor."""
        holder = Holder(name)
        status, answer = await self.send(holder, business=business, **changes)
        assert status == 202, answer
        await self.api.store.run(_settled, answer["transaction_id"], holder.account)
        await self.api.settle(holder)
        await self.identities.apply(holder.account, answer["transaction_id"])
        return holder

    async def check(self, holder: Holder) -> dict[str, Any]:
        """Return the holder's identity check as it stands."""
        status, answer = await self.api.get("/v1/users/me/identity", holder)
        assert status == 200, answer
        return answer

    async def decided(self, holder: Holder) -> dict[str, Any]:
        """Let the worker work until the vendor has decided."""
        async with asyncio.timeout(10):
            while True:
                await self.identities.work()
                await self.identities.look()
                found = await self.check(holder)
                if found["status"] != "pending" and not await self.api.store.read(_waits, holder.account):
                    return found
                await asyncio.sleep(0.03)

    async def hand_in(
        self, holder: Holder, content: bytes = PDF, kind: str = "identity", subject: str = "holder",
        media: str = "application/pdf",
    ) -> tuple[int, dict[str, Any]]:  # fmt: skip
        path = "/v1/users/me/identity/documents"
        return await self.api.call(
            "POST", f"{path}?kind={kind}&subject={subject}", content,
            **self.api.proof("POST", path, holder) | {"Content-Type": media},
        )  # fmt: skip

    async def officer(self, name: str, role: Role) -> Holder:
        return await self.api.settle(Holder(name, roles=role))

    async def act(self, kind: str, officer: Holder, /, **claims: Any) -> tuple[int, dict[str, Any], bytes]:
        """Send an officer's act; returns its bytes too."""
        act_id = str(uuid.uuid4())
        common = {
            "type": kind, "version": 1, "network": NETWORK, "act_id": act_id, "region": "US-TX",
            "issued_at": format_time(self.api.clock.now_ms() // 1000),
        }  # fmt: skip
        raw = seal_envelope(kind, common | claims, officer.key)
        path = f"/v1/office/acts/{act_id}"
        return *await self.api.call("PUT", path, raw, **{"Content-Type": "application/jose"}), raw

    async def agreed(self, kind: str, officer: Holder, second: Holder, /, **claims: Any) -> dict[str, Any]:
        """Carry out an act of two officers."""
        status, answer, raw = await self.act(kind, officer, **claims)
        assert (status, answer["status"]) == (200, "waiting"), answer
        status, answer, _ = await self.act("agree", second, digest=message_digest(raw).hex())
        assert (status, answer["status"]) == (200, "done"), answer
        return answer


def _settled(store: Store, transaction_id: str, account: str) -> None:
    """Write what the worker writes when a registration is final."""
    store.execute("UPDATE transactions SET status = 'completed' WHERE id = ?", (transaction_id,))
    accounts.mark_registered(store, account)


def _waits(store: Store, account: str) -> bool:
    row = examinations.get(store, account)
    return row is not None and row.application is None


@asynccontextmanager
async def bureau(folder: Path, server: Sandbox) -> AsyncIterator[Bureau]:
    """Run an API, and the worker's parts by hand."""
    async with platform(folder) as api:
        vendor = server.kyc()
        people = api.services.people
        papers = Documents(api.store, people, folder / "documents")
        clock: Any = api.clock
        identities = Identities(api.store, api.services.region, vendor, people, papers, 0.01, clock)
        try:
            yield Bureau(api, vendor, identities, Erasures(api.store, papers, clock), papers)
        finally:
            await vendor.close()
