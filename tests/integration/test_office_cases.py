"""Officers work cases by signed acts; two decide; whoever must not know of a case is told that there is none."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from api_platform import NETWORK, Holder, Platform, platform

from sdt.domain.claims import format_time
from sdt.domain.envelope import kid_of, message_digest, seal_envelope
from sdt.domain.office import ACT_LIFE_S
from sdt.domain.registry import Role
from sdt.store import cases, watch
from store_rig import address

OFFICER = Role.COMPLIANCE_OFFICER
DAY = date(2026, 11, 24)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


@pytest.fixture
async def ann(api: Platform) -> Holder:
    return await api.settle(Holder("ann", roles=OFFICER))


@pytest.fixture
async def ben(api: Platform) -> Holder:
    return await api.settle(Holder("ben", roles=OFFICER))


@pytest.fixture
async def clerk(api: Platform) -> Holder:
    return await api.settle(Holder("clerk", roles=Role.CUSTODIAN))


def kid(holder: Holder) -> str:
    return kid_of(bytes(holder.key.verify_key))


async def opened(api: Platform, kind: str = "monitoring", n: int = 1) -> str:
    return await api.store.run(
        cases.open_case,
        kind=kind,
        key=f"k{n}",
        facts={"rule": "TX-VELOCITY"},
        detected_on=DAY,
        actor="worker:monitor",
        at_ms=api.clock.now_ms() + n,
        account=address(n),
    )


def evening(api: Platform) -> date:
    """Put the clock to 02:30 UTC of the day after next: return the date that it still is in Texas then."""
    now = datetime.fromtimestamp(api.clock.now_ms() / 1000, UTC)
    then = (now + timedelta(days=2)).replace(hour=2, minute=30)
    api.clock.ahead_ms += int((then - now).total_seconds() * 1000)
    return then.date() - timedelta(days=1)


def signed(api: Platform, kind: str, holder: Holder, /, **claims: Any) -> tuple[str, bytes]:
    act_id = str(uuid.uuid4())
    common = {
        "type": kind,
        "version": 1,
        "network": NETWORK,
        "act_id": act_id,
        "region": "US-TX",
        "issued_at": format_time(api.clock.now_ms() // 1000),
    }
    return act_id, seal_envelope(kind, common | claims, holder.key)


async def put(api: Platform, act_id: str, raw: bytes) -> tuple[int, dict[str, Any]]:
    return await api.call("PUT", f"/v1/office/acts/{act_id}", raw, **{"Content-Type": "application/jose"})


async def act(api: Platform, kind: str, holder: Holder, /, **claims: Any) -> tuple[int, dict[str, Any]]:
    return await put(api, *signed(api, kind, holder, **claims))


async def proposed(api: Platform, case_id: str, holder: Holder, decision: str = "report", **more: Any) -> str:
    """Take the case, propose, and return the digest of the proposal."""
    assert (await act(api, "assign_case", holder, case=case_id, officer=kid(holder)))[0] == 200
    claims = {"case": case_id, "decision": decision, "reason": "Three days, each just below."} | more
    act_id, raw = signed(api, "decide_case", holder, **claims)
    status, answer = await put(api, act_id, raw)
    assert (status, answer["status"]) == (200, "waiting")
    return message_digest(raw).hex()


async def seen(api: Platform, case_id: str, holder: Holder) -> dict[str, Any]:
    status, found = await api.get(f"/v1/office/cases/{case_id}", holder)
    assert status == 200, found
    return found


async def asked(api: Platform, holder: Holder, query: str = "") -> tuple[int, dict[str, Any]]:
    path = "/v1/office/cases"
    return await api.call("GET", f"{path}?{query}", **api.proof("GET", path, holder))


async def test_from_a_finding_to_a_filed_report(api: Platform, ann: Holder, ben: Holder) -> None:
    case_id = await opened(api)
    digest = await proposed(api, case_id, ann)
    found = await seen(api, case_id, ben)
    assert (found["status"], found["decision"], found["second_officer"]) == ("proposed", "report", None)
    assert (await act(api, "agree", ann, digest=digest))[1]["code"] == "same_officer"
    assert (await act(api, "agree", ben, digest=digest))[0] == 200
    found = await seen(api, case_id, ben)
    assert (found["status"], found["officer"], found["second_officer"]) == ("to_report", kid(ann), kid(ben))
    early = {"case": case_id, "filed_on": "2099-01-01", "confirmation": "31000123456789"}
    assert (await act(api, "mark_filed", ann, **early))[1]["code"] == "future_day"
    today = api.services.region.business_day.date_of(api.clock.now_ms() // 1000).isoformat()
    status, _ = await act(api, "mark_filed", ann, case=case_id, filed_on=today, confirmation="31000123456789")
    assert status == 200
    found = await seen(api, case_id, ann)
    assert (found["status"], found["filed_on"], found["confirmation"]) == ("reported", today, "31000123456789")
    assert [one["event"] for one in found["events"]] == ["opened", "assigned", "proposed", "agreed", "filed"]
    assert found["events"][3]["actor"] == f"office:{kid(ben)}"


async def test_a_second_officer_sends_a_case_back(api: Platform, ann: Holder, ben: Holder) -> None:
    case_id = await opened(api)
    digest = await proposed(api, case_id, ann, "nothing")
    assert (await act(api, "decline", ben, digest=digest, reason="Look again."))[0] == 200
    found = await seen(api, case_id, ann)
    assert (found["status"], found["decision"], found["reason"]) == ("assigned", None, "")
    assert (await act(api, "agree", ben, digest=digest))[1]["code"] == "act_not_waiting"
    # and it can be decided anew
    digest = await proposed(api, case_id, ann, "nothing")
    assert (await act(api, "agree", ben, digest=digest))[0] == 200
    assert (await seen(api, case_id, ann))["status"] == "closed"
    status, _ = await act(api, "reopen_case", ben, case=case_id, detected_on="2026-11-25", reason="A fourth day.")
    assert status == 200
    assert (await seen(api, case_id, ann))["due_on"] == "2026-12-25"


async def test_a_proposal_that_nobody_agreed_to_in_time_is_none(api: Platform, ann: Holder, ben: Holder) -> None:
    case_id = await opened(api)
    first = await proposed(api, case_id, ann)
    status, problem = await act(api, "decide_case", ann, case=case_id, decision="nothing", reason="Hm.")
    assert (status, problem["code"]) == (409, "case_status")
    api.clock.ahead_ms = (ACT_LIFE_S + 1) * 1000
    second = await proposed(api, case_id, ann, "nothing")
    assert (await act(api, "agree", ben, digest=first))[1]["code"] == "act_not_waiting"
    assert (await act(api, "agree", ben, digest=second))[0] == 200
    assert (await seen(api, case_id, ann))["status"] == "closed"


async def test_only_whose_case_it_is_decides(api: Platform, ann: Holder, ben: Holder) -> None:
    case_id = await opened(api)
    claims = {"case": case_id, "decision": "nothing", "reason": "A wedding."}
    assert (await act(api, "decide_case", ann, **claims))[1]["code"] == "case_status"
    await act(api, "assign_case", ann, case=case_id, officer=kid(ann))
    assert (await act(api, "decide_case", ben, **claims))[1]["code"] == "not_your_case"
    nobody = {"case": case_id, "officer": "A" * 43}
    assert (await act(api, "assign_case", ann, **nobody))[1]["code"] == "unknown_officer"
    client = await api.settle(Holder("client"))
    assert (await act(api, "assign_case", ann, case=case_id, officer=kid(client)))[1]["code"] == "unknown_officer"
    other = {"case": str(uuid.uuid4()), "text": "abc"}
    assert (await act(api, "note_case", ann, **other))[1]["code"] == "unknown_case"


async def test_notes_and_evidence_stand_in_the_file(api: Platform, ann: Holder) -> None:
    case_id = await opened(api)
    await act(api, "note_case", ann, case=case_id, text="Called the branch.")
    for _ in range(2):
        await act(api, "add_evidence", ann, case=case_id, kind="document", reference="ab" * 32)
    await act(api, "record_report", ann, case=case_id, form="sar", digest="cd" * 32)
    found = await seen(api, case_id, ann)
    assert [(one["event"], one["detail"]) for one in found["events"]][1:] == [
        ("noted", "Called the branch."),
        ("evidence", "document " + "ab" * 32),
        ("report_made", "report_sar " + "cd" * 32),
    ]
    assert [one["reference"] for one in found["evidence"]] == ["ab" * 32, "cd" * 32]


async def test_an_officer_opens_a_case_on_what_they_noticed(api: Platform, ann: Holder) -> None:
    status, answer = await act(api, "open_case", ann, account=address(9), suspect_known=True, reason="Two IDs.")
    assert status == 200
    found = await seen(api, answer["result"]["case"], ann)
    assert (found["kind"], found["account"], found["events"][1]["detail"]) == ("monitoring", address(9), "Two IDs.")


async def test_officers_days_are_those_of_the_regions_calendar(api: Platform, ann: Holder, ben: Holder) -> None:
    # given an evening in Texas: after close, and a day later by UTC
    here = evening(api)
    status, answer = await act(api, "open_case", ann, account=address(9), suspect_known=False, reason="Two IDs.")
    assert status == 200, answer
    case_id = answer["result"]["case"]
    found = await seen(api, case_id, ann)
    # then it was detected here and today; and without a suspect an agency has no more than the thirty days
    assert (found["detected_on"], found["due_on"]) == (here.isoformat(), (here + timedelta(days=30)).isoformat())
    digest = await proposed(api, case_id, ann)
    assert (await act(api, "agree", ben, digest=digest))[0] == 200
    assert (await seen(api, case_id, ann))["due_on"] == (here + timedelta(days=30)).isoformat()
    filed = {"case": case_id, "confirmation": "31000123456789"}
    tomorrow = (here + timedelta(days=1)).isoformat()
    assert (await act(api, "mark_filed", ann, filed_on=tomorrow, **filed))[1]["code"] == "future_day"
    assert (await act(api, "mark_filed", ann, filed_on=here.isoformat(), **filed))[0] == 200


async def test_cases_are_listed_page_by_page_and_narrowed(api: Platform, ann: Holder) -> None:
    ids = [await opened(api, "kyc" if n % 2 else "monitoring", n) for n in range(5)]
    seen_ids, query = [], "limit=2"
    while query:
        status, page = await asked(api, ann, query)
        assert status == 200, page
        seen_ids += [one["case_id"] for one in page["cases"]]
        query = f"limit=2&before={page['next']}" if page["next"] else ""
    assert seen_ids == ids[::-1]
    assert len((await asked(api, ann, "kind=kyc"))[1]["cases"]) == 2
    assert len((await asked(api, ann, f"account={address(3)}"))[1]["cases"]) == 1
    assert (await asked(api, ann, "status=closed"))[1]["cases"] == []
    assert (await asked(api, ann, "before=x"))[0] == 400
    api.clock.ahead_ms = 400 * 86_400_000
    assert len((await asked(api, ann, "overdue=true"))[1]["cases"]) == 3


@pytest.mark.parametrize(
    "role",
    [Role.CLIENT, Role.KYC_DESK, Role.ISSUER, Role.APPROVER, Role.SCREENING_DESK, Role.ADMINISTRATOR],
    ids=lambda role: role.name,
)
async def test_nobody_else_sees_a_case_or_may_act_on_one(api: Platform, ann: Holder, role: Role) -> None:
    case_id = await opened(api)
    await proposed(api, case_id, ann)
    other = await api.settle(Holder("other", roles=role))
    assert (await asked(api, other))[1]["code"] == "wrong_role"
    assert (await api.get(f"/v1/office/cases/{case_id}", other))[1]["code"] == "wrong_role"
    assert (await act(api, "note_case", other, case=case_id, text="abc"))[1]["code"] == "wrong_role"
    if role is not Role.CLIENT:
        status, listed = await api.get("/v1/office/acts", other)
        assert (status, listed["acts"]) == (200, [])
    assert (await api.get("/v1/office/cases"))[1]["code"] == "proof_required"


async def test_a_custodian_works_the_banks_cases_and_learns_of_no_suspicion(
    api: Platform, ann: Holder, ben: Holder, clerk: Holder
) -> None:
    bank, suspicion = await opened(api, "ach_return", 1), await opened(api, "monitoring", 2)
    assert [one["case_id"] for one in (await asked(api, clerk))[1]["cases"]] == [bank]
    # given a case of another kind, then it is not there for a custodian, whatever is asked or signed
    assert (await api.get(f"/v1/office/cases/{suspicion}", clerk))[1]["code"] == "unknown_case"
    assert (await act(api, "note_bank_case", clerk, case=suspicion, text="abc"))[1]["code"] == "unknown_case"
    assert (await act(api, "note_case", clerk, case=bank, text="abc"))[1]["code"] == "wrong_role"
    assert (await asked(api, clerk, "kind=monitoring"))[1]["cases"] == []
    # given compliance's own notes and evidence on a bank case, then the custodian reads none of them
    await act(api, "note_case", ann, case=bank, text="Looks like kiting.")
    await act(api, "add_evidence", ann, case=bank, kind="case", reference=suspicion)
    await act(api, "note_bank_case", clerk, case=bank, text="The bank says R10.")
    found = await seen(api, bank, clerk)
    assert "kiting" not in str(found)
    assert suspicion not in str(found)
    assert [one["event"] for one in found["events"]] == ["opened", "bank_noted"]
    assert "kiting" in str(await seen(api, bank, ann))
    # given a decision to report, then the case is no case for the custodian any more
    status, answer = await act(api, "decide_bank_case", clerk, case=bank, decision="report", reason="Kiting.")
    assert (status, answer["code"]) == (400, "claims")
    digest = await proposed(api, bank, ann)
    assert (await asked(api, clerk))[1]["cases"] == []
    assert (await api.get(f"/v1/office/cases/{bank}", clerk))[1]["code"] == "unknown_case"
    assert (await act(api, "note_bank_case", clerk, case=bank, text="abc"))[1]["code"] == "unknown_case"
    listed = (await api.get("/v1/office/acts", clerk))[1]["acts"]
    assert {one["type"] for one in listed} == {"note_bank_case"}
    assert (await act(api, "agree", clerk, digest=digest))[1]["code"] == "wrong_role"
    assert (await act(api, "agree", ben, digest=digest))[0] == 200


async def test_two_custodians_close_a_case_of_the_banks(api: Platform, clerk: Holder) -> None:
    bank = await opened(api, "ach_unmatched")
    other = await api.settle(Holder("other", roles=Role.CUSTODIAN))
    assert (await act(api, "assign_bank_case", clerk, case=bank, officer=kid(clerk)))[0] == 200
    act_id, raw = signed(api, "decide_bank_case", clerk, case=bank, decision="nothing", reason="Booked by hand.")
    assert (await put(api, act_id, raw))[1]["status"] == "waiting"
    assert (await act(api, "agree", other, digest=message_digest(raw).hex()))[0] == 200
    assert (await seen(api, bank, clerk))["status"] == "closed"


async def test_an_address_is_watched_by_one_and_let_go_by_two(api: Platform, ann: Holder, ben: Holder) -> None:
    def watched() -> frozenset[str]:
        return watch.watched_among(api.store, [address(1), address(2)], DAY, 0)

    assert (await act(api, "watch_address", ann, address=address(1), reason="Mixer."))[0] == 200
    soon = {"address": address(2), "reason": "For now.", "until": "2026-11-24"}
    assert (await act(api, "watch_address", ann, **soon | {"until": "2020-01-01"}))[1]["code"] == "past_day"
    assert watched() == {address(1)}
    act_id, raw = signed(api, "unwatch_address", ann, address=address(1), reason="A mistake.")
    assert (await put(api, act_id, raw))[1]["status"] == "waiting"
    assert watched() == {address(1)}
    assert (await act(api, "agree", ben, digest=message_digest(raw).hex()))[0] == 200
    assert watched() == frozenset()
