"""Returns that came too late go back to their bank, against a real sandbox bank: taken, settled, contested, once."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ach_rig import FIRST_DAY, Rig
from sandbox_servers import Sandbox, sandbox

from domain_messages import texas
from sdt.domain.ach.entry_life import EntryStatus
from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.domain.ledger import payout_paid
from sdt.domain.nacha import faults_of, read_file, read_inbound
from sdt.domain.nacha.addenda import DishonoredReturn
from sdt.store import Store, ach, ach_files, banking, ledger, outbox, registry
from sdt.store.banking import BankEntryRow
from sdt.store.registry import IdentityRow
from sdt.workflows.ach_dishonor import ENTRIES, DishonorReturn, disputed
from sdt.workflows.clearing import explain_clearing
from sdt.workflows.office import Acting
from sdt.workflows.sealed_files import DATA_LABEL, open_file
from store_rig import TOKEN, address, transaction_id

pytestmark = pytest.mark.slow
S = EntryStatus
LATE, CONTESTED = "9990000201", "9990000301"
SUSPENSE = f"Suspense:{TOKEN}:{transaction_id(1)}"
DUE = f"DueFromBank:{TOKEN}:{transaction_id(1)}"
CLEARING = f"Clearing:{TOKEN}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "bank", "bank", "--program", "TXD", "--begins", FIRST_DAY) as (running, _):
        yield running


@pytest.fixture
async def rig(store: Store, server: Sandbox) -> AsyncIterator[Rig]:
    rig = Rig.open(store, server)
    await at(rig, "2026-11-30", "09:00")
    yield rig
    await rig.close()


async def at(rig: Rig, on: str, time: str) -> None:
    """Put the bank's clock on to a moment and leave it there."""
    await rig.clock_set(action="freeze")
    await rig.clock_set(action="set", date=on, time=time)


async def come_back(rig: Rig, number: str, units: int = 10_000) -> tuple[str, str]:
    """A debit that comes back on Monday the 7th, settled on the 1st; returns its id and trace."""
    entry = rig.deposit(1, rig.user(1, number), units)
    await at(rig, "2026-11-30", "10:11")
    await rig.round(2)
    for day in range(1, 8):
        if day not in (5, 6):
            await at(rig, f"2026-12-{day:02d}", "08:45")
            await rig.round()
    row = ach.entry(rig.store, entry)
    assert row is not None
    assert row.trace is not None
    return entry, row.trace


def dishonor(rig: Rig, trace: str, code: str = "R68", fields: tuple[str, ...] = ()) -> Any:
    """The act of a custodian, and the second officer's word for it."""
    act = DishonorReturn(
        version=1,
        network="sdt-test",
        act_id=str(uuid.uuid4()),
        region="US-TX",
        issued_at="2026-12-07T00:00:00Z",
        trace=trace,
        code=code,  # type: ignore[arg-type]
        reason="It came too late.",
        fields=fields,
    )
    [handled] = ENTRIES
    acting = Acting(rig.store, texas(), rig.clock.now_ms(), act.act_id, b"", None)  # type: ignore[arg-type]
    with rig.store.transaction():
        assert handled.needs_second(acting, act)
        return handled.handler(acting, act)


def net(rig: Rig, account: str) -> int:
    found = ledger.account_balance(rig.store, account)
    return found.debits - found.credits


async def at_bank(rig: Rig) -> int:
    return (await rig.bank.statement("TXD-clearing")).balance.units  # type: ignore[no-any-return]


