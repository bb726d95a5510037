"""The second officer's desk: opens the evidence once more, from its own side, before money is made or taken.

What it reads must be what the issuer signed the digest of. A vendor whose answers differ from one reading to the next
(a time of day in each) leaves all of them to a person.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from sdt.client import Client
from sdt.desk.desk import Evidence, Waiting, client_of
from sdt.desk.issuer import adjustment_evidence, returned
from sdt.domain.envelope import message_digest
from sdt.domain.message import Adjust, Issue, read_message

__all__ = ["Approver"]


ATTEMPTS_MAX: Final = 200
"""How many adjustments of one original are told apart; beyond them a person approves."""


def _names(message: Adjust, returned_digest: bytes) -> bool:
    """Return whether an adjustment names this word of the bank, as whichever attempt."""
    documents = (
        adjustment_evidence(message.kind, nth, message.original, returned_digest) for nth in range(ATTEMPTS_MAX)
    )
    return any(hashlib.sha256(document).hexdigest() == message.evidence for document in documents)


class Approver:
    """Approves the exact bytes that it has checked. What does not check out simply waits for a person."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._client: Client = client_of(evidence.settings, evidence.region, "approver")

    async def work(self) -> None:
        """Approve every issue and every adjustment that is held and true. A write-down is for a person to judge."""
        answer = await self._client.get("/v1/desk/tasks", role="approver")
        for task in answer["tasks"]:
            raw = task["message"].encode()
            message = read_message(raw).message
            if await self._is_true(message, task):
                approval = await self._client.submit("approve", {"digest": message_digest(raw).hex()})
                await self._client.wait(approval, until=("screened", "completed"))

    async def _is_true(self, message: object, task: dict[str, Any]) -> bool:
        entry = task["bank_entry"]
        if not isinstance(entry, dict):
            return False
        if isinstance(message, Adjust) and message.kind != "write_down":
            claims = {
                "adjust": message.kind,
                "token": message.token,
                "original": message.original,
                "amount": message.amount,
            }
            proof = await returned(self._evidence, claims, entry)
            return proof is not None and _names(message, proof)
        if not isinstance(message, Issue):
            return False
        deposit = Waiting(
            message.deposit,
            message.token,
            message.account,
            int(message.amount),
            str(entry["entry"]),
            entry.get("given"),
        )
        proof = await self._evidence.of_deposit(deposit)
        return proof is not None and proof.hex() == message.evidence

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()
        await self._evidence.close()
