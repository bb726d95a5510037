"""Sanctions screening of whom accounts name: binds both domains, and no region's rule switches it off.

Everybody is held against the platform's own list and asked of the vendor; either alone is enough to stop somebody.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from sdt.domain.personal import PersonAddress
from sdt.domain.region import Region
from sdt.domain.sanctions.subjects import Found, Subject
from sdt.domain.sealing import SealBroken
from sdt.ports.aml import Aml, Purpose, Screening, ScreeningOutcome, ScreeningRequest
from sdt.ports.kyc import PostalAddress
from sdt.store import Store, sanctions
from sdt.store.sanctions import ListRow, StandingRow
from sdt.worker.clock import Clock
from sdt.workflows.people import People
from sdt.workflows.sanctions import CLEAR, Finding, Stands, record
from sdt.workflows.screened import Screened, screened_in

__all__ = ["Sanctions", "Searches"]

log = logging.getLogger(__name__)

_PURPOSES: Final = {
    "register": Purpose.ONBOARDING,
    "deposit": Purpose.INTAKE,
    "issue": Purpose.MINT,
    "redeem": Purpose.BURN,
}
_MARK_LENGTH: Final = 16


class Searches(Protocol):
    """Who answers for the list in force: a process beside the worker, or a function's own memory."""

    async def in_force(self) -> ListRow:
        """Return the list in force. Errors: Unavailable."""
        ...

    async def find(
        self, parties: Sequence[Sequence[Subject]], threshold: int
    ) -> tuple[str, tuple[tuple[Found, ...], ...]]:
        """Return the digest of the list that was asked, and who may be meant, party by party. Errors: Unavailable."""
        ...


class Sanctions:
    """Asks list and vendor about people; their names are opened for the question alone."""

    def __init__(
        self, store: Store, people: People, aml: Aml, searcher: Searches, region: Region, clock: Clock
    ) -> None:
        self._store = store
        self._people = people
        self._aml = aml
        self._searcher = searcher
        self._threshold = region.screening_score_min
        self._clock = clock

    async def look(self, transaction_id: str, account: str, kind: str) -> Finding:
        """Return who of those an account names may be listed, by the list in force and by the vendor.

        Errors: Unavailable when either does not answer: the transaction waits, it never passes unscreened.
        """
        screened = await self._store.read(screened_in, self._people, account)
        if screened is None:
            return Finding(account, "", "", "", None)
        finding = await self._by_list(account, screened)
        vendor = await self._by_vendor(transaction_id, screened, _PURPOSES[kind])
        return finding._replace(vendor=vendor)

    async def look_again(self, accounts: Sequence[str]) -> list[Finding]:
        """Return who may be listed now, by the list in force: for everybody in one question, whatever was known."""
        known = []
        for account in accounts:
            try:
                screened = await self._store.read(screened_in, self._people, account)
            except SealBroken as error:
                # They stay due, and are tried again in each round; nobody behind them waits for that.
                log.error("%s cannot be held against the list: %s", account, error.detail)
                continue
            if screened is not None:
                known.append((account, screened))
        digest, found = await self._searcher.find([each.subjects for _, each in known], self._threshold)
        return [
            Finding(account, screened.party_digest, screened.digest, digest, each)
            for (account, screened), each in zip(known, found, strict=True)
        ]

    def write(self, store: Store, finding: Finding, actor: str, now_ms: int) -> Stands:
        """Write down what was found, in the open database transaction; return how the account stands by it."""
        return record(store, self._people, finding, actor=actor, now_ms=now_ms)

    async def _by_list(self, account: str, screened: Screened) -> Finding:
        row = await self._searcher.in_force()
        known = await self._store.read(sanctions.standing, account)
        if known is not None and _holds(known, screened.digest, row.digest, self._clock.now_s()):
            return Finding(account, screened.party_digest, screened.digest, row.digest, None)
        digest, (found,) = await self._searcher.find([screened.subjects], self._threshold)
        return Finding(account, screened.party_digest, screened.digest, digest, found)

    async def _by_vendor(self, transaction_id: str, screened: Screened, purpose: Purpose) -> tuple[Found, ...]:
        found = []
        for n, (subject, address, _) in enumerate(screened.asked):
            # By its mark where there is one: another may be named before it when the question is asked again.
            which = subject.mark[:_MARK_LENGTH] or (str(n) if n else "")
            screening = await self._aml.screen(
                ScreeningRequest(subject.name, _postal(address), purpose, transaction_id),
                key=":".join(filter(None, ("screen", transaction_id, which))),
            )
            if screening.outcome is not ScreeningOutcome.CLEAR:
                found.append(_of_vendor(subject, 0 if subject.mark else n, screening))
        return tuple(found)


def _holds(known: StandingRow, fingerprint: str, list_digest: str, now_s: int) -> bool:
    """Whether the last screening still says it: the same people, the same list, and nothing ignored too long."""
    same = (known.party_digest, known.list_digest) == (fingerprint, list_digest)
    return same and known.standing == CLEAR and now_s < known.valid_until_s


def _of_vendor(subject: Subject, n: int, screening: Screening) -> Found:
    """Return a vendor's hit on the nth behind an account, or on somebody else, who has a mark.

    It names nobody; it holds until the vendor's list changes.
    """
    edition = screening.sanctions_list.digest
    entry = hashlib.sha256(f"vendor\n{subject.role}\n{n}\n{edition}\n{screening.outcome.value}".encode()).hexdigest()
    return Found(
        role=subject.role,
        subject=subject.name,
        source="vendor",
        uid=screening.screening_id,
        entry_digest=entry,
        listed_name="somebody on the vendor's list",
        matched="",
        kind=screening.outcome.value,
        programs="",
        by="the vendor's word",
        score=screening.score,
        reasons=screening.reasons or (screening.outcome.value,),
        share_ppm=subject.share_ppm,
        mark=subject.mark,
    )


def _postal(a: PersonAddress) -> PostalAddress:
    """Return an address as vendors take it."""
    return PostalAddress(a.street, a.city, a.state, a.postal_code)
