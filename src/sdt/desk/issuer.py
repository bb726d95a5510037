"""The issuer's desk: mints against one deposit whose value it has seen come in, and never more than the reserve."""

from __future__ import annotations

from sdt.client import Client
from sdt.desk.desk import Evidence, Waiting, client_of

__all__ = ["Issuer"]


class Issuer:
    """Signs `issue`; a second officer must approve before anything is minted."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._client: Client = client_of(evidence.settings, evidence.region, "issuer")

    async def work(self) -> None:
        """Issue what waits, has come in, and fits under the reserve."""
        answer = await self._client.get("/v1/desk/tasks", role="issuer")
        for task in answer["tasks"]:
            if task["kind"] != "deposit":
                continue
            deposit = Waiting.read(task)
            proof = await self._evidence.of_deposit(deposit)
            if proof is None or await self._headroom(deposit.token) < deposit.units:
                continue
            transaction_id = await self._client.submit(
                "issue",
                {
                    "token": deposit.token,
                    "account": deposit.account,
                    "amount": str(deposit.units),
                    "deposit": deposit.transaction_id,
                    "evidence": proof.hex(),
                },
            )
            await self._client.wait(transaction_id, until=("held", "completed"))

    async def _headroom(self, token: str) -> int:
        """How much may still be minted: nothing on an attestation that has run out, nor beyond the reserve.

        The contract asks the same and has the last word.
        """
        report = await self._client.get(f"/v1/tokens/{token}", prove=False)
        if report["minting"] != "open":
            return 0
        return int(report["reserve"]["held"]) - int(report["supply"])

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()
        await self._evidence.close()