async def test_a_late_return_goes_back_in_the_next_file_and_its_dollars_come(rig: Rig) -> None:
    opening = await at_bank(rig)
    entry, trace = await come_back(rig, LATE)
    assert rig.status(entry) is S.RETURNED
    assert net(rig, CLEARING) == await at_bank(rig) - opening == 0
    [[facts]] = rig.store.rows("SELECT facts FROM cases WHERE kind = 'ach_return'")
    told = json.loads(facts) if isinstance(facts, str) else facts
    assert (told["to_do"], told["dishonor_by"]) == (
        "dishonor it (R68): it came after its time",
        "2026-12-14",
    )

    done = dishonor(rig, trace)
    assert (done["entry"], done["file_by"]) == (entry, "2026-12-14")
    await rig.round()
    assert rig.status(entry) is S.RETURNED
    await at(rig, "2026-12-07", "10:11")
    await rig.round(2)

    # The bank took it: it owes the dollars until they settle.
    assert rig.status(entry) is S.DISHONORED
    assert (net(rig, DUE), net(rig, SUSPENSE), net(rig, CLEARING)) == (10_000, -10_000, 0)
    assert ("due_from_bank", -10_000) in [(item.kind, item.units) for item in explain_clearing(rig.store, TOKEN)]
    name = ach_files.files(rig.store)[0].name
    file = read_file(open_file(rig.keys, ach_files.file_data(rig.store, name), DATA_LABEL + name))
    assert faults_of(file) == ()
    [batch] = file.batches
    [sent] = batch.entries
    [says] = sent.addenda
    assert isinstance(says, DishonoredReturn)
    assert (batch.header.sec_code, batch.header.description, sent.detail.transaction_code) == (
        "WEB",
        "DISHONORED",
        "26",
    )  # type: ignore[union-attr]
    assert (says.return_code, says.original_trace, says.return_settlement_day, says.return_reason) == (
        "R68",
        trace,
        f"{date(2026, 12, 7):%j}",
        "01",
    )
    assert says.return_trace.startswith("02100002")
    assert (says.original_rdfi, says.information) == ("11100002", "Untimely return")

    await at(rig, "2026-12-08", "08:45")
    await rig.round()
    assert (net(rig, DUE), net(rig, CLEARING)) == (0, 10_000)
    assert await at_bank(rig) - opening == 10_000
    await at(rig, "2026-12-10", "08:45")
    await rig.round(2)
    assert rig.status(entry) is S.DISHONORED
    sent_row = ach.entry(rig.store, done["dishonor"])
    assert sent_row is not None
    assert (sent_row.status, sent_row.return_code, sent_row.follow_at) == ("window_passed", "R68", None)
    assert ledger.discrepancies(rig.store) == []
    with pytest.raises(Conflict) as twice:
        dishonor(rig, trace)
    assert twice.value.code == "ach_dishonored_already"


async def test_the_other_bank_contests_and_its_return_stands(rig: Rig) -> None:
    opening = await at_bank(rig)
    entry, trace = await come_back(rig, CONTESTED)
    dishonor(rig, trace)
    for day, time in ((7, "10:11"), (8, "08:45"), (9, "06:30")):
        await at(rig, f"2026-12-{day:02d}", time)
        await rig.round(2)

    assert rig.status(entry) is S.CONTESTED
    assert (net(rig, DUE), net(rig, SUSPENSE), net(rig, CLEARING)) == (0, 0, 0)
    assert await at_bank(rig) == opening
    kinds = [kind for kind, key in rig.cases() if key == f"{entry}:contest"]
    assert kinds == ["ach_return"]
    assert "ach_unmatched" not in {kind for kind, _ in rig.cases()}
    assert ledger.discrepancies(rig.store) == []
    with pytest.raises(Conflict):
        dishonor(rig, trace)


async def test_a_contest_that_is_read_before_the_settlement_was_told_books_the_same(rig: Rig) -> None:
    entry, trace = await come_back(rig, CONTESTED)
    dishonor(rig, trace)
    await at(rig, "2026-12-07", "10:11")
    await rig.round(2)
    # Nobody looked since: in one round the contest is read first, and the calendar followed after it.
    await at(rig, "2026-12-09", "06:30")
    await rig.round(2)
    assert rig.status(entry) is S.CONTESTED
    assert (net(rig, DUE), net(rig, SUSPENSE), net(rig, CLEARING)) == (0, 0, 0)
    assert ledger.discrepancies(rig.store) == []


async def test_what_the_rules_do_not_allow_is_refused_before_it_waits(rig: Rig) -> None:
    entry, trace = await come_back(rig, "9990000001")
    assert rig.status(entry) is S.RETURNED
    for code, fields in (("R68", ()), ("R67", ()), ("R70", ()), ("R69", ()), ("R69", ("09",)), ("R61", ("01",))):
        with pytest.raises(Unprocessable) as refused:
            dishonor(rig, trace, code, fields)
        assert refused.value.code == "ach_dishonor_refused"
    with pytest.raises(NotFound):
        dishonor(rig, "1" * 15)
    done = dishonor(rig, trace, "R69", ("01", "05"))
    # The day the return settled was Wednesday the 2nd, so the last one is the 9th: this file comes too late.
    await at(rig, "2026-12-10", "10:11")
    await rig.round(2)
    waited = ach.entry(rig.store, done["dishonor"])
    assert waited is not None
    assert (waited.stage, rig.status(entry)) == ("refused", S.RETURNED)
    assert any(key == f"{done['dishonor']}:not_filed" for _, key in rig.cases())
    with pytest.raises(Unprocessable) as late:
        dishonor(rig, trace, "R69", ("01",))
    assert "five banking days" in late.value.detail


