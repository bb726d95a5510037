"""A suspicion never shows: who is under a case looks, is answered and is logged as anybody else."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from api_platform import Holder, Platform, platform
from test_office_cases import act, proposed

from monitoring_rig import PRICES, REGION, count_currency
from sdt.adapters.wrapping import VaultKey
from sdt.api.openapi import document
from sdt.domain.ledger import transfer_postings
from sdt.domain.monitoring.persons import digest_key
from sdt.domain.registry import Role
from sdt.store import Store, cases, registry, transactions
from sdt.store.cases import Filter
from sdt.store.registry import FreezeRow, IdentityRow
from sdt.worker.clock import Clock
from sdt.worker.monitor import Monitor
from sdt.workflows.people import People
from store_rig import FEE_ACCOUNT, TOKEN, accepted, transaction_id

MASTER = b"p" * 32
DAY_S = 86_400


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


def _paid(store: Store, n: int, payer: str, payee: str, units: int, at_s: int) -> None:
    """Write one completed payment, as the lane would."""
    row = accepted(n, units=units)._replace(account=payer, counterparty=payee)
    with store.transaction():
        transactions.insert_accepted(store, [row])
        store.execute("UPDATE transactions SET status = 'completed' WHERE id = ?", (row.id,))
        store.many(
            "INSERT INTO postings (transaction_id, debit, credit, token, units, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (row.id, p.debit, p.credit, p.token, p.units, at_s * 1000)
                for p in transfer_postings(TOKEN, payer, payee, units, 0, FEE_ACCOUNT)
            ],
        )


async def _suspected(api: Platform, suspect: Holder, other: Holder, ann: Holder, ben: Holder) -> list[str]:
    """Put a person under every kind of case, one of them to be reported; return what must show nowhere."""
    now_s = api.clock.now_ms() // 1000

    def movements(store: Store) -> None:
        for n, account in enumerate((suspect.account, other.account)):
            registry.set_identity(store, IdentityRow(account, "dollar", 1, True, now_s + DAY_S))
            _paid(store, 10 + n, account, FEE_ACCOUNT, 4_000_00, now_s - 60)
        deposit = count_currency(store, 40, 1, 20_000_00, now_s - 60)
        for table in ("transactions", "currency_deposits"):
            column = "id" if table == "transactions" else "transaction_id"
            store.execute(f"UPDATE {table} SET account = ? WHERE {column} = ?", (suspect.account, deposit))
        # The same deposit for the other one, below any report.
        deposit = count_currency(store, 41, 1, 20_00, now_s - 60)
        for table in ("transactions", "currency_deposits"):
            column = "id" if table == "transactions" else "transaction_id"
            store.execute(f"UPDATE {table} SET account = ? WHERE {column} = ?", (other.account, deposit))

    await api.store.run(movements)
    await act(api, "watch_address", ann, address=FEE_ACCOUNT, reason="Watched for this test.")
    worker = Monitor(
        api.store, REGION, People(api.store, VaultKey(lambda: (MASTER,))), lambda: digest_key(MASTER), PRICES, Clock()
    )
    for _ in range(3):
        await worker.round()
    status, answer = await act(
        api, "open_case", ann, account=suspect.account, suspect_known=True, reason="Planted suspicion."
    )
    assert status == 200, answer
    digest = await proposed(api, answer["result"]["case"], ann, reason="Planted reason.")
    assert (await act(api, "agree", ben, digest=digest))[0] == 200
    found = cases.cases(api.store, Filter(("monitoring", "currency")), limit=50)
    assert {case.kind for case in found if case.account == suspect.account} == {"monitoring", "currency"}
    return [case.id for case in found] + ["Planted", "FED-CTR", "TX-WATCHED", "currency_report", "monitoring"]


def _paths() -> list[str]:
    """Return every path that can be read and is no officer's."""
    described: dict[str, Any] = document()
    return sorted(p for p, ways in described["paths"].items() if "get" in ways and not p.startswith("/v1/office"))


def _filled(path: str, holder: Holder, user_id: str) -> str:
    for name, value in {
        "transaction_id": transaction_id(10),
        "user_id": user_id,
        "handle": holder.handle,
        "symbol": TOKEN,
        "address": holder.account,
    }.items():
        path = path.replace("{" + name + "}", value)
    return re.sub(r"\{[^}]+\}", str(uuid.UUID(int=7, version=4)), path)


