"""A custodian limited to one token sees the acts of that token, in lists, one by one and over pages; nobody else's."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from api_platform import NETWORK, Holder, Platform, platform

from sdt.api import office as routes
from sdt.cli import office as command
from sdt.domain.claims import format_time
from sdt.domain.envelope import message_digest, seal_envelope
from sdt.domain.errors import Unprocessable
from sdt.domain.registry import Role
from sdt.store import Store, ach, authorisations, cases, office, outbox, transactions
from sdt.store.ach import AchEntryRow
from sdt.store.authorisations import AuthorisationRow
from sdt.store.office import ActRow
from sdt.worker.dead_letters import put_off
from sdt.workflows.acts import ACTS
from store_rig import NOW_MS, accepted, address

MAKER = Holder("maker", roles=Role.CUSTODIAN)
DIGEST = "ab" * 32
PLACES = {"TXD": 1, "TXG": 2}


@dataclass(frozen=True)
class Things:
    """What acts can be about, one of each for a token."""

    token: str
    place: int
    deposit: str
    trace: str
    instruction: int
    case: str
    authorisation: str


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


@pytest.fixture
async def treasury(api: Platform) -> Holder:
    return await _limited(api, "treasury", "TXD")


@pytest.fixture
async def vault(api: Platform) -> Holder:
    return await _limited(api, "vault", "TXG")


async def _limited(api: Platform, name: str, token: str, role: Role = Role.CUSTODIAN) -> Holder:
    scope = api.services.region.token_index[token] + 1
    return await api.settle(Holder(name, roles=role, scope=scope))


def things(store: Store, token: str) -> Things:
    place = PLACES[token]
    row = accepted(place, type="deposit")._replace(token=token)
    transactions.insert_accepted(store, [row])
    trace = f"11100002000000{place}"
    entry = AchEntryRow(f"ach:{row.id}", "payment", "b", address(1), token, False, 100, "WEB", False, row.id, NOW_MS)
    ach.want(store, entry._replace(status="created", trace=trace))
    outbox.put(store, "instruct", row.id, {"transaction_id": row.id}, NOW_MS)
    (dead,) = outbox.due(store, ["instruct"], NOW_MS, 3)
    put_off(store, dead, Unprocessable("x", code="routing_number"), NOW_MS)
    case = cases.open_case(
        store, kind="receivable", key=token, facts={"token": token}, detected_on=date(2026, 11, 24), actor="worker",
        at_ms=NOW_MS,
    )  # fmt: skip
    said = AuthorisationRow(
        str(uuid.uuid4()), address(1), "b", token, "telephone", "single", 100, "2026-11-24", "2026-12-24", token, NOW_MS
    )
    assert authorisations.add(store, said)
    return Things(token, place, row.id, trace, dead.id, case, said.id)


def claims_of(kind: str, of: Things) -> dict[str, Any]:
    """What an act of this type says that is about these things."""
    return {
        "retry_instruction": {"instruction": of.instruction, "reason": "Now."},
        "reverse_entry": {"trace": of.trace, "discovered_on": "2026-11-24", "reason": "Twice."},
        "dishonor_return": {"trace": of.trace, "code": "R68", "reason": "Late."},
        "record_repayment": {"deposit": of.deposit, "amount": "1", "evidence": DIGEST, "reason": "Paid."},
        "write_off": {"deposit": of.deposit, "amount": "1", "bearer": "loss_fund", "reason": "Lost."},
        "endow_loss_fund": {"token": of.token, "amount": "1", "evidence": DIGEST, "reason": "Given."},
        "settle_suspense": {"redemption": of.deposit, "way": "remint", "reason": "Theirs."},
        "pay_suspense": {"transaction": of.deposit, "bank_account": "b", "evidence": DIGEST, "reason": "Theirs."},
        "settle_surplus": {
            "kept": "x", "token": of.token, "way": "unclaimed", "evidence": DIGEST, "reason": "Nobody's.",
        },
        "record_authorisation": {
            "account": address(1), "bank_account": "b", "token": of.token, "by": "telephone", "recurrence": "single",
            "amount": "1", "given_on": "2026-11-24", "ends_on": "2026-12-24", "evidence": DIGEST, "reason": "Said.",
        },
        "end_authorisation": {"authorisation": of.authorisation, "reason": "Taken back."},
        "assign_bank_case": {"case": of.case, "officer": MAKER.kid},
        "note_bank_case": {"case": of.case, "text": "Seen."},
        "add_bank_evidence": {"case": of.case, "kind": "document", "reference": DIGEST},
        "decide_bank_case": {"case": of.case, "decision": "nothing", "reason": "Paid."},
    }[kind]  # fmt: skip


def _base(at_ms: int) -> dict[str, Any]:
    return {"version": 1, "network": NETWORK, "region": "US-TX", "issued_at": format_time(at_ms // 1000)}


def stored(
    store: Store, kind: str, claims: dict[str, Any], status: str = "done", at_ms: int = NOW_MS
) -> tuple[str, bytes]:
    """Store an act as `Office.perform` does once it was carried out, or waits."""
    act_id = str(uuid.uuid4())
    raw = seal_envelope(kind, _base(at_ms) | {"type": kind, "act_id": act_id} | claims, MAKER.key)
    row = ActRow(
        0, act_id, kind, status, MAKER.kid, "about", message_digest(raw), raw, at_ms // 1000, at_ms, at_ms, None,
        None, "{}",
    )  # fmt: skip
    office.insert(store, row)
    return act_id, raw


def of_both(store: Store, *kinds: str) -> list[tuple[str, dict[str, str]]]:
    """Store an act of each type about a thing of each token; return their ids by token."""
    of = {token: things(store, token) for token in PLACES}
    return [(kind, {token: stored(store, kind, claims_of(kind, of[token]))[0] for token in PLACES}) for kind in kinds]


async def listed(api: Platform, officer: Holder, query: str = "") -> dict[str, Any]:
    path = "/v1/office/acts"
    status, found = await api.call("GET", f"{path}?{query}", **api.proof("GET", path, officer))
    assert status == 200, found
    return found


BANKS = sorted(kind for kind, entry in ACTS.items() if (entry.roles | entry.agreeing) & Role.CUSTODIAN)


async def test_an_act_is_shown_to_the_custodians_of_its_token(api: Platform, treasury: Holder, vault: Holder) -> None:
    # Given acts of every type about a thing of each token, and a custodian of each, of both, and one who made them
    every = await api.store.run(of_both, *BANKS)
    whole, maker = [await api.settle(one) for one in (Holder("whole", roles=Role.CUSTODIAN), MAKER)]
    seen = ((treasury, ["TXD"]), (vault, ["TXG"]), (whole, ["TXG", "TXD"]), (maker, ["TXG", "TXD"]))
    for (kind, made), (officer, wanted) in product(every, seen):
        # Then the list and the single views hold the same acts
        acts = (await listed(api, officer, f"type={kind}"))["acts"]
        assert [one["act_id"] for one in acts] == [made[token] for token in wanted], (kind, officer.handle)
        for token, act_id in made.items():
            status, found = await api.get(f"/v1/office/acts/{act_id}", officer)
            assert (status, found.get("code")) == ((200, None) if token in wanted else (404, "unknown_act"))


async def test_another_role_of_one_token_sees_no_acts_for_it_signs_none(api: Platform) -> None:
    ((_, made),) = await api.store.run(of_both, "endow_loss_fund")
    second = await _limited(api, "second", "TXD", Role.APPROVER)
    assert (await listed(api, second))["acts"] == []
    assert (await api.get(f"/v1/office/acts/{made['TXD']}", second))[0] == 404


async def test_pages_hold_the_acts_of_the_token_and_end_where_they_end(
    api: Platform, treasury: Holder, vault: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given seven acts of the treasury's between three and three of the vault's
    def several(store: Store) -> list[str]:
        of = {token: things(store, token) for token in PLACES}
        order = ["TXG"] * 3 + ["TXD"] * 7 + ["TXG"] * 3
        ids = [stored(store, "endow_loss_fund", claims_of("endow_loss_fund", of[token]))[0] for token in order]
        return [id for token, id in zip(order, ids, strict=True) if token == "TXG"][::-1]

    wanted = await api.store.run(several)
    assert len((await listed(api, treasury))["acts"]) == 7
    for limit, step, looked_at in ((2, 200, 1_000), (3, 2, 1_000), (6, 4, 1_000), (6, 2, 4)):
        monkeypatch.setattr(routes, "STEP", step)
        monkeypatch.setattr(routes, "LOOKED_AT_MAX", looked_at)
        pages = [await listed(api, vault, f"limit={limit}")]
        while pages[-1]["next"] is not None:
            pages.append(await listed(api, vault, f"limit={limit}&before={pages[-1]['next']}"))
        assert [one["act_id"] for page in pages for one in page["acts"]] == wanted
        if looked_at == 1_000:
            assert [len(page["acts"]) for page in pages] == [limit] * (6 // limit)
        else:
            assert any(page["acts"] == [] for page in pages), "a page ends early where much belongs to others"


async def test_who_lists_acts_at_the_command_line_goes_on_over_short_pages(
    api: Platform, vault: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {None: ([], 9), "9": (["a", "b"], 5), "5": (["c"], 2), "2": (["d"], None)}
    asked: list[dict[str, str]] = []

    class Client:
        async def __aenter__(self) -> Client:
            return self

        async def __aexit__(self, *_: object) -> None:
            pass

        async def request(self, method: str, path: str, *, query: dict[str, str], prove: bool) -> dict[str, Any]:
            asked.append(query)
            acts, after = pages[query.get("before")]
            return {"acts": acts, "next": after}

    monkeypatch.setattr(command, "officer_client", lambda home, officer: Client())
    assert await command._list(Path(), "custodian", {"type": "x"}, 3) == {"acts": ["a", "b", "c"], "next": 2}
    assert [(one["type"], one["limit"]) for one in asked] == [("x", "3"), ("x", "3"), ("x", "1")]
    assert (await command._list(Path(), "custodian", {}, 9))["acts"] == ["a", "b", "c", "d"]


async def test_nobody_declines_for_another_token(api: Platform, treasury: Holder, vault: Holder) -> None:
    # Given a debit of the treasury's dollars that a second officer must allow
    await api.settle(MAKER)
    of, kind = await api.store.run(things, "TXD"), "record_authorisation"
    _, raw = await api.store.run(stored, kind, claims_of(kind, of), "waiting", api.clock.now_ms())
    for officer, status, code in ((vault, 403, "wrong_scope"), (treasury, 200, None)):
        act_id = str(uuid.uuid4())
        claims = {"type": "decline", "act_id": act_id, "digest": message_digest(raw).hex(), "reason": "Not so."}
        said = seal_envelope("decline", _base(api.clock.now_ms()) | claims, officer.key)
        found = await api.call("PUT", f"/v1/office/acts/{act_id}", said, **{"Content-Type": "application/jose"})
        assert (found[0], found[1].get("code")) == (status, code)
