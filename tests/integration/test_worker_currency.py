"""Currency from the bank's counter into the books: each line once, for its deposit or into suspense with a case."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sandbox_servers import DAY_S, Sandbox, sandbox
from test_monitoring import DORA, KEY, MASTER, user
from test_sandbox_currency import CONDUCTOR
from test_suspense import drop_off

from monitoring_rig import REGION
from sdt.adapters.wrapping import VaultKey
from sdt.domain.monitoring.persons import digest_key, person_id
from sdt.domain.transaction import Event
from sdt.ports.bank import Bank
from sdt.store import Store, banking, cases, currency, ledger, transactions
from sdt.store.cases import Filter
from sdt.store.currency import CONDUCTOR_NOTE
from sdt.store.transactions import Change
from sdt.worker.clock import Clock
from sdt.worker.currency import Currency
from sdt.workflows.people import People
from store_rig import NOW_MS, TOKEN, address

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("counter")
    with sandbox(home, "bank", "--speed", str(DAY_S), "--program", TOKEN) as (running, _):
        yield running


@pytest.fixture
async def bank(server: Sandbox) -> AsyncIterator[Bank]:
    adapter = server.bank(read_only=True)
    yield adapter
    await adapter.close()


async def counted(server: Sandbox, reference: str, cents: int, **changes: Any) -> None:
    client = server.client("bank")
    order = {
        "account": f"{TOKEN}-clearing",
        "amount_cents": str(cents),
        "reference": reference,
        "by_holder": False,
        "conductor": CONDUCTOR,
    } | changes
    await client.post("/v1/currency-deposits", order, f"count-{reference}")
    await client.close()


def waiting(store: Store, n: int, cents: int) -> str:
    with store.transaction():
        return drop_off(store, n, cents, "dropoff:counter")


def books(store: Store, name: str) -> int:
    found = ledger.account_balance(store, name)
    return found.debits - found.credits


async def test_what_was_counted_is_booked_once(store: Store, server: Sandbox, bank: Bank) -> None:
    user(store, 1, DORA)
    deposit = waiting(store, 1, 10_000_01)
    await counted(server, deposit, 10_000_01)
    people = People(store, VaultKey(lambda: (MASTER,)))
    worker = Currency(store, REGION, bank, people, lambda: digest_key(MASTER), Clock(), 1.0)
    for _ in range(3):
        await worker.look()
    assert books(store, f"Clearing:{TOKEN}") == 10_000_01
    assert books(store, f"Pending:{TOKEN}:{deposit}") == -10_000_01
    (entry,) = banking.entries_of(store, [deposit])
    assert (entry.direction, entry.status) == ("in", "window_passed")
    assert entry.external_id
    assert entry.external_id.startswith("cur_")
    row = currency.of(store, [deposit])[deposit]
    assert (row.account, row.units, bool(row.by_holder)) == (address(1), 10_000_01, False)
    assert row.conductor == person_id(KEY, "Carol", "Courier", "1980-05-17")
    assert b"Courier" not in bytes(row.conductor_sealed)
    note = await people.open_note(address(1), CONDUCTOR_NOTE, bytes(row.conductor_sealed))
    assert note is not None
    assert json.loads(note)["document_number"] == "12345678"
    assert cases.cases(store, Filter(("ach_unmatched",))) == []


def _numbers(store: Store) -> list[str]:
    return [number for (number,) in store.rows("SELECT deposit_id FROM currency_deposits")]


async def test_what_no_deposit_asks_for_in_just_that_amount_is_a_case(
    store: Store, server: Sandbox, bank: Bank
) -> None:
    user(store, 1, DORA)
    short, ended = waiting(store, 1, 5_000_00), waiting(store, 2, 5_000_00)
    with store.transaction():
        transactions.move(store, [Change(ended, Event.REJECT, code="x")], actor="x", at_ms=NOW_MS)
    await counted(server, short, 4_999_00)
    await counted(server, ended, 5_000_00)
    await counted(server, "nothing-known", 100)
    worker = Currency(
        store, REGION, bank, People(store, VaultKey(lambda: (MASTER,))), lambda: digest_key(MASTER), Clock(), 1.0
    )
    for _ in range(2):
        await worker.look()
    found = cases.cases(store, Filter(("ach_unmatched",)))
    assert len(found) == 3
    assert "Courier" not in "".join(case.facts for case in found)
    assert banking.entries_of(store, [short, ended]) == []
    # and each is kept with whose hand it came by, for the currency report; the holder where the slip names one
    rows = sorted((row.account, row.units, row.conductor) for row in currency.counted(store, _numbers(store)).values())
    carol = person_id(KEY, "Carol", "Courier", "1980-05-17")
    assert rows == [("", 100, carol), (address(1), 4_999_00, carol), (address(1), 5_000_00, carol)]
    suspended = [
        name for (name,) in store.rows("SELECT name FROM ledger_accounts WHERE substr(name, 1, 9) = 'Suspense:'")
    ]
    assert -sum(books(store, name) for name in suspended) == books(store, f"Clearing:{TOKEN}") == 9_999_00 + 100
