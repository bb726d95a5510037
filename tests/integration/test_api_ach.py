"""Proofs of bank accounts and the custodian's view of ACH, at the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_platform import Holder, Platform, platform

from sdt.domain.registry import Role
from sdt.store import Store, accounts, ach
from sdt.store.accounts import UserRow

BANK = {"routing_number": "021000021", "account_number": "000123456789", "kind": "checking", "holder": "Alice Example"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(api: Platform) -> Holder:
    return await _user(api, "alice", 1)


async def _user(api: Platform, name: str, n: int) -> Holder:
    holder = await api.settle(Holder(name))
    if await api.store.read(accounts.user_by_account, holder.account) is None:
        row = UserRow(f"00000000-0000-4000-8000-{n:012d}", holder.account, f"{name}.tx", "US-TX", 1, registered=True)
        await api.store.run(accounts.create_user, row)
    return holder


def _settle(store: Store) -> list[int]:
    with store.transaction():
        store.execute("UPDATE ach_entries SET settled_on = '2026-11-30'")
    return [units for (units,) in store.rows("SELECT units FROM ach_entries WHERE is_credit ORDER BY id")]


async def test_a_bank_account_is_proved_by_its_holder_alone(api: Platform, alice: Holder) -> None:
    _, linked = await api.post("/v1/users/me/bank-accounts", BANK, alice)
    path = f"/v1/users/me/bank-accounts/{linked['ref']}/verification"

    assert (await api.post(f"{path}/confirm", {"first_cents": 1, "second_cents": 2}, alice))[1]["code"] == "no_proof"
    status, begun = await api.post(path, {"method": "micro"}, alice)
    assert (status, begun["status"]) == (202, "pending")
    again = await api.post(path, {"method": "micro"}, alice)
    assert again == (202, begun)
    assert api.store.row("SELECT count(*) FROM ach_entries")[0] == 3

    amounts = _settle(api.store)
    bob = await _user(api, "bob", 2)
    told = {"first_cents": amounts[0], "second_cents": amounts[1]}
    assert (await api.post(f"{path}/confirm", told, bob))[0] == 404
    status, proved = await api.post(f"{path}/confirm", told, alice)
    assert (status, proved["status"]) == (200, "verified")


@pytest.mark.parametrize(
    "body", [{"method": "by hand"}, {}, {"method": "micro", "more": 1}, {"first_cents": 0, "second_cents": 1}]
)
async def test_a_proof_is_asked_for_in_one_form(api: Platform, alice: Holder, body: dict[str, object]) -> None:
    _, linked = await api.post("/v1/users/me/bank-accounts", BANK, alice)
    path = f"/v1/users/me/bank-accounts/{linked['ref']}/verification"
    status, problem = await api.post(path + "/confirm" * ("first_cents" in body), body, alice)
    assert (status, problem["code"]) == (400, "request")


async def test_custodians_alone_see_files_entries_and_rates(api: Platform, alice: Holder) -> None:
    custodian = await api.settle(Holder("treasury", roles=Role.CUSTODIAN))
    _, linked = await api.post("/v1/users/me/bank-accounts", BANK, alice)
    await api.post(f"/v1/users/me/bank-accounts/{linked['ref']}/verification", {"method": "micro"}, alice)

    for name in ("files", "inbound", "entries", "rates"):
        path = f"/v1/office/ach/{name}"
        assert (await api.get(path, alice))[0] == 403
        status, answer = await api.get(path, custodian)
        assert status == 200, answer
    _, answer = await api.get("/v1/office/ach/entries", custodian)
    # The two amounts are the holder's to read, off the statement.
    assert [(one["purpose"], one["amount"], one["status"]) for one in answer["entries"]] == [
        ("micro", "", "created")
    ] * 3
    assert BANK["account_number"] not in str(answer)
    assert len(await api.store.read(ach.waiting, 10)) == 3
