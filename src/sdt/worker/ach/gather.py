"""A file at each cut-off: what is wanted is selected under the limits, built, stored and numbered in one transaction.

One bad order holds nobody back: it is refused by name, shown to an officer, and the others go.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

from anyascii import anyascii

from sdt.config.model import Ach
from sdt.domain.ach.calendar import EASTERN, effective_date
from sdt.domain.ach.entry_life import EntryEvent
from sdt.domain.ach.micro_entries import DESCRIPTION
from sdt.domain.ach.reference import reference_of
from sdt.domain.errors import Unavailable
from sdt.domain.nacha import Limits, NachaFile, Order, Originator, Receiver, Stamp, build_file, faults_of
from sdt.domain.nacha.build import SEQUENCE_MAX, fault_of
from sdt.domain.personal import BankDetails, open_record, read_record
from sdt.domain.sealing import SealBroken
from sdt.ports.wrapping import Wrapping
from sdt.store import Store, ach, ach_files, authorisations
from sdt.store.ach import Wanted
from sdt.store.ach_files import AchFileRow
from sdt.worker.ach.cut_offs import last_cut_off
from sdt.worker.ach.dishonors import order_of
from sdt.worker.ach.facts import Facts
from sdt.worker.bank_entries import UNASKED
from sdt.worker.clock import Clock
from sdt.workflows import debit_stop, payouts
from sdt.workflows.ach_reversal import may_reverse, reversed_id
from sdt.workflows.people import People
from sdt.workflows.sealed_files import DATA_LABEL, seal_file

__all__ = ["Gatherer"]

log = logging.getLogger(__name__)

MODIFIERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TRACE_LIFE_MS: Final = 100 * 86_400_000
"""A trace number is not given again before nobody can return its entry any more."""
_SPARE_TRACES: Final = 1_000
_DESCRIPTIONS: Final = {"micro": DESCRIPTION, "reversal": "REVERSAL"}


class Gatherer:
    """Closes the files of one region's dollar tokens."""

    def __init__(self, store: Store, facts: Facts, config: Ach, people: People, keys: Wrapping, clock: Clock) -> None:
        self._store = store
        self._facts = facts
        self._config = config
        self._people = people
        self._keys = keys
        self._clock = clock
        self.closed: datetime | None = None
        """The newest cut-off that is dealt with: what is wanted after it goes into a later file."""

    async def work(self, now: datetime) -> int:
        """Close the files of a cut-off that has come since; returns how many were made."""
        cut_off = last_cut_off(now, self._config.times, self._config.lead_minutes)
        if self.closed is not None and cut_off <= self.closed:
            return 0
        made = 0
        for token in await self._store.read(ach.wanted_tokens):
            made += await self._store.run(self.close, token, now, cut_off) is not None
        self.closed = cut_off
        return made

    def close(self, store: Store, token: str, now: datetime, cut_off: datetime) -> AchFileRow | None:
        """Make the file of one token and cut-off; None when it was made before, or nothing is wanted."""
        number = int(cut_off.timestamp()) // 60
        if ach.counter(store, f"cut-off:{token}") >= number:
            return None
        ach.set_counter(store, f"cut-off:{token}", number)
        here = now.astimezone(EASTERN)
        stamp = self._stamp(store, here)
        orders = self._select(store, token, here, stamp)
        if not orders:
            return None
        built = self._built(store, token, [order for _, order in orders], stamp)
        return self._stored(store, token, built, {order.sequence: (id, order) for id, order in orders}, stamp)

    def _stamp(self, store: Store, here: datetime) -> Stamp:
        taken = ach_files.modifiers(store, here.date().isoformat())
        free = [modifier for modifier in MODIFIERS if modifier not in taken]
        if not free:
            raise Unavailable("All 36 file id modifiers of the day are used.", code="ach_modifiers")
        return Stamp(here.date(), f"{here:%H%M}", free[0], effective_date(here, same_day=False))

    def _select(self, store: Store, token: str, here: datetime, stamp: Stamp) -> list[tuple[str, Order]]:
        """Return the entries that go now, each with its order; those above a limit wait, bad ones are refused."""
        config, today = self._config, here.date().isoformat()
        left = config.day_cents_max - ach_files.moved_units(store, today, token)
        by_account = ach_files.moved_by_account(store, today, token)
        by_direction = {True: config.file_cents_max, False: config.file_cents_max}
        # What is above the limit of a whole day would wait for ever.
        most = min(config.entry_cents_max, config.account_day_cents_max, config.day_cents_max, config.file_cents_max)
        limits = Limits(most, config.file_cents_max, config.entries_per_file_max)
        first, keys = self._first_sequence(store, config.entries_per_file_max), _Keys(self._keys)
        same_day_on = effective_date(here, same_day=True)
        selected: list[tuple[str, Order]] = []
        for row, owed, stopped in self._waiting(store, token, here.date()):
            if len(selected) == config.entries_per_file_max:
                break
            if not owed:
                self._refuse(store, row, "its dollars are not owed any more: the bank took them back", here.date())
                continue
            if stopped:
                self._stop(store, row, here.date())
                continue
            if row.purpose == "reversal" and not self._reversible(store, row):
                self._refuse(store, row, "what it would take back came back by itself", here.date())
                continue
            try:
                order = self._order(store, row, keys, first + len(selected), same_day_on, here.date())
            except SealBroken as error:
                self._unreadable(store, row, error.detail, here.date())
                continue
            fault = fault_of(order, stamp, limits) if isinstance(order, Order) else order
            if fault or not isinstance(order, Order):
                self._refuse(store, row, fault, here.date())
                continue
            account = by_account.get(row.account, 0) + row.units
            if row.units > min(left, by_direction[row.is_credit]) or account > config.account_day_cents_max:
                continue
            left -= row.units
            by_direction[row.is_credit] -= row.units
            by_account[row.account] = account
            selected.append((row.id, order))
        return selected

    def _waiting(self, store: Store, token: str, today: date) -> Iterator[tuple[Wanted, bool, bool]]:
        """Go through all that waits, with whether it is owed still, and whether its account's bank stopped it.

        A payment back may have gone another way meanwhile, and a return says what it says of a debit asked for before.
        Those whose account has had its share today hold no other back.
        """
        after = (-1, "")
        while page := ach.wanted(store, token, self._config.entries_per_file_max, self._clock.now_s(), after):
            after = (page[-1].created_at_ms, page[-1].id)
            free = ach.still_free(store, page, self._clock.now_s())
            payments = [row for row in free if row.purpose == "payment" and row.is_credit]
            gone = payouts.not_owed(store, token, payments)
            stopped = debit_stop.not_any_more(store, self._people, token, free, today)
            yield from ((row, row.id not in gone, row.id in stopped) for row in free)

    def _order(
        self, store: Store, row: Wanted, keys: _Keys, sequence: int, same_day_on: date, today: date
    ) -> Order | str:
        details = keys.details(row)
        if details is None:
            return "the account is not known any more"
        if row.purpose == "dishonor":
            return order_of(store, row, sequence, self._keys, today)
        same_day = bool(row.same_day) and row.units <= self._config.same_day_entry_cents_max
        return Order(
            sec_code=row.sec_code,  # type: ignore[arg-type]
            credit=bool(row.is_credit),
            receiver=Receiver(
                details.routing_number,
                details.account_number,
                details.kind,
                anyascii(details.holder).strip()[:22].rstrip(),
            ),
            cents=row.units,
            sequence=sequence,
            individual_id=reference_of(row.reference),
            prenote=row.purpose == "prenote",
            recurring=row.sec_code == "TEL" and _is_recurring(store, row.reference),
            description=_DESCRIPTIONS.get(row.purpose, ""),
            effective_on=same_day_on if same_day else None,
        )

    @staticmethod
    def _reversible(store: Store, row: Wanted) -> bool:
        original = ach.entry(store, reversed_id(row.id))
        return original is not None and may_reverse(store, original)

    def _refuse(self, store: Store, row: Wanted, fault: str, on: date) -> None:
        log.warning("entry %s goes into no file: %s", row.id, fault)
        entry, at_ms = ach.entry(store, row.id), self._clock.now_ms()
        assert entry is not None
        ach.refuse(store, row.id)
        self._facts.tell(store, entry, EntryEvent.REFUSE, on=on, at_ms=at_ms, code="not_filed")
        self._facts.case(
            store, f"{row.id}:not_filed", on=on, at_ms=at_ms, account=row.account, entry=row.id, fault=fault
        )

    def _stop(self, store: Store, row: Wanted, on: date) -> None:
        """End a debit that is not allowed any more as one that was asked for too late: there is nothing to find out."""
        log.warning("entry %s goes into no file: its account takes no debits", row.id)
        entry = ach.entry(store, row.id)
        assert entry is not None
        ach.refuse(store, row.id)
        at_ms, code = self._clock.now_ms(), UNASKED["bank_account_closed"]
        self._facts.tell(store, entry, EntryEvent.REFUSE, on=on, at_ms=at_ms, code=code)

    def _unreadable(self, store: Store, row: Wanted, fault: str, on: date) -> None:
        """Leave an entry waiting whose account cannot be read, and tell an officer once: it holds no other back."""
        log.error("entry %s waits: %s", row.id, fault)
        self._facts.case(
            store,
            f"{row.id}:unreadable",
            on=on,
            at_ms=self._clock.now_ms(),
            account=row.account,
            entry=row.id,
            fault=fault,
        )

    def _first_sequence(self, store: Store, count: int) -> int:
        """Return where trace sequences go on. They begin anew only over numbers that nobody can name any more."""
        last = ach.counter(store, "trace")
        if last + count + _SPARE_TRACES <= SEQUENCE_MAX:
            return last + 1
        odfi, since = self._config.odfi_routing[:8], self._clock.now_ms() - TRACE_LIFE_MS
        if ach.traces_used_since(store, f"{odfi}{1:07d}", f"{odfi}{count + _SPARE_TRACES:07d}", since):
            raise Unavailable("All trace numbers of the last 100 days are in use.", code="ach_traces")
        return 1

    def _built(self, store: Store, token: str, orders: list[Order], stamp: Stamp) -> NachaFile:
        config, account = self._config, f"{token}-clearing"
        offset = Receiver(config.odfi_routing, account, "checking", config.company_name) if config.balanced else None
        originator = Originator(
            odfi_routing=config.odfi_routing,
            odfi_name=config.odfi_name,
            destination_routing=config.destination_routing,
            destination_name=config.destination_name,
            company_name=config.company_name,
            company_id=config.company_id,
            offset=offset,
            company_data=account,
        )
        limits = Limits(config.entry_cents_max, config.file_cents_max, config.entries_per_file_max)
        built = build_file(originator, orders, stamp, limits, judged=True)
        faults = faults_of(built)
        assert not faults, f"a file of ours contradicts itself: {faults[0]}"
        last = max(entry.detail.trace_number for batch in built.batches for entry in batch.entries)  # type: ignore[union-attr]
        ach.set_counter(store, "trace", int(last[8:]))
        return built

    def _stored(
        self, store: Store, token: str, built: NachaFile, orders: dict[int, tuple[str, Order]], stamp: Stamp
    ) -> AchFileRow:
        data, at_ms = built.data(), self._clock.now_ms()
        name = f"{token}-{stamp.on:%Y%m%d}-{stamp.modifier}.ach"
        row = AchFileRow(
            name=name,
            token=token,
            made_on=stamp.on.isoformat(),
            modifier=stamp.modifier,
            status="built",
            digest=hashlib.sha256(data).hexdigest(),
            entry_count=len(orders),
            entry_hash=f"{built.control.entry_hash:010d}",
            debit_units=built.control.debit_cents,
            credit_units=built.control.credit_cents,
            tries=0,
            code=None,
            made_at_ms=at_ms,
            delivered_at_ms=None,
            updated_at_ms=at_ms,
        )
        ach_files.add_file(store, row, seal_file(self._keys, data, DATA_LABEL + name))
        placed = []
        for batch in built.batches:
            for entry in batch.entries:
                trace = str(entry.detail.trace_number)  # type: ignore[union-attr]
                # Entries that balance a batch have numbers behind those of the orders, and are nobody's.
                if found := orders.get(int(trace[8:])):
                    id, order = found
                    effective_on = (order.effective_on or stamp.effective_on).isoformat()
                    placed.append((batch.header.batch_number, trace, effective_on, id))
        ach.put_into_file(store, name, placed)
        log.info("file %s: %d entries, %s", name, len(orders), row.digest)
        return row


def _is_recurring(store: Store, deposit: str) -> bool:
    under = authorisations.used_by(store, deposit)
    return under is not None and under.recurrence == "recurring"


class _Keys:
    """Opens the details of accounts; a person's key is unwrapped once a file."""

    def __init__(self, keys: Wrapping) -> None:
        self._keys = keys
        self._known: dict[str, bytes] = {}

    def details(self, row: Wanted) -> BankDetails | None:
        """Return whose account an entry names; None when it is unlinked or its person erased."""
        if row.details_sealed is None or row.user_id is None:
            return None
        if row.wrapped is None:
            try:
                return read_record(self._keys.unseal(row.details_sealed, row.account), BankDetails)
            except SealBroken:
                return None  # the key is gone: the person was erased
        key = self._known.get(row.user_id)
        if key is None:
            key = self._known[row.user_id] = self._keys.unwrap(row.wrapped, row.user_id)
        details: BankDetails = open_record(row.details_sealed, row.account, key, BankDetails)
        return details
