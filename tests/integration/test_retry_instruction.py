"""The office act `retry_instruction`: a dead instruction is the worker's again, under the key it always had."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from api_platform import NETWORK, Holder, Platform, platform

from sdt.domain.claims import format_time
from sdt.domain.envelope import seal_envelope
from sdt.domain.errors import Unprocessable
from sdt.domain.registry import Role
from sdt.store import outbox
from sdt.worker.dead_letters import put_off


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


async def retry(api: Platform, officer: Holder, instruction: int) -> tuple[int, dict[str, Any]]:
    act_id = str(uuid.uuid4())
    claims = {
        "type": "retry_instruction",
        "version": 1,
        "network": NETWORK,
        "act_id": act_id,
        "region": "US-TX",
        "issued_at": format_time(api.clock.now_ms() // 1000),
        "instruction": instruction,
        "reason": "The bank has opened the account.",
    }
    raw = seal_envelope("retry_instruction", claims, officer.key)
    return await api.call("PUT", f"/v1/office/acts/{act_id}", raw, **{"Content-Type": "application/jose"})


async def dead_instruction(api: Platform) -> outbox.OutboxRow:
    now_ms = api.clock.now_ms()
    await api.store.run(outbox.put, "instruct", "t:settled", {"transaction_id": "t"}, now_ms)
    (row,) = await api.store.read(outbox.due, ["instruct"], now_ms, 1)
    await api.store.run(put_off, row, Unprocessable("x", code="routing_number"), now_ms)
    return row


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.CUSTODIAN])
async def test_it_is_due_again_with_its_own_key(api: Platform, role: Role) -> None:
    officer = await api.settle(Holder("ann", roles=role))
    row = await dead_instruction(api)

    status, listed = await api.get("/v1/office/instructions", officer)
    assert (status, listed["more"]) == (200, False)
    (shown,) = listed["instructions"]
    assert (shown["instruction"], shown["key"], shown["error"]) == (row.id, "t:settled", "routing_number")

    status, answer = await retry(api, officer, row.id)

    assert (status, answer["status"], answer["result"]) == (200, "done", {"instruction": row.id})
    (again,) = await api.store.read(outbox.due, ["instruct"], api.clock.now_ms(), 10)
    assert (again.id, again.key, again.payload, again.attempts) == (row.id, row.key, row.payload, 0)
    # and a second act finds nothing dead
    status, problem = await retry(api, officer, row.id)
    assert (status, problem["code"]) == (404, "instruction_unknown")


async def test_another_role_cannot(api: Platform) -> None:
    officer = await api.settle(Holder("ann", roles=Role.COMPLIANCE_OFFICER))
    row = await dead_instruction(api)

    status, problem = await retry(api, officer, row.id)

    assert (status, problem["code"]) == (403, "wrong_role")
    assert await api.store.read(outbox.dead_count) == 1
    assert (await api.get("/v1/office/instructions", officer))[0] == 403
