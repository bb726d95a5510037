"""What is told of an entry, whoever learnt it: a payment's goes to the books, another's to the account it proves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final

from sdt.domain.ach.calendar import add_banking_days
from sdt.domain.ach.entry_life import EntryEvent, EntryStatus, follow
from sdt.domain.claims import day_of
from sdt.domain.region import Region
from sdt.store import Store, ach, banking, cases
from sdt.store.ach import AchEntryRow
from sdt.worker import bank_entries
from sdt.worker.ach import dishonors
from sdt.workflows import bank_proof
from sdt.workflows.ach_reversal import reversed_id

__all__ = ["ACTOR", "OPENS", "WINDOW_BANKING_DAYS", "Facts"]

ACTOR: Final = "worker:ach"
OPENS: Final = time(8, 30)
WINDOW_BANKING_DAYS: Final = 2


@dataclass(frozen=True, slots=True)
class Facts:
    """Where facts are told: each within a database transaction of the caller's."""

    region: Region

    def tell(
        self, store: Store, row: AchEntryRow, event: EntryEvent, *, on: date, at_ms: int, code: str | None = None
    ) -> None:
        """Tell what happened to an entry. A fact that is known changes nothing; one that does not fit is a case."""
        if row.purpose == "payment":
            entry = banking.entry(store, row.id)
            assert entry is not None, f"{row.id} is nobody's payment"
            bank_entries.apply(store, self.region, entry, event, code=code, on=on, at_ms=at_ms)
            return
        standing = EntryStatus(row.status or EntryStatus.CREATED)
        following = follow(standing, event)
        if following is None:
            if event in (EntryEvent.RETURN, EntryEvent.REVERSE):
                self.case(
                    store,
                    f"{row.id}:{event.value}:{code}",
                    on=on,
                    at_ms=at_ms,
                    account=row.account,
                    entry=row.id,
                    stood=standing.value,
                    event=event.value,
                    code=code,
                )
            return
        ach.set_fields(store, row.id, status=following.value)
        if row.purpose == "dishonor":
            if dishonors.followed(store, self.region, row, event, on=on, at_ms=at_ms):
                self.case(store, f"{row.id}:{event.value}", on=on, at_ms=at_ms, entry=row.id, event=event.value)
            return
        if row.purpose == "reversal":
            self._reversal_moved(store, row, standing, event, on=on, at_ms=at_ms, code=code)
        if row.purpose == "micro":
            bank_proof.book(store, row, standing, event, at_ms)
        bank_proof.entry_moved(store, row, event, code=code, on=on, at_ms=at_ms)

    def _reversal_moved(
        self,
        store: Store,
        row: AchEntryRow,
        stood: EntryStatus,
        event: EntryEvent,
        *,
        on: date,
        at_ms: int,
        code: str | None,
    ) -> None:
        """What a reversal takes back is reversed once the dollars moved, not while nobody has taken its file yet."""
        original = ach.entry(store, reversed_id(row.id))
        entry = banking.entry(store, reversed_id(row.id))
        assert original is not None and entry is not None, f"{row.id} takes nothing back"
        if event is EntryEvent.SETTLE:
            self.tell(store, original, EntryEvent.REVERSE, on=on, at_ms=at_ms)
        elif event in (EntryEvent.RETURN, EntryEvent.REFUSE):
            if stood in (EntryStatus.SETTLED, EntryStatus.WINDOW_PASSED):
                bank_entries.reversal_came_back(store, self.region, entry, code=code, on=on, at_ms=at_ms)
                return
            bank_entries.reversal_failed(store, entry, on=on, at_ms=at_ms)
            if entry.status == EntryStatus.SETTLED and original.settled_on is not None:
                passes = add_banking_days(date.fromisoformat(original.settled_on), WINDOW_BANKING_DAYS)
                ach.set_fields(store, original.id, follow_at=f"{passes.isoformat()} {OPENS:%H:%M}")

    @staticmethod
    def case(
        store: Store,
        key: str,
        *,
        on: date,
        at_ms: int,
        kind: str = "ach_unmatched",
        account: str | None = None,
        transaction_id: str | None = None,
        **facts: Any,
    ) -> None:
        """Show an officer what does not fit. Their clock begins on our day; the bank's own, `on`, is a fact."""
        cases.open_case(
            store,
            kind=kind,
            key=key[:200],
            facts=facts | {"bank_day": on.isoformat()},
            detected_on=day_of(at_ms),
            actor=ACTOR,
            at_ms=at_ms,
            account=account,
            transaction_id=transaction_id,
            suspect_known=account is not None,
        )
