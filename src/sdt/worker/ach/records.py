"""One record of a file that came in: held against the entry it names, told, and acted on as its code says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final, TypeVar

from sdt.domain.ach.codes import CHANGES, RETURNS, is_late, is_officers
from sdt.domain.ach.corrections import corrected, due_on
from sdt.domain.ach.dishonor import last_day
from sdt.domain.ach.entry_life import EntryEvent
from sdt.domain.nacha import Change, Return
from sdt.store import Store, ach, ach_files, banking, debit_stops, person_keys
from sdt.store.ach import AchEntryRow
from sdt.store.ach_files import RecordRow
from sdt.worker.ach.facts import Facts
from sdt.workflows import bank_proof, debit_stop
from sdt.workflows.people import People

__all__ = ["Records"]

_R = TypeVar("_R", Return, Change)

_LATE: Final = "dishonor it (R68): it came after its time"
_EVENTS: Final = {"return": EntryEvent.RETURN, "dishonored": EntryEvent.DISHONOR, "contested": EntryEvent.CONTEST}


class Records:
    """Each function runs within a database transaction and returns how many records were nobody's."""

    def __init__(self, facts: Facts, people: People) -> None:
        self._facts = facts
        self._people = people

    def returns(self, store: Store, digest: str, records: Sequence[Return], day: date, at_ms: int) -> int:
        """Tell returns, dishonored and contested ones. Whose account may be none to debit is locked first of all."""
        stops = [
            ach.by_trace(store, record.original_trace)
            for record in records
            if record.kind == "return" and debit_stop.stops(record.code)
        ]
        debit_stops.lock_holders(store, [row.account for row in stops if row is not None])
        return self._each(store, digest, records, day, at_ms, self._return)

    def changes(self, store: Store, digest: str, records: Sequence[Change], day: date, at_ms: int) -> int:
        """Correct bank accounts as other banks say. Whose they are is locked first of all: they are screened anew."""
        entries = [ach.by_trace(store, record.original_trace) for record in records]
        debit_stops.lock_holders(store, sorted({row.account for row in entries if row is not None}))
        return self._each(store, digest, records, day, at_ms, self._change)

    def _each(
        self,
        store: Store,
        digest: str,
        records: Sequence[_R],
        day: date,
        at_ms: int,
        act: Callable[[Store, AchEntryRow, _R, date, int], None],
    ) -> int:
        unmatched = 0
        for record in records:
            row = ach.by_trace(store, record.original_trace)
            if row is not None and isinstance(record, Return) and not _is_of(record, row):
                row = None
            kind = record.kind if isinstance(record, Return) else "change"
            cents = record.cents if isinstance(record, Return) else 0
            noted = RecordRow(
                record=record.key,
                digest=digest,
                kind=kind,
                code=record.code,
                trace=record.original_trace,
                entry_id=row.id if row else None,
                units=cents,
                day=day.isoformat(),
                read_at_ms=at_ms,
            )
            if not ach_files.add_record(store, noted):
                continue
            if row is None:
                unmatched += 1
                self._facts.case(
                    store, f"record:{record.key}", on=day, at_ms=at_ms, record=record.key, what=kind, units=cents
                )
            else:
                act(store, row, record, day, at_ms)
        return unmatched

    def _return(self, store: Store, row: AchEntryRow, record: Return, day: date, at_ms: int) -> None:
        self._facts.tell(store, row, _EVENTS[record.kind], on=day, at_ms=at_ms, code=record.code)
        if record.kind != "return":
            return
        settled_on = row.settled_on or _settled_by(row, day)
        ach.set_fields(
            store,
            row.id,
            follow_at=None,
            settled_on=settled_on,
            returned_on=day.isoformat(),
            return_code=record.code,
        )
        bank_proof.noted_return(store, row.bank_ref, record.code)
        late = settled_on is not None and is_late(record.code, date.fromisoformat(settled_on), day)
        known = RETURNS.get(record.code)
        if late or is_officers(record.code):
            self._facts.case(
                store,
                f"{row.id}:{record.key}",
                kind="ach_return",
                on=day,
                at_ms=at_ms,
                account=row.account,
                transaction_id=row.reference if row.purpose == "payment" else None,
                entry=row.id,
                code=record.code,
                title=known.title if known else "an unknown code",
                to_do=_LATE if late else (known.action.value if known else ""),
                dishonor_by=last_day(day).isoformat() if late and row.purpose == "payment" else None,
                settled_on=settled_on,
                died_on=record.died_on,
            )

    def _change(self, store: Store, row: AchEntryRow, record: Change, day: date, at_ms: int) -> None:
        linked = banking.bank_account(store, row.bank_ref)
        key = person_keys.of_account(store, linked.account) if linked else None
        known_still = linked is not None and key is not None and key.erased_at_ms is None
        details = self._people.details(store, linked.account, linked.details_sealed) if linked and known_still else None
        changed = corrected(details, record.code, record.corrected) if details else None
        if linked is None or changed is None:
            known = CHANGES.get(record.code)
            self._facts.case(
                store,
                f"{row.id}:{record.key}",
                on=day,
                at_ms=at_ms,
                account=row.account,
                entry=row.id,
                code=record.code,
                title=known.title if known else "an unknown code",
                due_on=due_on(day).isoformat(),
            )
            return
        sealed = self._people.seal(store, linked.account, changed, at_ms)
        banking.set_details(store, linked.ref, sealed, mask=f"…{changed.account_number[-4:]}")


def _settled_by(row: AchEntryRow, day: date) -> str | None:
    """Return when an entry settled of which a return is here before anybody looked at the calendar."""
    planned = (row.follow_at or "")[:10]
    return planned if planned and planned <= day.isoformat() else None


def _is_of(record: Return, row: AchEntryRow) -> bool:
    """Whether a return is of this entry: its amount and direction too, for a trace alone is soon mistyped."""
    return record.cents == row.units and record.was_credit == row.is_credit
