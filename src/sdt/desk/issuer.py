"""The issuer's desk: mints against one deposit whose value it has seen come in, and never more than the reserve."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from sdt.client import Client
from sdt.desk.desk import Evidence, Waiting, client_of
from sdt.domain.errors import NotFound, Unprocessable
from sdt.ports.bank import AchDirection

__all__ = ["Issuer", "adjustment_evidence", "returned"]

log = logging.getLogger(__name__)


async def returned(evidence: Evidence, task: Mapping[str, Any], entry: Mapping[str, Any]) -> bytes | None:
    """Return the digest of the bank's word that the original's entry came back, for at least what is to be adjusted."""
    external_id, whole = str(entry.get("entry") or ""), int(entry.get("amount") or 0)
    direction = AchDirection.CREDIT if task["adjust"] == "remint" else AchDirection.DEBIT
    if int(task["amount"]) > whole or (direction is AchDirection.CREDIT and int(task["amount"]) != whole):
        return None
    return await evidence.of_return(task["token"], task["original"], whole, direction, external_id)


def adjustment_evidence(kind: str, nth: int, original: str, returned_digest: bytes) -> bytes:
    """Return what an adjustment names the digest of: the bank's word, and which attempt it is: no two are alike."""
    evidence = {"adjust": kind, "nth": nth, "original": original, "returned": returned_digest.hex()}
    return json.dumps(evidence, sort_keys=True, separators=(",", ":")).encode()


class Issuer:
    """Signs `issue`; a second officer must approve before anything is minted."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._client: Client = client_of(evidence.settings, evidence.region, "issuer")

    async def work(self) -> None:
        """Issue what waits, has come in, and fits under the reserve."""
        answer = await self._client.get("/v1/desk/tasks", role="issuer")
        for task in answer["tasks"]:
            try:
                if task["kind"] == "adjust":
                    await self._adjust(task)
                elif task["kind"] == "deposit":
                    await self._issue(Waiting.read(task))
            except (NotFound, Unprocessable) as error:
                # What the bank or the vault does not know keeps nobody else waiting.
                log.warning("%s waits: %s", task.get("transaction_id", task["kind"]), error.code)

    async def _issue(self, deposit: Waiting) -> None:
        proof = await self._evidence.of_deposit(deposit)
        if proof is None or await self._headroom(deposit.token) < deposit.units:
            return
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
        await self._client.wait(transaction_id, until=("held", "in_review", "completed"))

    async def _adjust(self, task: Mapping[str, Any]) -> None:
        """Set right what the bank itself says it undid."""
        kind, original, entry = str(task["adjust"]), str(task["original"]), task.get("bank_entry") or {}
        proof = await returned(self._evidence, task, entry)
        if proof is None or (kind == "remint" and await self._headroom(task["token"]) < int(task["amount"])):
            return
        digest = self._evidence.keep(adjustment_evidence(kind, int(task["nth"]), original, proof))
        transaction_id = await self._client.submit(
            "adjust",
            {
                "kind": kind,
                "token": task["token"],
                "account": task["account"],
                "amount": str(int(task["amount"])),
                "original": original,
                "evidence": digest.hex(),
            },
        )
        await self._client.wait(transaction_id, until=("held", "in_review", "completed"))

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
