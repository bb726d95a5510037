"""Currency that is booked after a report was made: officers amend it under the number of the one before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_platform import Holder, Platform, platform
from test_monitoring import DORA
from test_office_cases import act, proposed, seen
from test_office_reports import report, the_case, user, values

from monitoring_rig import NOON_S, count_currency, read_all
from sdt.domain.registry import Role
from sdt.store import Store

FIRST, SECOND = "31000123456789", "31000123456790"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


@pytest.fixture
async def ann(api: Platform) -> Holder:
    return await api.settle(Holder("ann", roles=Role.COMPLIANCE_OFFICER))


@pytest.fixture
async def ben(api: Platform) -> Holder:
    return await api.settle(Holder("ben", roles=Role.COMPLIANCE_OFFICER))


async def book(api: Platform, n: int, cents: int) -> None:
    def counted(store: Store) -> None:
        if n == 1:
            user(store, 1, DORA)
        count_currency(store, n, 1, cents, NOON_S + n)
        read_all(store, [10], NOON_S)

    await api.store.run(counted)


async def file(api: Platform, case_id: str, officer: Holder, number: str) -> str:
    today = api.services.region.business_day.date_of(api.clock.now_ms() // 1000).isoformat()
    claims = {"case": case_id, "filed_on": today, "confirmation": number}
    status, answer = await act(api, "mark_filed", officer, **claims)
    assert status == 200, answer
    return str(answer["result"]["status"])


async def agreed(api: Platform, case_id: str, ann: Holder, ben: Holder) -> None:
    digest = await proposed(api, case_id, ann)
    assert (await act(api, "agree", ben, digest=digest))[0] == 200


async def test_currency_booked_after_the_report_is_reported_as_an_amendment(
    api: Platform, ann: Holder, ben: Holder
) -> None:
    await book(api, 1, 10_000_01)
    case_id = the_case(api.store, "currency")
    await agreed(api, case_id, ann, ben)
    _, made = await report(api, case_id, ann)
    assert (values(made, "InitialReportIndicator"), values(made, "EFilingPriorDocumentNumber")) == (["Y"], [])
    assert await file(api, case_id, ann, FIRST) == "reported"
    await book(api, 2, 90_000_00)
    assert (await seen(api, case_id, ann))["status"] == "open"
    _, made = await report(api, case_id, ann)
    assert values(made, "EFilingPriorDocumentNumber") == [FIRST]
    assert values(made, "CorrectsAmendsPriorReportIndicator") == ["Y"]
    assert values(made, "TotalCashInReceiveAmountText") == ["100001"], "the whole day again"
    await agreed(api, case_id, ann, ben)
    assert await file(api, case_id, ann, SECOND) == "reported"
    assert (await seen(api, case_id, ann))["confirmation"] == SECOND


@pytest.mark.parametrize("noted", [True, False])
async def test_what_was_found_between_a_report_and_its_number_is_not_taken_for_reported(
    api: Platform, ann: Holder, ben: Holder, noted: bool
) -> None:
    await book(api, 1, 10_000_01)
    case_id = the_case(api.store, "currency")
    await book(api, 2, 1_00)
    await agreed(api, case_id, ann, ben)
    made = {"case": case_id, "form": "ctr", "digest": "ab" * 32}
    if noted:
        await book(api, 3, 1_00)
        assert (await act(api, "record_report", ann, **made))[0] == 200
    await book(api, 4, 90_000_00)
    assert await file(api, case_id, ann, FIRST) == "open"
    found = await seen(api, case_id, ann)
    assert (found["confirmation"], found["detected_on"], found["due_on"]) == (FIRST, "2026-11-24", "2026-12-09")
    last = found["events"][-2:]
    assert [one["event"] for one in last] == ["filed", "reopened"]
    assert "10000" in last[1]["detail"]
    # and once the amendment is filed, there is nothing that it has not in it
    await agreed(api, case_id, ann, ben)
    assert await file(api, case_id, ann, SECOND) == "reported"
