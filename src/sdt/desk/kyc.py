"""The identity desk: reads the vendor's decision at the vendor, and attests it on chain, one domain at a time.

What the vendor left open two officers may have decided: the desk checks their signatures and roles itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdt.adapters.chain.deploy import load_deployment
from sdt.adapters.chain.reader import ChainReader
from sdt.client import Client
from sdt.desk.decision import checked_decision
from sdt.desk.desk import Evidence, client_of
from sdt.domain.claims import parse_time
from sdt.domain.errors import SdtError
from sdt.domain.message import format_time
from sdt.ports.evidence import VendorFault
from sdt.ports.kyc import KycApplication, KycOutcome

__all__ = ["KycDesk"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Finding:
    """What is to stand on chain. Units: `expires_at_s` unix seconds."""

    tier: int
    resident: bool
    expires_at_s: int
    evidence: str


class KycDesk:
    """Attests identities. A tier admits to the dollar domain; proven residency admits to the cash domain too."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._client: Client = client_of(evidence.settings, evidence.region, "kyc")
        chain = evidence.settings.chain
        self._reader = ChainReader(chain.urls, timeout_s=chain.request_timeout_s)

    async def work(self) -> None:
        """Attest everybody whose identity is decided and stands otherwise on chain."""
        answer = await self._client.get("/v1/desk/tasks", role="kyc_desk")
        for task in answer["tasks"]:
            try:
                found = await (self._decided(task) if task["decision"] else self._examined(task))
                if found is not None:
                    await self._attest(task, found)
            except SdtError as error:
                if not isinstance(error, VendorFault) and error.kind.worker != "reject":
                    raise
                # A decision that no longer counts, or what the vendor does not know, keeps nobody else waiting.
                log.warning("the identity of %s waits: %s", task["account"], error.code)

    async def _examined(self, task: Mapping[str, Any]) -> _Finding | None:
        """Return what the vendor itself says, once it has passed the account's application and everybody behind it."""
        application = await self._evidence.vendors.kyc.application(task["application_id"])
        if application.account != task["account"] or not _all_passed(application):
            return None
        assert application.expires_at is not None, "a decided application says when it ends"
        return _Finding(
            application.tier,
            bool(application.resident),
            int(application.expires_at.timestamp()),
            self._evidence.keep(application.evidence.document).hex(),
        )

    async def _decided(self, task: Mapping[str, Any]) -> _Finding:
        settings, region = self._evidence.settings, self._evidence.region
        deployment = load_deployment(settings.home)
        assert deployment is not None, "the region's contracts are deployed before a desk works"
        act = await checked_decision(
            task, self._reader, deployment.registry, region, settings.network, int(time.time())
        )
        decision = task["decision"]
        document = f"{decision['act']}\n{decision['agree']}\n".encode()
        passed = act.decision == "pass"
        return _Finding(
            act.tier,
            act.resident,
            parse_time(act.expires_at) if passed else int(time.time()) + 86_400,
            self._evidence.keep(document).hex(),
        )

    async def _attest(self, task: Mapping[str, Any], found: _Finding) -> None:
        if found.tier:
            domains = ["dollar"] + ["cash"] * found.resident
        else:
            domains = list(task["standing"])
        sent = [
            await self._client.submit(
                "attest_identity",
                {
                    "account": task["account"],
                    "domain": domain,
                    "tier": found.tier,
                    "resident": found.resident,
                    "evidence": found.evidence,
                    "expires_at": format_time(found.expires_at_s),
                },
            )
            for domain in domains
            if domain not in task["attested"]
        ]
        for transaction_id in sent:
            await self._client.wait(transaction_id, until=("completed",))

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()
        await self._reader.close()
        await self._evidence.close()


def _all_passed(application: KycApplication) -> bool:
    """Return whether everything is passed: for a business, itself and who controls it at the least."""
    named = {subject.subject for subject in application.subjects}
    complete = not named or named >= {"business", "control"}
    everybody = all(subject.outcome is KycOutcome.PASSED for subject in application.subjects)
    return application.outcome is KycOutcome.PASSED and complete and everybody
