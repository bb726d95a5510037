"""The sandbox identity vendor: people and businesses, their documents, two attempts, residency.

It keeps what it decided, never the name, the date of birth, the number or the document it decided on.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from sdt.domain.errors import NotFound, Unprocessable
from sdt.sandbox.fields import rfc3339
from sdt.sandbox.kyc_magic import (
    SHORT_EXPIRY_BORN,
    SHORT_EXPIRY_S,
    Business,
    Document,
    Finding,
    Person,
    of_business,
    of_document,
    of_person,
    residency_of,
    worst,
)
from sdt.sandbox.service import Call, Get, Post

ATTEMPTS: Final = 2
EXPIRY_S: Final = 365 * 86_400
DOCUMENT_BODY_BYTES_MAX: Final = 7_100_000
HOLDER: Final = "holder"

_SCHEMA: Final = """
create table if not exists examination(
  id text primary key, account text not null, region_state text not null, attempts integer not null,
  findings text not null, residency text not null, residency_reason text not null,
  expiry_s integer not null, decided_at real not null) without rowid;
"""


class Subject(Struct, frozen=True):
    """What was found of one of those behind a business."""

    subject: str
    outcome: str
    reasons: tuple[str, ...]


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
    residency: str
    residency_reasons: tuple[str, ...]
    subjects: tuple[Subject, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """An examination as it is kept."""

    id: str
    account: str
    region_state: str
    attempts: int
    findings: tuple[Finding, ...]
    residency: str
    residency_reason: str
    expiry_s: int
    decided_at: float


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
            Post("/v1/business-applications", Business, self._apply),
            Post("/v1/business-applications/{application_id}/attempts", Business, self._retry),
            Post(
                "/v1/applications/{application_id}/documents",
                Document,
                self._document,
                bytes_max=DOCUMENT_BODY_BYTES_MAX,
            ),
            Get("/v1/applications/{application_id}", self._application),
        )

    def advance(self, connection: sqlite3.Connection) -> None:
        """Nothing is ever due: an outcome shows by itself when its time has come."""

    def health(self) -> dict[str, Any]:
        return {}

    def _apply(self, call: Call, party: Person | Business) -> Application:
        return self._keep(call, self._decide(f"kyc_{secrets.token_hex(12)}", party, attempts=1))

    def _retry(self, call: Call, party: Person | Business) -> Application:
        before = self._row(call)
        if before.account != party.account:
            raise Unprocessable("The application is for another account.", code="not_this_account")
        if self._outcome(before) not in ("failed", "documents_required"):
            raise Unprocessable("The application is not open to another attempt.", code="not_open")
        if before.attempts >= ATTEMPTS:
            raise Unprocessable("Both attempts are used.", code="attempts_exhausted")
        return self._keep(call, self._decide(before.id, party, attempts=before.attempts + 1))

    def _decide(self, application: str, party: Person | Business, attempts: int) -> _Row:
        now = self._clock()
        today = datetime.fromtimestamp(now, UTC).date()
        if isinstance(party, Person):
            findings, born_on = [of_person(HOLDER, party, today, attempts)], party.born_on
        else:
            findings, born_on = of_business(party, today, attempts), party.control.born_on
        residency, reason = residency_of(party.address, party.region_state)
        return _Row(
            application,
            party.account,
            party.region_state,
            attempts,
            tuple(findings),
            residency,
            reason,
            SHORT_EXPIRY_S if born_on == SHORT_EXPIRY_BORN else EXPIRY_S,
            now + self._decide_s,
        )

    def _document(self, call: Call, document: Document) -> Application:
        """Look at a document: it settles what was asked of its subject, or residency when it shows an address."""
        row = self._row(call)
        content = base64.b64decode(document.content, validate=False)
        if hashlib.sha256(content).hexdigest() != document.sha256:
            raise Unprocessable("The document is not the one its digest names.", code="document_digest")
        outcome, reason = of_document(content)
        asked = [f for f in row.findings if f.subject == document.subject and f.outcome == "documents_required"]
        residency_asked = document.kind == "address" and row.residency == "documents_required"
        if not asked and not residency_asked:
            raise Unprocessable("No such document was asked for.", code="not_open")
        if residency_asked:
            row = replace(row, residency=outcome, residency_reason=reason)
        findings = tuple(Finding(f.subject, outcome, reason) if f in asked else f for f in row.findings)
        return self._keep(call, replace(row, findings=findings, decided_at=self._clock() + self._decide_s))

    def _keep(self, call: Call, row: _Row) -> Application:
        call.connection.execute(
            "insert or replace into examination values(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.id,
                row.account,
                row.region_state,
                row.attempts,
                msgspec.json.encode(row.findings).decode(),
                row.residency,
                row.residency_reason,
                row.expiry_s,
                row.decided_at,
            ),
        )
        return self._show(row)

    def _application(self, call: Call) -> Application:
        return self._show(self._row(call))

    def _row(self, call: Call) -> _Row:
        found = call.connection.execute(
            "select * from examination where id = ?", (call.params["application_id"],)
        ).fetchone()
        if found is None:
            raise NotFound("There is no such application.", code="application_unknown")
        id_, account, state, attempts, findings, residency, reason, expiry_s, decided_at = found
        read = msgspec.json.decode(findings, type=tuple[Finding, ...])
        return _Row(id_, account, state, attempts, read, residency, reason, expiry_s, decided_at)

    def _outcome(self, row: _Row) -> str:
        return worst(row.findings) if self._clock() >= row.decided_at else "pending"

    def _show(self, row: _Row) -> Application:
        outcome = self._outcome(row)
        decided = outcome != "pending"
        passed = outcome == "passed"
        shown = row.findings if decided else tuple(Finding(f.subject, "pending", "") for f in row.findings)
        known = decided and row.residency in ("passed", "failed")
        return Application(
            application_id=row.id,
            account=row.account,
            outcome=outcome,
            reasons=tuple(dict.fromkeys(f.reason for f in shown if f.reason)),
            tier=1 if passed else 0,
            region_state=row.region_state,
            resident=row.residency == "passed" if known else None,
            attempts_left=ATTEMPTS - row.attempts,
            decided_at=rfc3339(row.decided_at) if decided else None,
            expires_at=rfc3339(row.decided_at + row.expiry_s) if passed else None,
            residency=row.residency if decided else "pending",
            residency_reasons=(row.residency_reason,) if decided and row.residency_reason else (),
            subjects=tuple(
                Subject(f.subject, f.outcome, (f.reason,) if f.reason else ()) for f in shown if f.subject != HOLDER
            ),
        )
