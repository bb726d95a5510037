"""Currency at the bank's counter: counted once, in the account at once, and whoever handed it in is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from sandbox_servers import DAY_S, Sandbox, sandbox

from sdt.adapters.bank import HttpBank
from sdt.domain.errors import NotFound, SdtError, Unprocessable
from sdt.domain.money import USD, Amount
from sdt.ports.statement import Flow
from sdt.sandbox.control import SandboxControl

pytestmark = pytest.mark.slow
CONDUCTOR = {
    "given_name": "Carol",
    "family_name": "Courier",
    "born_on": "1980-05-17",
    "address": {"street": "1 Congress Ave", "city": "Austin", "state": "TX", "postal_code": "78701"},
    "document": "drivers_license",
    "document_number": "12345678",
    "document_issuer": "TX",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("currency")
    with sandbox(home, "bank", "--speed", str(DAY_S), "--program", "TXD") as (running, _):
        yield running


@pytest.fixture
async def counter(server: Sandbox) -> AsyncIterator[SandboxControl]:
    client = server.client("bank")
    yield client
    await client.close()


@pytest.fixture
async def bank(server: Sandbox) -> AsyncIterator[HttpBank]:
    adapter = server.bank(read_only=True)
    yield adapter
    await adapter.close()


def order(reference: str, **changes: Any) -> dict[str, Any]:
    return {
        "account": "TXD-clearing",
        "amount_cents": "1000001",
        "reference": reference,
        "by_holder": False,
        "conductor": CONDUCTOR,
    } | changes


async def test_what_is_counted_is_a_line_with_our_reference(counter: SandboxControl, bank: HttpBank) -> None:
    reference = str(uuid4())
    before = await bank.statement("TXD-clearing")
    for _ in range(2):
        await counter.post("/v1/currency-deposits", order(reference), reference)
    after = await bank.statement("TXD-clearing", after=before.last_sequence)
    (line,) = after.lines
    assert (line.kind, line.flow, line.reference) == ("currency", Flow.IN, reference)
    assert line.amount == Amount(1_000_001, USD)
    assert after.balance.units - before.balance.units == 1_000_001
    found = await bank.currency_deposit(line.subject)
    assert (found.reference, found.amount, found.by_holder) == (reference, line.amount, False)
    assert (found.conductor.family_name, found.conductor.document_number) == ("Courier", "12345678")
    assert "Courier" not in repr(found)


async def test_one_reference_is_counted_once(counter: SandboxControl) -> None:
    reference = str(uuid4())
    await counter.post("/v1/currency-deposits", order(reference), reference)
    with pytest.raises(Unprocessable) as caught:
        await counter.post("/v1/currency-deposits", order(reference), str(uuid4()))
    assert caught.value.code == "counted_already"


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "TXD-reserve"},
        {"amount_cents": "0"},
        {"conductor": {**CONDUCTOR, "document": "library card"}},
        {"conductor": {key: value for key, value in CONDUCTOR.items() if key != "document_number"}},
    ],
    ids=["reserve", "nothing", "no document", "no number"],
)
async def test_what_is_not_counted(counter: SandboxControl, changes: dict[str, Any]) -> None:
    with pytest.raises(SdtError, match=r"not_clearing|schema"):
        await counter.post("/v1/currency-deposits", order(str(uuid4()), **changes), str(uuid4()))


async def test_what_was_never_counted_is_not_there(bank: HttpBank) -> None:
    with pytest.raises(NotFound):
        await bank.currency_deposit("cur_none")
