"""The sandbox identity vendor: outcomes by magic family names, residency by the State of the address.

It keeps what it decided, never the name, the date of birth or the number it decided on.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from sdt.domain.errors import NotFound, Unprocessable
from sdt.sandbox.fields import Account, Address, Name, rfc3339
from sdt.sandbox.service import Call, Get, Post

ATTEMPTS: Final = 2
EXPIRY_S: Final = 365 * 86_400
ADULT_YEARS: Final = 18

_MAGIC: Final = {
    "FAIL": ("failed", "name_not_found"),
    "REVIEW": ("review", "name_partly_matched"),
    "DOCS": ("documents_required", "address_not_verified"),
}
_SCHEMA: Final = """
create table if not exists application(
  id text primary key, account text not null, region_state text not null, attempts integer not null,
  outcome text not null, reason text not null, resident integer not null, decided_at real not null) without rowid;
"""


class Person(Struct, frozen=True, forbid_unknown_fields=True):
    """Who applies, for which account, as a resident of which State."""

    account: Account
    given_name: Name
    family_name: Name
    born_on: date
    address: Address
    ssn_last4: Annotated[str, Meta(pattern=r"^[0-9]{4}\Z")]
    region_state: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]


class Application(Struct, frozen=True):
    """An application; before `decided_at` its outcome is pending."""

    application_id: str
    account: str
    outcome: str
    reasons: tuple[str, ...]
    tier: int
    region_state: str
    resident: bool | None
    attempts_left: int
    decided_at: str | None
    expires_at: str | None


class Kyc:
    """The service. Units: `decide_s` seconds between an application and its outcome."""

    name = "kyc"
    schema = _SCHEMA

    def __init__(self, decide_s: float, clock: Callable[[], float] = time.time) -> None:
        self._decide_s = decide_s
        self._clock = clock

    def routes(self) -> Sequence[Get | Post]:
        return (
            Post("/v1/applications", Person, self._apply),
            Post("/v1/applications/{application_id}/attempts", Person, self._retry),
            Get("/v1/applications/{application_id}", self._application),
        )

    def advance(self, connection: sqlite3.Connection) -> None:
        """Nothing is ever due: an outcome shows by itself when its time has come."""

    def health(self) -> dict[str, Any]:
        return {}

    def _apply(self, call: Call, person: Person) -> Application:
        application = f"kyc_{secrets.token_hex(12)}"
        self._decide(call, application, person, attempts=1)
        return self._show(call, application)

    def _retry(self, call: Call, person: Person) -> Application:
        application = call.params["application_id"]
        before = self._show(call, application)
        if before.account != person.account:
            raise Unprocessable("The application is for another account.", code="not_this_account")
        if before.outcome not in ("failed", "documents_required"):
            raise Unprocessable("The application is not open to another attempt.", code="not_open")
        if not before.attempts_left:
            raise Unprocessable("Both attempts are used.", code="attempts_exhausted")
        self._decide(call, application, person, attempts=ATTEMPTS - before.attempts_left + 1)
        return self._show(call, application)

    def _decide(self, call: Call, application: str, person: Person, attempts: int) -> None:
        now = self._clock()
        outcome, reason = _outcome(person, datetime.fromtimestamp(now, UTC).date())
        resident = person.region_state == person.address.state
        call.connection.execute(
            "insert or replace into application values(?, ?, ?, ?, ?, ?, ?, ?)",
            (
                application,
                person.account,
                person.region_state,
                attempts,
                outcome,
                reason,
                resident,
                now + self._decide_s,
            ),
        )

    def _application(self, call: Call) -> Application:
        return self._show(call, call.params["application_id"])

    def _show(self, call: Call, application: str) -> Application:
        row = call.connection.execute("select * from application where id = ?", (application,)).fetchone()
        if row is None:
            raise NotFound("There is no such application.", code="application_unknown")
        _, account, region_state, attempts, outcome, reason, resident, decided_at = row
        decided = self._clock() >= decided_at
        passed = decided and outcome == "passed"
        return Application(
            application_id=application,
            account=account,
            outcome=outcome if decided else "pending",
            reasons=(reason,) if decided and reason else (),
            tier=1 if passed else 0,
            region_state=region_state,
            resident=bool(resident) if decided else None,
            attempts_left=ATTEMPTS - attempts,
            decided_at=rfc3339(decided_at) if decided else None,
            expires_at=rfc3339(decided_at + EXPIRY_S) if passed else None,
        )


def _outcome(person: Person, today: date) -> tuple[str, str]:
    magic = _MAGIC.get(person.family_name.upper())
    if magic:
        return magic
    if person.ssn_last4 == "0000":
        return "failed", "ssn_not_issued"
    birthday_to_come = (today.month, today.day) < (person.born_on.month, person.born_on.day)
    if today.year - person.born_on.year - birthday_to_come < ADULT_YEARS:
        return "failed", "under_age"
    return "passed", ""