async def test_a_payout_and_an_entry_that_did_not_come_back_have_no_return_to_send(rig: Rig) -> None:
    linked = rig.user(1)
    rig.deposit(1, linked)
    rig.payout(2, linked)
    await at(rig, "2026-11-30", "10:11")
    await rig.round(2)
    for row in ach.in_file(rig.store, "TXD-20261130-A.ach", "", 10):
        with pytest.raises(Conflict) as refused:
            dishonor(rig, row.trace or "")
        assert refused.value.code == "ach_not_dishonorable"


async def test_a_duplicate_return_goes_back_and_the_first_one_stands(rig: Rig) -> None:
    entry, trace = await come_back(rig, "9990000001")
    # The same return once more, as another one: their bank sent it twice.
    files = rig.files
    name = next(row.name for row in ach_files.inbound(rig.store) if row.records)
    data = await files.fetch(name)
    again = read_file(data)
    [first] = read_inbound(again).returns
    second = data.replace(first.trace_number.encode(), b"021000020009999")
    await rig.desk.receiver.take("returns-again.ach", second, await rig.now())
    assert {kind for kind, _ in rig.cases()} >= {"ach_unmatched"}

    before = (net(rig, CLEARING), net(rig, SUSPENSE))
    done = dishonor(rig, trace, "R67")
    await at(rig, "2026-12-07", "10:11")
    await rig.round(2)
    [sent] = ach.in_file(rig.store, ach_files.files(rig.store)[0].name, "", 5)
    assert (sent.id, sent.status) == (done["dishonor"], "acknowledged")
    assert rig.status(entry) is S.RETURNED
    assert (net(rig, CLEARING), net(rig, SUSPENSE), net(rig, DUE)) == (*before, 0)


async def test_a_file_that_the_bank_takes_and_then_does_not_is_put_back(rig: Rig) -> None:
    entry, trace = await come_back(rig, LATE)
    done = dishonor(rig, trace)
    await at(rig, "2026-12-07", "10:11")
    await rig.round(2)
    assert rig.status(entry) is S.DISHONORED
    file = ach_files.files(rig.store)[0]
    await rig.desk.deliverer.reject(file, "operator", await rig.now())
    sent = ach.entry(rig.store, done["dishonor"])
    assert sent is not None
    assert (sent.status, rig.status(entry)) == ("refused", S.CONTESTED)
    assert (net(rig, DUE), net(rig, SUSPENSE), net(rig, CLEARING)) == (0, 0, 0)
    assert ledger.discrepancies(rig.store) == []


async def test_a_worker_that_dies_between_building_and_delivering_sends_it_once(rig: Rig) -> None:
    entry, trace = await come_back(rig, LATE)
    dishonor(rig, trace)
    await at(rig, "2026-12-07", "10:11")
    assert await rig.desk.gatherer.work(await rig.now()) == 1
    assert (ach_files.files(rig.store)[0].status, rig.status(entry)) == ("built", S.RETURNED)
    rig.restart()
    await rig.round(2)
    rig.restart()
    await rig.round(2)
    built = [file for file in ach_files.files(rig.store) if file.made_on == "2026-12-07"]
    assert [(file.status, file.entry_count) for file in built] == [("acknowledged", 1)]
    assert (rig.status(entry), net(rig, DUE)) == (S.DISHONORED, 10_000)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"original_trace": "1" * 15}, "dishonor_unknown"), ({"return_reason": "02"}, "dishonor_unknown"), ({}, None)],
)
async def test_the_bank_takes_a_dishonored_return_of_what_it_returned_and_no_other(
    rig: Rig, change: dict[str, str], code: str | None
) -> None:
    _, trace = await come_back(rig, LATE)
    dishonor(rig, trace)
    await at(rig, "2026-12-07", "10:11")
    await rig.desk.gatherer.work(await rig.now())
    name = ach_files.files(rig.store)[0].name
    file = read_file(open_file(rig.keys, ach_files.file_data(rig.store, name), DATA_LABEL + name))
    [sent] = file.batches[0].entries
    wrong = replace(sent, addenda=(replace(sent.addenda[0], **change),))  # type: ignore[arg-type]
    data = replace(file, batches=(replace(file.batches[0], entries=(wrong,)),)).data()
    await rig.files.put("TXD-wrong.ach", data)
    said = json.loads(await rig.files.fetch("ack-TXD-wrong.ach.json"))
    assert said["code"] == code
    if code is None:
        # Once taken, the same return is not taken back a second time, whatever the file's or the entry's name.
        other = data.replace(sent.detail.trace_number.encode(), b"111000020999999")  # type: ignore[union-attr]
        await rig.files.put("TXD-again.ach", other)
        assert json.loads(await rig.files.fetch("ack-TXD-again.ach.json"))["code"] == "dishonored_twice"


