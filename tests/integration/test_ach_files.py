"""ACH by files, from wanted entries to the bank and back, against a real sandbox bank whose clock the test moves."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ach_rig import FIRST_DAY, GOOD_NUMBER, Rig
from sandbox_servers import Sandbox, sandbox

from domain_messages import texas
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus
from sdt.domain.ach.reference import reference_of
from sdt.domain.authority import KeyFacts
from sdt.domain.errors import Conflict, Forbidden, Unprocessable
from sdt.domain.nacha import Return, faults_of, read_file
from sdt.domain.registry import Role
from sdt.domain.transaction import Status
from sdt.observing.figures import Figures
from sdt.ports.evidence import StateUnknown
from sdt.store import Store, ach, ach_files, banking, ledger, registry, reserve_moves, undone
from sdt.store.ach import AchEntryRow
from sdt.store.registry import FreezeRow
from sdt.worker.ach.service import ach_samples
from sdt.workflows import blocking, payouts
from sdt.workflows.ach_reversal import ENTRIES, ReverseEntry
from sdt.workflows.office import Acting
from sdt.workflows.sealed_files import DATA_LABEL, open_file
from store_rig import TOKEN, address, status_of, transaction_id

pytestmark = pytest.mark.slow
S = EntryStatus


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    with sandbox(tmp_path / "bank", "bank", "--program", "TXD", "--begins", FIRST_DAY) as (running, _):
        yield running


@pytest.fixture
async def rig(store: Store, server: Sandbox) -> AsyncIterator[Rig]:
    """A desk at a bank whose clock stands at 09:00 of the Monday before Christmas."""
    rig = Rig.open(store, server)
    await _at(rig, "2026-12-21", "09:00")
    yield rig
    await rig.close()


async def _at(rig: Rig, on: str, at: str) -> None:
    await rig.clock_set(action="freeze")
    await rig.clock_set(action="set", date=on, time=at)


async def test_a_deposit_goes_out_at_the_cut_off_settles_and_passes_its_window_over_a_holiday(rig: Rig) -> None:
    await rig.round()
    entry = rig.deposit(1, rig.user(1))
    await rig.round()
    assert (rig.status(entry), ach_files.files(rig.store)) == (S.CREATED, [])

    await _at(rig, "2026-12-23", "10:11")
    await rig.round(2)

    [file] = ach_files.files(rig.store)
    assert (file.name, file.status, file.entry_count) == ("TXD-20261223-A.ach", "acknowledged", 1)
    assert rig.status(entry) is S.ACKNOWLEDGED
    found = ach.entry(rig.store, entry)
    assert found is not None
    assert (found.effective_on, found.follow_at) == ("2026-12-24", "2026-12-24 08:30")

    await _at(rig, "2026-12-24", "08:31")
    await rig.round()
    assert rig.status(entry) is S.SETTLED
    # Christmas is a Friday: the second banking day after settlement is the Tuesday after.
    await _at(rig, "2026-12-29", "08:29")
    await rig.round()
    assert rig.status(entry) is S.SETTLED
    await _at(rig, "2026-12-29", "08:30")
    await rig.round()
    assert rig.status(entry) is S.WINDOW_PASSED

    at_bank = await rig.bank.ach_entry(found.trace or "")
    assert at_bank.status.value == "window_passed"
    assert at_bank.reference == reference_of(transaction_id(1))
    assert rig.cases() == []
    assert ledger.discrepancies(rig.store) == []


async def test_the_file_is_what_was_wanted_and_its_totals_agree(rig: Rig) -> None:
    linked = rig.user(1, holder="José Ñandú")
    rig.deposit(1, linked, 12_345)
    rig.payout(2, linked, 700)
    await rig.round()

    [row] = ach_files.files(rig.store)
    sealed = ach_files.file_data(rig.store, row.name)
    data = open_file(rig.keys, sealed, DATA_LABEL + row.name)
    file = read_file(data)
    assert faults_of(file) == ()
    assert GOOD_NUMBER.encode() not in sealed
    assert hashlib.sha256(data).hexdigest() == row.digest
    by_class = {batch.header.sec_code: [e.detail for e in batch.entries] for batch in file.batches}
    [debit], [credit] = by_class["WEB"], by_class["PPD"]
    assert (debit.transaction_code, debit.cents, debit.name, debit.account) == ("27", 12_345, "Jose Nandu", GOOD_NUMBER)
    assert (credit.transaction_code, credit.cents) == ("22", 700)
    assert (row.debit_units, row.credit_units) == (12_345, 700)


async def test_returns_come_before_the_window_passes_and_end_the_deposit(rig: Rig) -> None:
    linked = rig.user(1)
    entry, good = rig.deposit(1, linked, 10_420), rig.deposit(2, linked, 10_000)
    await rig.round(2)
    await rig.clock_set(action="advance", days=6)
    await rig.round()

    # All of it came in one round: the morning's returns are read before anything passes.
    assert rig.status(entry) is S.RETURNED
    assert status_of(rig.store, transaction_id(1)) is Status.RETURNED
    assert rig.status(good) is S.WINDOW_PASSED
    row = ach.entry(rig.store, entry)
    assert row is not None
    assert (row.return_code, row.follow_at) == ("R01", None)
    assert ledger.discrepancies(rig.store) == []


async def test_nothing_passes_its_window_while_a_mornings_file_of_returns_is_missing(rig: Rig) -> None:
    entry = rig.deposit(1, rig.user(1))
    await rig.round(2)
    held = _Withholding(rig.files, "returns-")
    rig.files = held  # type: ignore[assignment]
    rig.restart()
    await rig.clock_set(action="advance", days=6)
    await rig.round()

    assert rig.status(entry) is S.SETTLED
    assert len(rig.desk.follower.missing) == 2
    assert {kind for kind, _ in rig.cases()} == {"ach_return"}

    held.withheld = "nothing"
    await rig.round()
    assert rig.status(entry) is S.WINDOW_PASSED
    assert rig.desk.follower.missing == ()


async def test_a_return_file_that_comes_twice_counts_once(rig: Rig) -> None:
    entry = rig.deposit(1, rig.user(1), 10_420)
    await rig.round(2)
    await rig.clock_set(action="advance", days=3)
    await rig.round()
    assert rig.status(entry) is S.RETURNED
    before = ledger.account_balance(rig.store, f"Clearing:{TOKEN}")
    name = next(row.name for row in ach_files.inbound(rig.store) if row.records and row.kind == "returns")

    await rig.control.post(f"/v1/ach/inbound/{name}/again", {}, "again")
    await rig.round(2)

    assert ledger.account_balance(rig.store, f"Clearing:{TOKEN}") == before
    assert rig.cases() == []


async def test_a_return_of_nobodys_entry_is_an_officers_case(rig: Rig) -> None:
    rig.deposit(1, rig.user(1), 10_420)
    await rig.round(2)
    with rig.store.transaction():
        rig.store.execute("UPDATE ach_entries SET trace = '999999999999999'")
    await rig.clock_set(action="advance", days=3)
    await rig.round()

    [(kind, key)] = rig.cases()
    assert kind == "ach_unmatched"
    assert key.startswith("record:R01:")


async def test_r10_on_day_45_is_told_after_the_window_passed(rig: Rig) -> None:
    entry = rig.deposit(1, rig.user(1, "9990000010"))
    await rig.round(2)
    await rig.clock_set(action="advance", days=4)
    await rig.round()
    assert rig.status(entry) is S.WINDOW_PASSED

    await rig.clock_set(action="advance", days=31)
    await rig.round()

    row = ach.entry(rig.store, entry)
    linked = banking.bank_account(rig.store, "ref-1")
    assert row is not None
    assert linked is not None
    assert (rig.status(entry), row.return_code, linked.status) == (S.RETURNED, "R10", "no_debits")


async def test_c01_corrects_the_account_and_the_next_entry_has_it(rig: Rig) -> None:
    linked = rig.user(1, "9990000101")
    entry = rig.deposit(1, linked)
    await rig.round(2)
    await rig.clock_set(action="advance", days=4)
    await rig.round()

    changed = banking.bank_account(rig.store, "ref-1")
    assert changed is not None
    details = await rig.people.bank_details(changed.account, changed.details_sealed)
    assert details is not None
    assert (details.account_number, changed.mask) == ("1990000101", "…0101")
    assert rig.status(entry) is S.WINDOW_PASSED
    assert rig.cases() == []


async def test_one_bad_order_holds_nobody_back(rig: Rig) -> None:
    good, bad = rig.deposit(1, rig.user(1)), rig.deposit(2, rig.user(2), units=2_500_000_001)
    await rig.round(2)

    assert (rig.status(good), rig.status(bad)) == (S.ACKNOWLEDGED, S.REFUSED)
    assert status_of(rig.store, transaction_id(2)) is Status.REJECTED
    assert [kind for kind, _ in rig.cases()] == ["ach_unmatched"]


async def test_an_account_that_does_not_open_holds_nobody_back_and_waits(rig: Rig) -> None:
    linked, other = rig.user(1), rig.user(2)
    entry, good = rig.deposit(1, linked), rig.deposit(2, other)
    wrapped = rig.store.row("SELECT wrapped FROM person_keys WHERE user_id = 'user-1'")[0]
    rig.store.execute("UPDATE person_keys SET wrapped = ? WHERE user_id = 'user-1'", (b"\x02" + bytes(80),))
    await rig.round(2)
    assert (rig.status(entry), rig.status(good)) == (S.CREATED, S.ACKNOWLEDGED)
    assert rig.cases() == [("ach_unmatched", f"{entry}:unreadable")]
    # when the key is put back, then the next file has it
    rig.store.execute("UPDATE person_keys SET wrapped = ? WHERE user_id = 'user-1'", (wrapped,))
    await rig.clock_set(action="advance", days=1)
    await rig.round(2)
    assert rig.status(entry) in (S.ACKNOWLEDGED, S.SETTLED)


async def test_what_is_above_an_accounts_daily_limit_waits_for_the_next_day(store: Store, server: Sandbox) -> None:
    rig = Rig.open(store, server, account_day_cents_max=15_000)
    await _at(rig, "2026-12-21", "09:00")
    linked = rig.user(1)
    first, second = rig.deposit(1, linked), rig.deposit(2, linked)
    await rig.round(2)
    assert (rig.status(first), rig.status(second)) == (S.ACKNOWLEDGED, S.CREATED)

    await _at(rig, "2026-12-22", "10:30")
    await rig.round(2)
    assert rig.status(second) is S.ACKNOWLEDGED
    traces = [ach.entry(store, one).trace for one in (first, second)]  # type: ignore[union-attr]
    assert traces == ["111000020000001", "111000020000002"]
    await rig.close()


async def test_whoever_has_had_the_days_share_holds_no_other_back(store: Store, server: Sandbox) -> None:
    rig = Rig.open(store, server, account_day_cents_max=15_000, entries_per_file_max=2)
    await _at(rig, "2026-12-21", "09:00")
    linked = rig.user(1)
    greedy = [rig.deposit(n, linked) for n in range(1, 6)]
    other = rig.deposit(7, rig.user(2), account=address(2))
    never = rig.deposit(8, linked, 15_001)
    await rig.round(2)
    assert [rig.status(one) for one in (*greedy, other)] == [S.ACKNOWLEDGED, *[S.CREATED] * 4, S.ACKNOWLEDGED]

    await _at(rig, "2026-12-22", "10:30")
    await rig.round(2)
    assert rig.status(never) is S.REFUSED, "what is above a day's limit does not wait for ever"
    await rig.close()


async def test_a_rejected_file_ends_its_entries_and_is_a_case(rig: Rig) -> None:
    payout = rig.payout(1, rig.user(1), 200_000_000)
    await rig.round(2)

    [file] = ach_files.files(rig.store)
    assert (file.status, file.code, rig.status(payout)) == ("rejected", "insufficient_funds", S.REFUSED)
    assert ("ach_unmatched", f"file:{file.name}") in rig.cases()


@pytest.mark.parametrize("answered", [True, False])
async def test_a_name_that_the_bank_knows_with_other_bytes_stops_the_file_and_counts_nothing_as_unpaid(
    rig: Rig, answered: bool
) -> None:
    """As after the restore of a database from before a delivery: the bank may have paid already."""
    await rig.files.put("TXD-20261221-A.ach", b"of a day that was forgotten")
    if not answered:

        async def silent(name: str, data: bytes) -> None:
            raise StateUnknown("nobody answered")

        rig.files.put = silent  # type: ignore[method-assign]
    entry = rig.payout(1, rig.user(1))
    await _at(rig, "2026-12-21", "10:11")
    await rig.round(3)

    [file] = ach_files.files(rig.store)
    assert (file.name, file.status) == ("TXD-20261221-A.ach", "disputed")
    assert rig.status(entry) is S.UNKNOWN
    assert ("ach_unmatched", f"file:{file.name}") in rig.cases()


async def test_same_day_entries_go_beside_others_and_settle_today(rig: Rig) -> None:
    linked = rig.user(1)
    ordinary, today = rig.deposit(1, linked), rig.deposit(2, linked, same_day=True)
    large = rig.deposit(3, linked, 100_000_001, same_day=True)
    await rig.round(2)

    rows = [ach.entry(rig.store, one) for one in (ordinary, today, large)]
    assert [row.follow_at for row in rows if row] == ["2026-12-22 08:30", "2026-12-21 13:00", "2026-12-22 08:30"]
    assert len(ach_files.files(rig.store)) == 1


async def test_a_balanced_file_settles_against_our_own_account(store: Store, server: Sandbox) -> None:
    rig = Rig.open(store, server, balanced=True)
    await _at(rig, "2026-12-21", "09:00")
    entry = rig.deposit(1, rig.user(1))
    await rig.round(2)
    await rig.clock_set(action="advance", days=4)
    await rig.round()

    assert rig.status(entry) is S.WINDOW_PASSED
    statement = await rig.bank.statement("TXD-clearing", after=1)
    assert [(line.kind, line.amount.units) for line in statement.lines] == [("ach_debit_batch", 10_000)]
    await rig.close()


class _Withholding:
    """A bank that does not list some of its files yet."""

    def __init__(self, files: Any, withheld: str) -> None:
        self._files = files
        self.withheld = withheld

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    async def inbound(self, after: int) -> Any:
        from dataclasses import replace

        found = await self._files.inbound(0)
        return replace(found, names=tuple(n for n in found.names if not n.startswith(self.withheld)), next_after=0)


async def test_an_acknowledgement_of_another_file_is_a_case(rig: Rig) -> None:
    said = {"file": "TXD-20261221-A.ach", "sha256": "0" * 64, "state": "accepted"}
    now = await rig.now()
    await rig.desk.receiver.take("ack-x.json", json.dumps(said).encode(), now)
    await rig.desk.receiver.take("junk.ach", b"101 not a file", now)

    assert [kind for kind, _ in rig.cases()] == ["ach_unmatched", "ach_unmatched"]


async def test_an_entry_that_was_a_mistake_is_taken_back_once_and_never_after_a_return(rig: Rig) -> None:
    linked = rig.user(1)
    wrong, back = rig.deposit(1, linked), rig.deposit(2, linked, 10_420)
    await rig.round(2)
    with pytest.raises(Conflict):
        _reverse(rig, wrong, "2026-12-21")
    await _at(rig, "2026-12-22", "08:31")
    await rig.round()
    with pytest.raises(Forbidden, match="does not cover"):
        _reverse(rig, wrong, "2026-12-22", scope=2)
    _reverse(rig, wrong, "2026-12-22", scope=1)
    _reverse(rig, back, "2026-12-22")
    with pytest.raises(Unprocessable):
        _reverse(rig, wrong, "2026-12-20")

    # The return is here before the next file is closed: nothing goes out on top of it.
    await _at(rig, "2026-12-23", "06:01")
    await rig.round()
    await _at(rig, "2026-12-23", "10:11")
    await rig.round(2)

    # Nothing is reversed before the dollars went, and nothing is minted meanwhile.
    assert (rig.status(wrong), rig.status(back)) == (S.SETTLED, S.RETURNED)
    await _at(rig, "2026-12-24", "08:31")
    await rig.round()
    assert rig.status(wrong) is S.REVERSED
    assert status_of(rig.store, transaction_id(1)) is Status.RETURNED
    assert _clearing(rig) == 0
    reversal = ach.entry(rig.store, f"reversal:{wrong}")
    assert reversal is not None
    assert (reversal.is_credit, reversal.units, reversal.sec_code, reversal.status) == (
        True,
        10_000,
        "PPD",
        "settled",
    )
    refused = ach.entry(rig.store, f"reversal:{back}")
    assert refused is not None
    assert refused.stage == "refused"
    with pytest.raises(Conflict):
        _reverse(rig, wrong, "2026-12-23")


def _clearing(rig: Rig) -> int:
    found = ledger.account_balance(rig.store, f"Clearing:{TOKEN}")
    return found.debits - found.credits


async def _reversal_filed(rig: Rig, entry: str) -> AchEntryRow:
    await rig.round(2)
    await _at(rig, "2026-12-22", "08:31")
    await rig.round()
    _reverse(rig, entry, "2026-12-22")
    await _at(rig, "2026-12-22", "10:11")
    await rig.round(2)
    found = ach.entry(rig.store, f"reversal:{entry}")
    assert found is not None
    return found


def _tell(rig: Rig, row: AchEntryRow, event: EntryEvent, code: str | None = None) -> None:
    with rig.store.transaction():
        fresh = ach.entry(rig.store, row.id)
        assert fresh is not None
        rig.desk.deliverer._facts.tell(
            rig.store, fresh, event, on=date(2026, 12, 23), at_ms=rig.clock.now_ms(), code=code
        )


async def test_a_reversal_that_the_bank_refuses_takes_nothing_back(rig: Rig) -> None:
    entry = rig.deposit(1, rig.user(1))
    reversal = await _reversal_filed(rig, entry)
    _tell(rig, reversal, EntryEvent.REFUSE)
    assert rig.status(entry) is S.SETTLED
    assert _clearing(rig) == 10_000
    row = ach.entry(rig.store, entry)
    assert row is not None
    assert row.follow_at == "2026-12-24 08:30", "the deposit goes on to its mint"


async def test_a_deposits_reversal_that_comes_back_is_an_officers(rig: Rig) -> None:
    entry = rig.deposit(1, rig.user(1))
    reversal = await _reversal_filed(rig, entry)
    _tell(rig, reversal, EntryEvent.SETTLE)
    assert (rig.status(entry), _clearing(rig)) == (S.REVERSED, 0)
    _tell(rig, reversal, EntryEvent.RETURN, "R03")
    assert _clearing(rig) == 10_000
    assert ("ach_return", f"{entry}:return") in rig.cases()
    assert ledger.discrepancies(rig.store) == []


async def test_a_payout_that_was_reversed_is_not_minted_again_while_the_reversal_may_come_back(rig: Rig) -> None:
    entry = rig.payout(1, rig.user(1))
    rig.store.execute(
        "INSERT INTO identities (account, domain, tier, resident, expires_at_s) VALUES (?, 'dollar', 2, ?, ?)",
        (address(1), False, 2**40),
    )
    reversal = await _reversal_filed(rig, entry)
    before = _clearing(rig)
    _tell(rig, reversal, EntryEvent.SETTLE)
    assert (rig.status(entry), _clearing(rig)) == (S.REVERSED, before + 5_000)
    wanted_in = [m for m in reserve_moves.of_transaction(rig.store, transaction_id(1)) if m.direction == "in"]
    assert wanted_in == []
    _tell(rig, reversal, EntryEvent.RETURN, "R01")
    assert _clearing(rig) == before
    assert payouts.due(rig.store, TOKEN, transaction_id(1)) == 0
    assert undone.get(rig.store, transaction_id(1)) is None
    assert ledger.discrepancies(rig.store) == []


async def test_a_payout_that_is_frozen_or_blocked_before_the_cut_off_goes_into_no_file(rig: Rig) -> None:
    linked = rig.user(1)
    frozen, other = rig.payout(1, linked), rig.deposit(2, linked)
    order = FreezeRow(address(1), TOKEN, b"o" * 32, 2**40)
    registry.set_freeze(rig.store, order)
    await rig.round()
    assert [row.id for row in ach.waiting(rig.store, 10)] == [frozen]
    found = ach.entry(rig.store, other)
    assert found is not None
    assert found.stage == "in_file"

    registry.clear_freeze(rig.store, address(1), TOKEN)
    assert blocking.block_payout(rig.store, transaction_id(1), reference="case", actor="officer", at_ms=1)
    await _at(rig, "2026-12-22", "10:11")
    await rig.round()
    assert [row.id for row in ach.waiting(rig.store, 10)] == [frozen]


async def test_a_payout_in_a_file_that_is_not_sent_yet_cannot_be_blocked_as_well(rig: Rig) -> None:
    rig.payout(1, rig.user(1))
    await rig.desk.gatherer.work(await rig.now())
    with pytest.raises(Conflict) as caught:
        blocking.block_payout(rig.store, transaction_id(1), reference="case", actor="officer", at_ms=1)
    assert caught.value.code == "too_late_to_block"


def _reverse(rig: Rig, entry: str, discovered_on: str, scope: int = 0) -> None:
    row = ach.entry(rig.store, entry)
    assert row is not None
    act = ReverseEntry(
        version=1,
        network="sdt-test",
        act_id=str(uuid.uuid4()),
        region="US-TX",
        issued_at="2026-12-22T00:00:00Z",
        trace=row.trace or "",
        discovered_on=discovered_on,
        reason="a mistake",
    )
    officer = KeyFacts("k", b"", "", Role.CUSTODIAN, scope, active=True, expires_at_s=2**40)
    [handled] = ENTRIES
    acting = Acting(rig.store, texas(), rig.clock.now_ms(), act.act_id, b"", officer)
    with rig.store.transaction():
        assert handled.needs_second(acting, act)
        handled.handler(acting, act)


async def test_a_return_that_says_our_own_file_was_wrong_is_an_officers_and_one_for_want_of_funds_is_not(
    rig: Rig,
) -> None:
    linked = rig.user(1)
    entries = {code: rig.deposit(n, linked) for n, code in ((1, "R01"), (2, "R25"), (3, "R11"))}
    await rig.round(2)
    with rig.store.transaction():
        for n, (code, entry) in enumerate(entries.items(), 1):
            row = ach.entry(rig.store, entry)
            assert row is not None
            record = Return(
                kind="return",
                code=code,
                original_trace=row.trace or "",
                original_rdfi="11100002",
                trace_number=f"02100002{n:07}",
                cents=row.units,
                was_credit=False,
                information="",
                died_on="",
            )
            assert rig.desk.receiver.records.returns(rig.store, "0" * 64, [record], date(2026, 12, 24), 1) == 0
    assert {rig.status(entry) for entry in entries.values()} == {S.RETURNED}
    found = rig.store.rows("SELECT kind, facts FROM cases")
    assert {(kind, json.loads(facts)["code"]) for kind, facts in found} == {
        ("ach_return", "R11"),
        ("ach_return", "R25"),
    }
    assert all("find what was wrong" in json.loads(facts)["to_do"] for _, facts in found)


async def test_health_says_where_files_stand_and_how_often_debits_come_back(rig: Rig) -> None:
    linked = rig.user(1)
    rig.deposit(1, linked)
    rig.deposit(2, linked, 10_420)
    await rig.round(2)
    await rig.clock_set(action="advance", days=4)
    await rig.round(2)
    await rig.clock_set(action="advance", days=1)
    await rig.round()

    found = await rig.desk.health()
    assert found["files"] == {"acknowledged": 1}
    assert found["return_rates_ppm"] == {"unauthorized": 0, "administrative": 0, "overall": 500_000}
    assert 'sdt_ach_return_rate_ppm{rate="overall"} 500000' in Figures().page(ach_samples(found)).decode()


async def test_a_dishonored_return_and_the_other_banks_contest_are_followed(rig: Rig) -> None:
    entry = rig.deposit(1, rig.user(1), 10_420)
    await rig.round(2)
    await rig.clock_set(action="advance", days=3)
    await rig.round()
    row = ach.entry(rig.store, entry)
    assert row is not None

    def told(kind: str, code: str) -> int:
        record = Return(
            kind=kind,  # type: ignore[arg-type]
            code=code,
            original_trace=row.trace or "",
            original_rdfi="11100002",
            trace_number=f"02100002{code[1:]:0>7}",
            cents=10_420,
            was_credit=False,
            information="",
            died_on="",
        )
        with rig.store.transaction():
            return rig.desk.receiver.records.returns(rig.store, "0" * 64, [record, record], date(2026, 12, 28), 1)

    assert (told("dishonored", "R68"), rig.status(entry)) == (0, S.DISHONORED)
    assert (told("contested", "R73"), rig.status(entry)) == (0, S.CONTESTED)
    assert {kind for kind, _ in rig.cases()} == {"ach_return"}
    # What does not fit the entry's life is an officer's case, and changes nothing.
    assert (told("dishonored", "R69"), rig.status(entry)) == (0, S.CONTESTED)
    assert "ach_unmatched" in {kind for kind, _ in rig.cases()}
