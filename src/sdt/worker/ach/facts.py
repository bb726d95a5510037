"""What is told of an entry, whoever learnt it: a payment's goes to the books, another's to the account it proves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sdt.domain.ach.entry_life import EntryEvent, EntryStatus, follow
from sdt.domain.region import Region
from sdt.store import Store, ach, banking, cases
from sdt.store.ach import AchEntryRow
from sdt.worker import bank_entries
from sdt.workflows import bank_proof

__all__ = ["ACTOR", "Facts"]

ACTOR: Final = "worker:ach"


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
        bank_proof.entry_moved(store, row, event, code=code, on=on, at_ms=at_ms)

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
        """Show an officer what does not fit."""
        cases.open_case(
            store,
            kind=kind,
            key=key[:200],
            facts=facts,
            detected_on=on,
            actor=ACTOR,
            at_ms=at_ms,
            account=account,
            transaction_id=transaction_id,
            suspect_known=account is not None,
        )
