"""One identity check that cannot go on keeps nobody else's waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from identity_rig import Bureau, bureau
from sandbox_servers import Sandbox, sandbox

from sdt.desk.kyc import KycDesk
from sdt.domain.errors import Forbidden, NotFound, Unavailable
from sdt.ports.kyc import KycApplication
from sdt.store import Store, examinations

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vendor"), "vendors") as (running, _):
        yield running


@pytest.fixture
async def office(tmp_path: Path, server: Sandbox) -> AsyncIterator[Bureau]:
    async with bureau(tmp_path, server) as made:
        yield made


def _forgotten(store: Store, account: str) -> None:
    """The vendor knows the oldest application no more."""
    row = examinations.get(store, account)
    assert row is not None
    examinations.put(store, row._replace(application="gone-0001", updated_at_ms=1))


async def test_an_application_that_the_vendor_lost_keeps_no_other_waiting(office: Bureau) -> None:
    lost, other = await office.join("lost"), await office.join("other")
    await office.api.store.run(_forgotten, lost.account)
    assert (await office.decided(other))["status"] == "passed"
    assert (await office.check(lost))["status"] == "pending"
    # and is asked about again after all others
    row = await office.api.store.read(examinations.get, lost.account)
    assert row is not None
    assert row.updated_at_ms > 1


class _Desk(KycDesk):
    """A desk whose look at each account is the test's."""

    def __init__(self, tasks: list[dict[str, Any]], broken: Exception) -> None:
        self._tasks, self._broken = tasks, broken
        self._client = self  # type: ignore[assignment]
        self.attested: list[str] = []

    async def get(self, path: str, *, role: str) -> dict[str, Any]:
        return {"tasks": self._tasks}

    async def _decided(self, task: Any) -> Any:
        raise self._broken

    async def _examined(self, task: Any) -> Any:
        return object()

    async def _attest(self, task: Any, found: Any) -> None:
        self.attested.append(task["account"])


TASKS = [{"account": "a", "decision": {"act": "…"}}, {"account": "b", "decision": None}]


@pytest.mark.parametrize(
    "broken", [Forbidden("The role is gone.", code="wrong_role"), NotFound("No such application.", code="not_found")]
)
async def test_a_decision_that_no_longer_counts_keeps_nobody_from_being_attested(broken: Exception) -> None:
    # given two officers' decision of which one has lost the role since, before somebody whom the vendor passed
    desk = _Desk(TASKS, broken)
    await desk.work()
    assert desk.attested == ["b"]


async def test_a_vendor_that_is_away_ends_the_round(office: Bureau) -> None:
    desk = _Desk(TASKS, Unavailable("Away.", code="vendor_unavailable"))
    with pytest.raises(Unavailable):
        await desk.work()
    asked: list[str] = []

    async def away(application: str) -> KycApplication:
        asked.append(application)
        raise Unavailable("Away.", code="vendor_unavailable")

    for name in ("one", "two"):
        await office.join(name)
    office.identities._kyc.application = away  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await office.identities.look()
    assert len(asked) == 1
