"""The officers' queue at the API and the command line, and what everybody else sees: the same neutral word always."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from api_platform import Holder as ApiHolder
from api_platform import Platform, platform
from sandbox_servers import Sandbox, sandbox
from typer.testing import CliRunner

from databases import contents, database_at
from sanctions_rig import OFFICERS, ROLES, Holder, Rig, business, person, sanctions_rig
from sdt.cli.app import app
from sdt.client import Network
from sdt.domain.registry import Role
from sdt.domain.transaction import Event
from sdt.store import Store, person_keys, reviews, transactions
from sdt.store.transactions import Change

pytestmark = pytest.mark.slow

REASON = "Another date of birth, and another country."


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("vendor"), "vendors") as (running, _):
        yield running


@pytest.fixture
async def rig(tmp_path: Path, vendor: Sandbox) -> AsyncIterator[Rig]:
    aml = vendor.aml(timeout_s=60)
    async with sanctions_rig(tmp_path, aml) as made:
        yield made
    await aml.close()


@pytest.fixture
async def api(tmp_path: Path, rig: Rig) -> AsyncIterator[Platform]:
    async with platform(tmp_path, database=database_at(tmp_path / "books.db")) as running:
        yield running


def officer(name: str) -> ApiHolder:
    return ApiHolder(name, key=OFFICERS[name], roles=ROLES[name])


def user(who: Holder) -> ApiHolder:
    return ApiHolder("user", account=who.account, key=who.key)


async def ask(api: Platform, holder: ApiHolder, path: str, query: str = "") -> tuple[int, dict[str, Any]]:
    return await api.call("GET", f"{path}?{query}", **api.proof("GET", path, holder))


async def test_an_officer_sees_who_may_be_meant_and_why(api: Platform, rig: Rig) -> None:
    owners = ((person("Ruprecht", "Pretender"), 300_000), (person("Viktor", "Falsename"), 250_000))
    who = await rig.join(business("Honest Feed Store", *owners))
    asked = await rig.deposit(who)
    await rig.screen()
    # given a business two of whose owners may be listed, when an officer looks
    status, found = await ask(api, officer("ann"), "/v1/office/reviews")
    assert status == 200
    (review,) = found["reviews"]
    assert (review["account"], review["matches"], review["status"]) == (who.account, 3, "open")
    _, details = await ask(api, officer("ann"), f"/v1/office/reviews/{review['case_id']}")
    # then everybody behind it is there, each likeness has its sentence, and the shares are added up
    assert [one["role"] for one in details["people"]] == ["business", "control", "owner", "owner"]
    own = [one for one in details["found"] if one["source"] == "own"]
    assert {one["listed_name"] for one in own} == {"PRETENDER, Ruprecht Anselm", "FALSENAME, Viktor"}
    assert all(sentence.startswith("An owner, ") for one in own for sentence in one["sentences"])
    assert details["ownership"].startswith("Owners who may be meant hold 55 % together")
    assert details["transactions"] == [asked]
    assert (details["takes_two"], details["freeze"]) == (True, None)
    # and nothing of it stands in the database in the clear
    raw = contents(rig.home / "books.db")
    for word in (b"Pretender", b"Ruprecht", b"Falsename", b"PRETENDER"):
        assert word not in raw


async def test_nobody_else_sees_reviews_lists_or_acts(api: Platform, rig: Rig) -> None:
    who = await rig.join(person("Viktor", "Falsename"))
    await rig.deposit(who)
    await rig.screen()
    case_id = await rig.case_of(who)
    act = await rig.act("confirm_match", "ann", case=case_id, reason=REASON)
    paths = ["reviews", f"reviews/{case_id}", "sanctions", "sanctions/ignored", f"acts/{act.id}", f"cases/{case_id}"]
    kyc = await api.settle(ApiHolder("kyc", roles=Role.KYC_DESK))
    custodian = await api.settle(ApiHolder("custodian", roles=Role.CUSTODIAN))
    for path in paths:
        assert (await api.get(f"/v1/office/{path}", officer("ann")))[0] == 200, path
        assert (await api.get(f"/v1/office/{path}"))[0] == 401
        for holder in (user(who), kyc, custodian, officer("issuer"), officer("approver")):
            status, problem = await api.get(f"/v1/office/{path}", holder)
            assert (status, problem["code"]) in {
                (403, "wrong_role"),
                (404, "unknown_act"),
                (404, "unknown_case"),
            }, (path, holder.handle)


async def test_a_person_who_is_erased_leaves_numbers_alone(api: Platform, rig: Rig) -> None:
    who = await rig.join(person("Viktor", "Falsename"))
    await rig.deposit(who)
    await rig.screen()
    (user_id,) = api.store.row("SELECT user_id FROM users WHERE account = ?", (who.account,))
    await rig.store.run(person_keys.erase, user_id, 1)
    _, details = await api.get(f"/v1/office/reviews/{await rig.case_of(who)}", officer("ann"))
    assert details["people"] is None
    assert [one["sentences"] for one in details["found"]] == [[], []]
    assert details["score"] == 100


async def test_the_queue_and_the_ignore_list_turn_their_pages(api: Platform, rig: Rig) -> None:
    people = [await rig.join(person("Victor", "Falsone", f"{n} Main St")) for n in range(5)]
    for who in people:
        await rig.deposit(who)
    await rig.screen()
    seen: list[str] = []
    after = ""
    while True:
        _, page = await ask(api, officer("ann"), "/v1/office/reviews", f"limit=2{after}")
        seen += [one["account"] for one in page["reviews"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(seen) == sorted(who.account for who in people)
    for who in people:
        await rig.act("clear_match", "ann", case=await rig.case_of(who), reason=REASON, ignore_days=10)
    assert (await api.get("/v1/office/reviews", officer("ann")))[1]["reviews"] == []
    assert len((await ask(api, officer("ann"), "/v1/office/reviews", "decided=true"))[1]["reviews"]) == 5
    ignored: list[str] = []
    before = ""
    while True:
        _, page = await ask(api, officer("ann"), "/v1/office/sanctions/ignored", f"limit=2{before}")
        ignored += [one["account"] for one in page["ignored"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert sorted(ignored) == sorted(seen)


async def test_at_the_command_line_two_officers_decide(
    api: Platform, rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real command, the real API; only where the platform stands is told to it."""
    from sdt.local import platform as local

    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("ann", "ben"):
        file = keys / f"{name}.key"
        file.write_text(bytes(OFFICERS[name]).hex())
        file.chmod(0o600)

    async def network(home: Path) -> Network:
        return Network(api.url, "sdt-test", "US-TX")

    monkeypatch.setattr(local, "settings_of", lambda home: SimpleNamespace(desks=SimpleNamespace(keys_folder=keys)))
    monkeypatch.setattr(local, "network_of", network)

    async def sdt(*arguments: str) -> Any:
        done = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"])
        assert done.exit_code == 0, (arguments, done.output, done.exception)
        return json.loads(done.output[done.output.index("{\n") :]) if "agree" not in arguments else done.output

    who = await rig.join(person("Viktor", "Falsename"))
    asked = await rig.deposit(who)
    await rig.screen()
    # given a true likeness of somebody else, when two officers work through the queue
    (waiting,) = (await sdt("sanctions", "queue", "--as", "ann"))["reviews"]
    case_id = waiting["case_id"]
    shown = await sdt("sanctions", "show", case_id, "--as", "ann")
    assert shown["people"][0]["name"] == "Viktor Falsename"
    cleared = await sdt("sanctions", "clear", case_id, "--reason", REASON, "--days", "30", "--as", "ann")
    assert cleared["status"] == "waiting"
    told = await sdt("office", "agree", cleared["act_id"], "--yes", "--as", "ben")
    # then the second read the very words that were signed
    assert REASON in told
    await rig.screening.resume_once()
    assert (await rig.row(asked)).status == "awaiting_funds"
    ignored = next(
        one for one in (await sdt("sanctions", "ignore", "--as", "ann"))["ignored"] if one["source"] == "own"
    )
    ended = await sdt("sanctions", "ignore", "--end", ignored["match_id"], "--reason", "Moved abroad.", "--as", "ann")
    assert ended["status"] == "done"
    status = await sdt("sanctions", "status", "--as", "ann")
    assert status["in_force"]["entries"] == 7
    assert status["progress"] == {"people": 1, "screened": 1, "left": 0, "review": 0, "blocked": 0}


