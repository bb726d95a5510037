"""The identity desk: reads the vendor's decision at the vendor, and attests it on chain, one domain at a time."""

from __future__ import annotations

from sdt.client import Client
from sdt.desk.desk import Evidence, client_of
from sdt.domain.message import format_time
from sdt.ports import KycApplication, KycOutcome

__all__ = ["KycDesk"]


class KycDesk:
    """Attests identities. A tier admits to the dollar domain; proven residency admits to the cash domain too."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._client: Client = client_of(evidence.settings, evidence.region, "kyc")

    async def work(self) -> None:
        """Attest everybody whom the vendor has passed and who waits for it."""
        answer = await self._client.get("/v1/desk/tasks", role="kyc_desk")
        for task in answer["tasks"]:
            application = await self._evidence.vendors.kyc.application(task["application_id"])
            if application.outcome is KycOutcome.PASSED and application.account == task["account"]:
                await self._attest(application, set(task["attested"]))

    async def _attest(self, application: KycApplication, done: set[str]) -> None:
        evidence = self._evidence.keep(application.evidence.document)
        assert application.expires_at is not None, "a decided application says when it ends"
        domains = ["dollar"] + (["cash"] if application.resident else [])
        sent = [
            await self._client.submit(
                "attest_identity",
                {
                    "account": application.account,
                    "domain": domain,
                    "tier": application.tier,
                    "resident": bool(application.resident),
                    "evidence": evidence.hex(),
                    "expires_at": format_time(int(application.expires_at.timestamp())),
                },
            )
            for domain in domains
            if domain not in done
        ]
        for transaction_id in sent:
            await self._client.wait(transaction_id, until=("completed",))

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()
        await self._evidence.close()