async def _read(api: Platform, path: str, holder: Holder | None) -> tuple[int, str]:
    async with api.session.get(api.url + path, headers=api.proof("GET", path, holder)) as answer:
        return answer.status, (await answer.read()).decode(errors="replace")


async def test_nothing_outside_the_compliance_role_shows_a_suspicion(
    api: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="sdt")
    suspect, other = await api.settle(Holder("suspect")), await api.settle(Holder("other"))
    ann, ben = [await api.settle(Holder(name, roles=Role.COMPLIANCE_OFFICER)) for name in ("ann", "ben")]
    officials = [
        await api.settle(Holder(f"desk{n}", roles=role))
        for n, role in enumerate(role for role in Role if role not in (Role.CLIENT, Role.COMPLIANCE_OFFICER))
    ]
    caplog.clear()
    secret = await _suspected(api, suspect, other, ann, ben)
    (user_id,) = api.store.row("SELECT user_id FROM users WHERE account = ?", (suspect.account,))
    # given every address that can be read, by the suspect, by nobody, and by every other official
    read = 0
    for path in _paths():
        for holder in (suspect, other, None, *officials):
            status, body = await _read(api, _filled(path, suspect, user_id), holder)
            assert status < 500, (path, body)
            read += status == 200
            if path not in ("/openapi.yaml", "/docs", "/docs/errors.md"):
                assert not [word for word in secret if word in body], (path, holder and holder.handle)
    assert read > 20
    # then what is told to others, what happened to transactions and what was logged say nothing either
    told = api.store.rows("SELECT topic, key, payload FROM outbox")
    happened = api.store.rows("SELECT event, status, actor, detail FROM events WHERE event <> 'act'")
    logged = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("sdt"))
    for text in (json.dumps(told), json.dumps(happened), logged):
        assert not [word for word in secret if word in text]
    assert suspect.account not in logged


async def test_who_is_under_a_case_is_answered_as_anybody_else(api: Platform) -> None:
    suspect, other = await api.settle(Holder("suspect")), await api.settle(Holder("other"))
    ann, ben = [await api.settle(Holder(name, roles=Role.COMPLIANCE_OFFICER)) for name in ("ann", "ben")]
    await _suspected(api, suspect, other, ann, ben)

    async def view(holder: Holder, path: str) -> Any:
        status, body = await _read(api, path, holder)
        assert status == 200, (path, body)
        return json.loads(body)

    for path in (
        "/v1/users/me",
        "/v1/accounts/{account}/balances",
        "/v1/accounts/{account}/transactions",
    ):
        if path not in _paths():
            continue
        seen = [_shape(await view(holder, path.replace("{account}", holder.account))) for holder in (suspect, other)]
        assert seen[0] == seen[1], path
    # and a payment of theirs is judged alike: nothing reads cases on the way of a payment
    on_the_way = (
        "api/intake",
        "api/hot",
        "worker/screening",
        "worker/screening_round",
        "worker/lane",
        "worker/projection",
    )
    for module in on_the_way:
        text = (Path(__file__).parents[2] / "src" / "sdt" / f"{module}.py").read_text()
        assert not re.search(r"findings|movement_days|travel_records|watched|monitor", text), module


def _shape(found: Any) -> Any:
    """What is there, without whose it is: names, types, statuses and reasons."""
    if isinstance(found, dict):
        return {
            key: value if key in ("status", "code", "detail", "rule", "kyc_status") else _shape(value)
            for key, value in found.items()
        }
    if isinstance(found, list):
        return [_shape(one) for one in found]
    return type(found).__name__


async def test_orders_are_public_in_numbers_alone(api: Platform) -> None:
    suspect = await api.settle(Holder("suspect"))
    now_s = api.clock.now_ms() // 1000
    status, before = await api.get("/v1/orders")
    assert (status, [one["in_force"] for one in before["orders"]]) == (200, [0, 0])
    await api.store.run(registry.set_freeze, FreezeRow(suspect.account, TOKEN, b"o" * 32, now_s + 60))
    await api.store.run(registry.set_freeze, FreezeRow("0x" + "12" * 20, TOKEN, b"o" * 32, now_s + 60))
    await api.store.run(registry.set_freeze, FreezeRow("0x" + "13" * 20, TOKEN, b"p" * 32, now_s - 60))
    _, found = await api.get("/v1/orders")
    assert found["orders"][0] == {"token": TOKEN, "in_force": 1, "accounts": 2, "ended": 1}
    assert "501.807" in found["appeal"]
    assert suspect.account not in str(found)