SECRET = re.compile(r"sanction|match|listed|ofac|suspic|blocked|blocking|false?name|viktor", re.IGNORECASE)


async def test_no_word_of_it_reaches_anybody_else(api: Platform, rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Two transactions in review for different reasons are told apart by nobody, before and after the decision."""
    caplog.set_level(logging.DEBUG, logger="sdt")
    alice = await rig.join(person("Alice", "Archer"))
    listed, other = await rig.join(person("Viktor", "Falsename")), await rig.join(person("Bob", "Baker"))
    ids: dict[str, list[str]] = {"sanctions": [], "other": []}
    for who, reason in ((listed, "sanctions"), (other, "other")):
        for _ in range(2):
            ids[reason] += [await rig.deposit(who), await rig.redeem(who)]
    # given the same things asked by one who is listed, and by one whom another part of the platform stops
    sent_by_other = ids["other"]
    await rig.store.run(_stop_for_another_reason, sent_by_other, rig.clock.now_ms())
    await rig.screen()
    assert {(await rig.status(one))[0] for one in (*ids["sanctions"], *sent_by_other)} == {"in_review"}
    before = [await everything_shown(api, rig, who, ids[reason]) for who, reason in _two(listed, other)]
    assert before[0] == before[1]
    # when both are decided against
    case_id = await rig.case_of(listed)
    await rig.agreed(await rig.act("confirm_match", "ann", case=case_id, reason=REASON))
    await rig.store.run(reviews.release, "monitoring", "case", "stop")
    assert await rig.screening.resume_once() == 8
    after = [await everything_shown(api, rig, who, ids[reason]) for who, reason in _two(listed, other)]
    # then they end with the same words everywhere, and no log says more
    assert after[0] == after[1]
    assert after[0] != before[0]
    assert not SECRET.search(json.dumps(after)), SECRET.search(json.dumps(after))
    assert not SECRET.search(caplog.text.replace("sdt.worker.sanctions", "")), SECRET.search(caplog.text)
    # and whoever pays the listed one sees no more than that
    paid, unpaid = await rig.transfer(alice, listed), await rig.transfer(alice, other)
    await rig.screen()
    _, shown = await api.get(f"/v1/transactions/{paid}", user(alice))
    assert (shown["status"], shown["code"], shown["detail"]) == ("in_review", "in_review", None)
    assert (await rig.row(unpaid)).status == "screened"


def _two(listed: Holder, other: Holder) -> list[tuple[Holder, str]]:
    return [(listed, "sanctions"), (other, "other")]


def _stop_for_another_reason(store: Store, ids: list[str], now_ms: int) -> None:
    for transaction_id in ids:
        reviews.hold(store, transaction_id, "monitoring", "case", now_ms)
    changes = [Change(transaction_id, Event.REVIEW, code="in_review") for transaction_id in ids]
    transactions.move(store, changes, actor="worker:screening", at_ms=now_ms)


async def everything_shown(api: Platform, rig: Rig, who: Holder, ids: list[str]) -> list[Any]:
    """Return all that anybody outside the role can see of these transactions, without what names them."""
    shown: list[Any] = []
    for transaction_id in ids:
        for holder in (None, user(who)):
            status, answer = await api.get(f"/v1/transactions/{transaction_id}", holder)
            shown.append((status, _nameless(answer)))
    for path in (f"/v1/accounts/{who.account}/transactions", f"/v1/accounts/{who.account}/balances"):
        status, answer = await api.get(path, user(who))
        shown.append((status, _nameless(answer)))
    status, me = await api.get("/v1/users/me", user(who))
    shown.append((status, _nameless(me)))
    for desk, role in (("custodian", Role.CUSTODIAN), ("issuer", Role.ISSUER)):
        desk_officer = await api.settle(ApiHolder(desk, roles=role))
        _, tasks = await ask(api, desk_officer, "/v1/desk/tasks", f"role={desk}")
        shown.append([one for one in tasks["tasks"] if one.get("transaction_id") in ids])
    rows = api.store.rows(
        f"SELECT event, status, actor, detail FROM events WHERE {api.store.among('transaction_id')} ORDER BY seq",
        (api.store.listed(ids),),
    )
    shown.append(sorted(map(str, rows)))
    told = api.store.rows("SELECT topic, payload FROM outbox ORDER BY id")
    shown.append([(topic, payload) for topic, payload in told if json.loads(payload).get("transaction_id") in ids])
    return shown


_NAMES = (
    "transaction_id",
    "accepted_at",
    "updated_at",
    "expires_at",
    "account",
    "details",
    "next",
    "user_id",
    "handle",
    "created_at",
)


def _nameless(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {key: _nameless(value) for key, value in answer.items() if key not in _NAMES}
    return [_nameless(one) for one in answer] if isinstance(answer, list) else answer