async def paid_back(rig: Rig, number: str, units: int = 10_000) -> tuple[str, str]:
    """A payout that comes back on Monday the 7th, settled on the 1st; returns its id and trace."""
    entry = rig.payout(1, rig.user(1, number), units)
    # An account that is open: what comes back is to be minted again.
    registry.set_identity(rig.store, IdentityRow(address(1), "dollar", 1, True, 2**40))
    await at(rig, "2026-11-30", "10:11")
    await rig.round(2)
    for day in (1, 2, 3, 4, 7):
        await at(rig, f"2026-12-{day:02d}", "08:45")
        await rig.round()
    row = ach.entry(rig.store, entry)
    assert row is not None
    assert row.trace is not None
    return entry, row.trace


async def test_a_payout_that_came_back_too_late_goes_out_again_and_is_minted_for_nobody(rig: Rig) -> None:
    opening = await at_bank(rig)
    entry, trace = await paid_back(rig, "9990000202")
    assert rig.status(entry) is S.RETURNED
    payout = f"Payout:{TOKEN}:{transaction_id(1)}"
    assert (net(rig, payout), net(rig, SUSPENSE), await at_bank(rig) - opening) == (-10_000, 0, 0)

    dishonor(rig, trace)
    assert (net(rig, payout), net(rig, SUSPENSE)) == (0, -10_000)
    assert disputed(rig.store, TOKEN, transaction_id(1), date(2026, 12, 7))
    await at(rig, "2026-12-07", "10:11")
    await rig.round(2)
    assert rig.status(entry) is S.DISHONORED
    assert (net(rig, DUE), net(rig, SUSPENSE), net(rig, payout)) == (-10_000, 0, 0)
    assert net(rig, CLEARING) == await at_bank(rig) - opening == 0

    await at(rig, "2026-12-08", "08:45")
    await rig.round()
    assert net(rig, CLEARING) == await at_bank(rig) - opening == -10_000
    assert (net(rig, DUE), net(rig, SUSPENSE)) == (0, 0)
    assert ledger.discrepancies(rig.store) == []


async def test_a_contested_dishonor_of_a_payouts_return_is_an_officers(rig: Rig) -> None:
    opening = await at_bank(rig)
    entry, trace = await paid_back(rig, "9990000302")
    dishonor(rig, trace)
    await at(rig, "2026-12-07", "10:11")
    await rig.round(2)
    for day in (8, 9):
        await at(rig, f"2026-12-{day:02d}", "08:45")
        await rig.round()
    assert rig.status(entry) is S.CONTESTED
    assert (net(rig, DUE), net(rig, SUSPENSE)) == (0, -10_000)
    assert net(rig, CLEARING) == await at_bank(rig) - opening == 0
    assert not disputed(rig.store, TOKEN, transaction_id(1), date(2026, 12, 9))


async def test_what_was_paid_out_again_is_not_asked_of_the_bank(rig: Rig) -> None:
    _, trace = await paid_back(rig, "9990000202")
    paid = [(transaction_id(1), p) for p in payout_paid(TOKEN, transaction_id(1), 1)]
    ledger.post(rig.store, paid, release=[], at_ms=1)
    with pytest.raises(Conflict):
        dishonor(rig, trace)


async def test_a_return_is_not_sent_back_while_its_dollars_are_on_the_way_to_another_account(rig: Rig) -> None:
    _, trace = await paid_back(rig, "9990000202")
    of, again = transaction_id(1), f"ach:{transaction_id(1)}:2"
    # two officers had it paid from suspense, and the worker has not come to it, or gave it up until somebody looks
    outbox.put(rig.store, "instruct", again, {"transaction_id": of}, 1)
    [instruction] = [row for row in outbox.due(rig.store, ["instruct"], 2, 9) if row.key == again]
    with pytest.raises(Conflict):
        dishonor(rig, trace)
    outbox.bury(rig.store, instruction.id, "unknown_bank_account", 2)
    with pytest.raises(Conflict):
        dishonor(rig, trace)
    # and now it stands in a file, or will
    outbox.done(rig.store, [instruction.id], 3)
    assert banking.put_entry(
        rig.store, BankEntryRow(again, of, "credit", TOKEN, 10_000, None, S.CREATED.value, None, 3)
    )
    for status in (S.CREATED, S.FILED, S.ACKNOWLEDGED):
        banking.update_entry(rig.store, again, status=status.value, code=None, at_ms=4)
        with pytest.raises(Conflict) as refused:
            dishonor(rig, trace)
        assert refused.value.code == "ach_not_dishonorable"
    # but not any more
    banking.update_entry(rig.store, again, status=S.REFUSED.value, code=None, at_ms=5)
    assert dishonor(rig, trace)["amount"] == "10000"
