"""The second officer's desk: opens the evidence once more, from its own side, before it approves an issue."""

from __future__ import annotations

from sdt.client import Client
from sdt.desk.desk import Evidence, Waiting, client_of
from sdt.domain.envelope import message_digest
from sdt.domain.message import Issue, read_message

__all__ = ["Approver"]


class Approver:
    """Approves the exact bytes that it has checked. What does not check out simply waits for a person."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._client: Client = client_of(evidence.settings, evidence.region, "approver")

    async def work(self) -> None:
        """Approve every issue that is held and true."""
        answer = await self._client.get("/v1/desk/tasks", role="approver")
        for task in answer["tasks"]:
            raw = task["message"].encode()
            message = read_message(raw).message
            if isinstance(message, Issue) and await self._is_true(message, task):
                approval = await self._client.submit("approve", {"digest": message_digest(raw).hex()})
                await self._client.wait(approval, until=("screened", "completed"))

    async def _is_true(self, message: Issue, task: dict[str, object]) -> bool:
        entry = task["bank_entry"]
        if not isinstance(entry, dict):
            return False
        deposit = Waiting(message.deposit, message.token, message.account, int(message.amount), str(entry["entry"]))
        return await self._evidence.of_deposit(deposit) is not None

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()
        await self._evidence.close()
