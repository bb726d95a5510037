"""What the API refuses a program is told apart: what is refused for good, what to try again, and whom it concerns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sdt.client import ApiProblem
from sdt.desk import kyc
from sdt.domain.errors import Kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.INVALID),
        (401, Kind.UNAUTHENTICATED),
        (403, Kind.FORBIDDEN),
        (404, Kind.NOT_FOUND),
        (409, Kind.CONFLICT),
        (413, Kind.INVALID),
        (422, Kind.UNPROCESSABLE),
        (429, Kind.RATE_LIMITED),
        (500, Kind.UNAVAILABLE),
        (502, Kind.UNAVAILABLE),
        (503, Kind.UNAVAILABLE),
    ],
)
def test_an_answer_of_the_api_says_what_to_do(status: int, kind: Kind) -> None:
    problem = ApiProblem(status, {"code": "any", "detail": "Said by the API."})
    assert (problem.kind, problem.code, problem.status) == (kind, "any", status)


def _desk(refusals: dict[str, ApiProblem], attested: list[str]) -> kyc.KycDesk:
    """Return the identity desk before an API that refuses some accounts."""

    async def attest(task: dict[str, Any], found: object) -> None:
        if task["account"] in refusals:
            raise refusals[task["account"]]
        attested.append(task["account"])

    async def tasks(path: str, role: str) -> dict[str, Any]:
        return {"tasks": [{"account": account, "decision": None} for account in ("first", "second", "third")]}

    async def examined(task: dict[str, Any]) -> object:
        return object()

    desk: Any = kyc.KycDesk.__new__(kyc.KycDesk)
    desk._client, desk._examined, desk._attest = SimpleNamespace(get=tasks), examined, attest
    return desk  # type: ignore[no-any-return]


async def test_an_account_that_is_refused_keeps_nobody_else_waiting() -> None:
    attested: list[str] = []
    await _desk({"second": ApiProblem(422, {"code": "frozen"})}, attested).work()
    assert attested == ["first", "third"]


async def test_a_desk_that_is_told_to_come_later_says_so() -> None:
    attested: list[str] = []
    with pytest.raises(ApiProblem):
        await _desk({"second": ApiProblem(429, {"code": "backlog"})}, attested).work()
    assert attested == ["first"]
