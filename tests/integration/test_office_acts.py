"""Officers' acts at the API: exact bytes kept, roles checked, two people where it takes two, all or nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from api_platform import NETWORK, Holder, Platform, platform

from sdt.domain.claims import Reason, format_time
from sdt.domain.envelope import message_digest, seal_envelope
from sdt.domain.errors import Unprocessable
from sdt.domain.message import MESSAGE_TYPES
from sdt.domain.office import ACT_LIFE_S, Act
from sdt.domain.registry import Role
from sdt.store import events, office, proofs, registry
from sdt.workflows import acts
from sdt.workflows.office import Acting, Entry, always

OFFICER = Role.COMPLIANCE_OFFICER


class Note(Act, frozen=True, tag="test_note"):
    """An act that takes one officer."""

    text: Reason

    @property
    def subject(self) -> str:
        return "notes"


class Order(Act, frozen=True, tag="test_order"):
    """An act that takes two."""

    text: Reason


def carry_out(acting: Acting, act: Note | Order) -> Mapping[str, Any]:
    """Write something, so that a test sees what is undone; refuse what it is told to refuse."""
    proofs.use(acting.store, f"done-{act.text}", 2**40, acting.now_ms // 1000)
    if act.text == "refused":
        raise Unprocessable("No.", code="expired_message")
    return {"did": act.text, "by_two": acting.second is not None}


@pytest.fixture(autouse=True)
def _acts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(acts.ACTS, "test_note", Entry(Note, OFFICER, carry_out))
    monkeypatch.setitem(acts.ACTS, "test_order", Entry(Order, OFFICER, carry_out, always))


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


def act(api: Platform, kind: str, holder: Holder, /, **claims: Any) -> tuple[str, bytes]:
    act_id = str(uuid.uuid4())
    common = {
        "type": kind,
        "version": 1,
        "network": NETWORK,
        "act_id": act_id,
        "region": "US-TX",
        "issued_at": format_time(api.clock.now_ms() // 1000),
    }
    every = common | claims
    return str(every["act_id"]), seal_envelope(kind, every, holder.key)


async def put(api: Platform, act_id: str, raw: bytes) -> tuple[int, dict[str, Any]]:
    return await api.call("PUT", f"/v1/office/acts/{act_id}", raw, **{"Content-Type": "application/jose"})


def done(api: Platform, text: str) -> bool:
    return bool(api.store.rows("SELECT 1 FROM proofs_seen WHERE jti = ?", (f"done-{text}",)))


async def test_an_act_is_carried_out_once_and_its_bytes_are_kept(api: Platform, ann: Holder) -> None:
    # given an act of one officer
    act_id, raw = act(api, "test_note", ann, text="first")
    # when it is sent, then it is done; and the very same bytes get the same answer, at once or a month later
    status, answer = await put(api, act_id, raw)
    assert (status, answer["status"], answer["result"]) == (200, "done", {"did": "first", "by_two": False})
    assert await asyncio.gather(*(put(api, act_id, raw) for _ in range(5))) == [(200, answer)] * 5
    api.clock.ahead_ms = 30 * 86_400_000
    assert await put(api, act_id, raw) == (200, answer)
    api.clock.ahead_ms = 0
    # and other bytes under the same id are refused
    _, other = act(api, "test_note", ann, text="second", act_id=act_id)
    status, problem = await put(api, act_id, other)
    assert (status, problem["code"]) == (409, "act_id_used")
    # and the bytes are the evidence
    row = await api.store.read(office.get, act_id)
    assert row is not None
    assert bytes(row.raw) == raw
    assert bytes(row.digest) == message_digest(raw)


async def test_an_act_must_be_well_formed_fresh_and_an_officers(api: Platform, ann: Holder) -> None:
    client = await api.settle(Holder("client"))
    clerk = await api.settle(Holder("clerk", roles=Role.KYC_DESK))
    gone = await api.settle(Holder("gone", roles=OFFICER), status="revoked")
    old = await api.settle(Holder("old", roles=OFFICER), expires_at_s=1)
    now_s = api.clock.now_ms() // 1000
    # given acts that are wrong in one way, then each is refused for that and leaves nothing behind
    rows = [
        (act(api, "test_note", client, text="abc"), 403, "wrong_role"),
        (act(api, "test_note", clerk, text="abc"), 403, "wrong_role"),
        (act(api, "test_note", gone, text="abc"), 401, "key_revoked"),
        (act(api, "test_note", old, text="abc"), 401, "key_expired"),
        (act(api, "test_note", Holder("nobody"), text="abc"), 401, "unknown_key"),
        (act(api, "test_note", ann, text="abc", network="sdt-other"), 422, "wrong_network"),
        (act(api, "test_note", ann, text="abc", region="US-OK"), 422, "wrong_region"),
        (act(api, "test_note", ann, text="abc", issued_at=format_time(now_s - 2000)), 422, "clock_skew"),
        (act(api, "test_note", ann, text="abc", issued_at=format_time(now_s + 100)), 422, "clock_skew"),
        (act(api, "test_note", ann, text="abc", more="1"), 400, "claims"),
        (act(api, "test_note", ann, text="ab\u0000c"), 400, "claims"),
        (act(api, "test_note", ann), 400, "claims"),
        (act(api, "test_unknown", ann, text="abc"), 400, "unknown_type"),
        ((str(uuid.uuid4()), act(api, "test_note", ann, text="abc")[1]), 400, "act_id_mismatch"),
        (("3f0c1d9e-5b1f-7d6a-9f3c-0a1b2c3d4e5f", b"x"), 400, "request"),
        ((str(uuid.uuid4()), b"a.b"), 400, "message_parts"),
        ((str(uuid.uuid4()), b"x" * 9000), 413, "message_size"),
    ]
    for (act_id, raw), status, code in rows:
        found, problem = await put(api, act_id, raw)
        assert (found, problem["code"]) == (status, code)
    assert api.store.row("SELECT count(*) FROM office_acts") == (0,)
    act_id, raw = act(api, "test_note", ann, text="abc")
    status, problem = await api.call("PUT", f"/v1/office/acts/{act_id}", raw, **{"Content-Type": "text/plain"})
    assert (status, problem["code"]) == (415, "unsupported_media_type")
    # and a signature over other bytes proves nothing
    status, problem = await put(api, act_id, raw[:-2] + (b"AA" if raw[-2:] != b"AA" else b"QQ"))
    assert (status, problem["code"]) == (401, "bad_signature")


async def test_a_refused_act_leaves_nothing_behind(api: Platform, ann: Holder) -> None:
    act_id, raw = act(api, "test_note", ann, text="refused")
    status, problem = await put(api, act_id, raw)
    assert (status, problem["code"]) == (422, "expired_message")
    assert not done(api, "refused")
    assert await api.store.read(office.get, act_id) is None


async def test_what_takes_two_waits_for_another_officer(api: Platform, ann: Holder, ben: Holder) -> None:
    # given an act that waits
    act_id, raw = act(api, "test_order", ann, text="seize")
    status, answer = await put(api, act_id, raw)
    assert (status, answer["status"], answer["result"]) == (200, "waiting", {})
    assert not done(api, "seize")
    digest = message_digest(raw).hex()
    # when its maker, an officer of another role, or somebody with another digest agrees, then it still waits
    clerk = await api.settle(Holder("clerk", roles=Role.KYC_DESK))
    client = await api.settle(Holder("client"))
    for holder, named, refusal in (
        (ann, digest, (403, "same_officer")),
        (clerk, digest, (403, "wrong_role")),
        (client, digest, (403, "wrong_role")),
        (ben, "0" * 64, (404, "unknown_act")),
    ):
        status, problem = await put(api, *act(api, "agree", holder, digest=named))
        assert (status, problem["code"]) == refusal
    assert not done(api, "seize")
    # when many second officers' agreements come at once, then it is carried out once
    others = [await api.settle(Holder(f"officer{n}", roles=OFFICER)) for n in range(4)]
    answers = await asyncio.gather(*(put(api, *act(api, "agree", one, digest=digest)) for one in (ben, *others)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 4
    (agreed,) = [answer for status, answer in answers if status == 200]
    assert agreed["result"] == {"act_id": act_id, "result": {"did": "seize", "by_two": True}}
    status, found = await api.get(f"/v1/office/acts/{act_id}", ben)
    assert (status, found["status"], found["second_act"]) == (200, "agreed", agreed["act_id"])
    assert found["message"].encode() == raw
    # and sent again it answers where it stands now
    assert (await put(api, act_id, raw))[1]["status"] == "agreed"


async def test_an_act_that_waits_can_be_declined_withdrawn_and_lapses(api: Platform, ann: Holder, ben: Holder) -> None:
    waiting = [act(api, "test_order", ann, text=f"act {n}") for n in range(4)]
    for each in waiting:
        assert (await put(api, *each))[1]["status"] == "waiting"
    digests = [message_digest(raw).hex() for _, raw in waiting]
    # when the second officer declines one and the maker withdraws another
    assert (await put(api, *act(api, "decline", ben, digest=digests[0], reason="Not so.")))[0] == 200
    assert (await put(api, *act(api, "decline", ann, digest=digests[1], reason="My mistake.")))[0] == 200
    # then nobody can agree to them
    for digest in digests[:2]:
        status, problem = await put(api, *act(api, "agree", ben, digest=digest))
        assert (status, problem["code"]) == (409, "act_not_waiting")
    # when a week has passed, then nobody can agree either, before and after the sweep
    api.clock.ahead_ms = ACT_LIFE_S * 1000
    status, problem = await put(api, *act(api, "agree", ben, digest=digests[2]))
    assert (status, problem["code"]) == (409, "act_not_waiting")
    assert await api.store.run(office.expire, api.clock.now_ms()) == 2
    api.clock.ahead_ms = 0
    status, problem = await put(api, *act(api, "agree", ben, digest=digests[3]))
    assert (status, problem["code"]) == (409, "act_not_waiting")
    status, listed = await api.get("/v1/office/acts", ann)
    assert [one["status"] for one in listed["acts"]] == ["expired", "expired", "declined", "declined"]
    assert not any(done(api, f"act {n}") for n in range(4))


async def test_a_maker_who_lost_the_role_makes_nothing(api: Platform, ann: Holder, ben: Holder) -> None:
    act_id, raw = act(api, "test_order", ann, text="late")
    await put(api, act_id, raw)
    await api.settle(ann, status="revoked")
    status, problem = await put(api, *act(api, "agree", ben, digest=message_digest(raw).hex()))
    assert (status, problem["code"]) == (401, "key_revoked")
    assert not done(api, "late")


async def test_a_role_for_one_token_decides_nothing_about_all(api: Platform, ann: Holder, ben: Holder) -> None:
    # given an order that waits, and a second officer whose role covers gold alone
    order = act(api, "test_order", ann, text="wide")
    assert (await put(api, *order))[1]["status"] == "waiting"
    raw = order[1]
    row = await api.store.read(registry.key, ben.kid)
    assert row is not None
    await api.store.run(registry.upsert_key, row._replace(scope=2))
    # then neither an act nor a word of theirs counts
    for kind, claims in (("test_note", {"text": "mine"}), ("agree", {"digest": message_digest(raw).hex()})):
        status, problem = await put(api, *act(api, kind, ben, **claims))
        assert (status, problem["code"]) == (403, "wrong_scope")
    assert not done(api, "wide")


async def test_a_handler_that_refuses_the_agreed_act_leaves_it_waiting(api: Platform, ann: Holder, ben: Holder) -> None:
    act_id, raw = act(api, "test_order", ann, text="refused")
    await put(api, act_id, raw)
    agreement, agreed = act(api, "agree", ben, digest=message_digest(raw).hex())
    status, problem = await put(api, agreement, agreed)
    assert (status, problem["code"]) == (422, "expired_message")
    row = await api.store.read(office.get, act_id)
    assert row is not None
    assert (row.status, row.second_kid) == ("waiting", None)
    assert await api.store.read(office.get, agreement) is None


async def test_officers_see_the_acts_of_their_role_page_by_page(api: Platform, ann: Holder) -> None:
    for n in range(5):
        await put(api, *act(api, "test_note", ann, text=f"note {n}"))
    act_id, raw = act(api, "test_order", ann, text="order")
    await put(api, act_id, raw)
    # given six acts, when an officer of the role turns the pages, then each is there once, the newest first
    status, page = await api.get("/v1/office/acts", ann)
    assert (status, len(page["acts"]), page["next"]) == (200, 6, None)
    assert page["acts"][0]["act_id"] == act_id
    assert "note" not in str(page["acts"][0]["subject"])

    async def ask(holder: Holder, query: str) -> tuple[int, dict[str, Any]]:
        path = "/v1/office/acts"
        return await api.call("GET", f"{path}?{query}", **api.proof("GET", path, holder))

    seen, query = [], "limit=4"
    while query:
        status, page = await ask(ann, query)
        seen += [one["act_id"] for one in page["acts"]]
        query = f"limit=4&before={page['next']}" if page["next"] else ""
    assert len(seen) == len(set(seen)) == 6
    assert len((await ask(ann, "status=waiting"))[1]["acts"]) == 1
    assert len((await ask(ann, "type=test_note&subject=notes"))[1]["acts"]) == 5
    assert (await ask(ann, "type=test_note&subject=other"))[1]["acts"] == []
    # and other roles see none of them, clients not even the list
    clerk = await api.settle(Holder("clerk", roles=Role.KYC_DESK))
    client = await api.settle(Holder("client"))
    assert (await ask(clerk, ""))[1]["acts"] == []
    assert (await api.get(f"/v1/office/acts/{act_id}", clerk))[1]["code"] == "unknown_act"
    assert (await api.get("/v1/office/acts", client))[1]["code"] == "wrong_role"
    assert (await api.get("/v1/office/acts"))[1]["code"] == "proof_required"


async def test_acts_are_sealed_into_the_log(api: Platform, ann: Holder) -> None:
    act_id, raw = act(api, "test_note", ann, text="sealed")
    await put(api, act_id, raw)
    await api.store.run(events.seal, 1)
    # given a sealed act, then its digest stands in the log, and a change there is found
    assert await api.store.run(events.verify_seals) == 1
    assert api.store.row("SELECT detail FROM events WHERE transaction_id = ?", (act_id,)) == (
        message_digest(raw).hex(),
    )

    def forge(store: Any) -> None:
        store.execute("UPDATE events SET detail = 'other' WHERE transaction_id = ?", (act_id,))

    await api.store.run(forge)
    with pytest.raises(events.SealBroken):
        await api.store.run(events.verify_seals)


def test_no_act_has_the_name_of_a_message() -> None:
    assert not acts.ACTS.keys() & MESSAGE_TYPES.keys()
    assert not {"agree", "decline"} & (acts.ACTS.keys() | MESSAGE_TYPES.keys())
