"""The sandbox identity and screening vendors in one process, through the adapters that real ones get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sandbox_servers import FAMILIES, Sandbox, sandbox

from sdt.adapters.aml import HttpAml
from sdt.adapters.kyc import HttpKyc
from sdt.domain.errors import Conflict, NotFound, Unprocessable
from sdt.ports.aml import Purpose, ScreeningOutcome, ScreeningRequest
from sdt.ports.kyc import (
    DocumentKind,
    KycApplication,
    KycBusiness,
    KycDocument,
    KycOutcome,
    KycOwner,
    KycPerson,
    PostalAddress,
)

pytestmark = pytest.mark.slow
AUSTIN = PostalAddress("1 Congress Ave", "Austin", "TX", "78701")
ALICE = KycPerson("0x" + "a1" * 20, "Alice", "Example", date(1990, 2, 3), AUSTIN, "1234", "TX")

SHOP = KycBusiness(
    ALICE.account, "Example Feed and Seed LLC", "llc", "4711", "TX", AUSTIN, ALICE, (KycOwner(ALICE, 600_000),), "TX"
)
PDF = b"%PDF-1.7 an invented document"


@pytest.fixture(scope="module", params=FAMILIES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("vendors")
    with sandbox(home, "vendors", "--decide", "0.15", family=request.param) as (running, _):
        yield running


@pytest.fixture
async def kyc(server: Sandbox) -> AsyncIterator[HttpKyc]:
    kyc = server.kyc()
    yield kyc
    await kyc.close()


@pytest.fixture
async def aml(server: Sandbox) -> AsyncIterator[HttpAml]:
    aml = server.aml()
    yield aml
    await aml.close()


async def decided(kyc: HttpKyc, application: KycApplication) -> KycApplication:
    async with asyncio.timeout(5):
        while (found := await kyc.application(application.application_id)).outcome is KycOutcome.PENDING:
            await asyncio.sleep(0.02)
    return found


async def test_an_application_is_pending_and_then_passes_for_a_year(kyc: HttpKyc) -> None:
    applied = await kyc.apply(ALICE, uuid4().hex)
    assert (applied.outcome, applied.tier, applied.resident) == (KycOutcome.PENDING, 0, None)

    passed = await decided(kyc, applied)

    assert (passed.outcome, passed.tier, passed.resident) == (KycOutcome.PASSED, 1, True)
    assert passed.account == ALICE.account
    assert passed.expires_at is not None
    assert passed.decided_at is not None
    assert passed.expires_at - passed.decided_at == timedelta(days=365)
    again = await kyc.application(applied.application_id)
    assert again.evidence.digest == passed.evidence.digest
    assert b"Alice" not in passed.evidence.document


@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("Fail", KycOutcome.FAILED, "name_not_found"),
        ("REVIEW", KycOutcome.REVIEW, "name_partly_matched"),
        ("Docs", KycOutcome.DOCUMENTS_REQUIRED, "address_not_verified"),
    ],
)
async def test_a_magic_family_name_decides(kyc: HttpKyc, name: str, outcome: KycOutcome, reason: str) -> None:
    applied = await kyc.apply(replace(ALICE, family_name=name), uuid4().hex)

    found = await decided(kyc, applied)

    assert (found.outcome, found.reasons, found.tier, found.expires_at) == (outcome, (reason,), 0, None)


async def test_a_child_and_an_unissued_number_fail(kyc: HttpKyc) -> None:
    child = await kyc.apply(replace(ALICE, born_on=date.today() - timedelta(days=6000)), uuid4().hex)  # noqa: DTZ011
    numberless = await kyc.apply(replace(ALICE, ssn_last4="0000"), uuid4().hex)

    assert (await decided(kyc, child)).reasons == ("under_age",)
    assert (await decided(kyc, numberless)).reasons == ("ssn_not_issued",)


async def test_residency_follows_the_state_of_the_address(kyc: HttpKyc) -> None:
    elsewhere = replace(ALICE, address=replace(AUSTIN, state="OK"))

    found = await decided(kyc, await kyc.apply(elsewhere, uuid4().hex))

    assert (found.outcome, found.resident, found.region_state) == (KycOutcome.PASSED, False, "TX")


async def test_a_second_attempt_may_pass_and_a_third_is_refused(kyc: HttpKyc) -> None:
    failing = replace(ALICE, family_name="FAIL")
    first = await decided(kyc, await kyc.apply(failing, uuid4().hex))
    assert first.attempts_left == 1

    retried = await kyc.retry(first.application_id, failing, uuid4().hex)
    assert retried.outcome is KycOutcome.PENDING
    second = await decided(kyc, retried)

    assert (second.outcome, second.attempts_left) == (KycOutcome.FAILED, 0)
    with pytest.raises(Unprocessable) as refusal:
        await kyc.retry(first.application_id, ALICE, uuid4().hex)
    assert refusal.value.code == "attempts_exhausted"


async def test_a_passed_application_and_another_account_are_not_open(kyc: HttpKyc) -> None:
    passed = await decided(kyc, await kyc.apply(ALICE, uuid4().hex))

    with pytest.raises(Unprocessable, match="not_open"):
        await kyc.retry(passed.application_id, ALICE, uuid4().hex)
    with pytest.raises(Unprocessable, match="not_this_account"):
        await kyc.retry(passed.application_id, replace(ALICE, account="0x" + "b2" * 20), uuid4().hex)


@pytest.mark.parametrize(
    ("last4", "outcome", "reason"),
    [
        ("0001", KycOutcome.FAILED, "date_of_birth_mismatch"),
        ("0002", KycOutcome.REVIEW, "possible_duplicate"),
        ("0003", KycOutcome.DOCUMENTS_REQUIRED, "identity_document_needed"),
        ("0004", KycOutcome.FAILED, "deceased"),
    ],
)
async def test_a_magic_number_decides(kyc: HttpKyc, last4: str, outcome: KycOutcome, reason: str) -> None:
    found = await decided(kyc, await kyc.apply(replace(ALICE, ssn_last4=last4), uuid4().hex))

    assert (found.outcome, found.reasons) == (outcome, (reason,))


async def test_a_number_that_passes_the_second_time_and_one_that_stays_pending(kyc: HttpKyc) -> None:
    person = replace(ALICE, ssn_last4="0008")
    first = await decided(kyc, await kyc.apply(person, uuid4().hex))
    assert first.outcome is KycOutcome.FAILED
    assert (await decided(kyc, await kyc.retry(first.application_id, person, uuid4().hex))).tier == 1

    waiting = await kyc.apply(replace(ALICE, ssn_last4="0007"), uuid4().hex)
    await asyncio.sleep(0.4)
    assert (await kyc.application(waiting.application_id)).outcome is KycOutcome.PENDING


async def test_who_was_born_on_the_last_day_of_1999_is_identified_for_a_minute(kyc: HttpKyc) -> None:
    found = await decided(kyc, await kyc.apply(replace(ALICE, born_on=date(1999, 12, 31)), uuid4().hex))

    assert found.expires_at is not None
    assert found.decided_at is not None
    assert found.expires_at - found.decided_at == timedelta(minutes=1)


async def test_residency_has_an_outcome_and_a_proof_of_its_own(kyc: HttpKyc) -> None:
    boxed = replace(ALICE, address=replace(AUSTIN, street="PO Box 12"))
    found = await decided(kyc, await kyc.apply(boxed, uuid4().hex))
    assert (found.outcome, found.residency, found.resident) == (KycOutcome.PASSED, KycOutcome.DOCUMENTS_REQUIRED, None)
    assert found.residency_reasons == ("residency_proof_needed",)

    bill = KycDocument(DocumentKind.ADDRESS, "holder", "application/pdf", PDF)
    proven = await decided(kyc, await kyc.submit(found.application_id, bill, uuid4().hex))

    assert (proven.outcome, proven.residency, proven.resident) == (KycOutcome.PASSED, KycOutcome.PASSED, True)


@pytest.mark.parametrize(
    ("word", "outcome", "reason"),
    [
        (b"", KycOutcome.PASSED, None),
        (b"SANDBOX-UNREADABLE", KycOutcome.DOCUMENTS_REQUIRED, "document_unreadable"),
        (b"SANDBOX-EXPIRED", KycOutcome.DOCUMENTS_REQUIRED, "document_expired"),
        (b"SANDBOX-MISMATCH", KycOutcome.FAILED, "document_mismatch"),
        (b"SANDBOX-FORGED", KycOutcome.REVIEW, "document_suspect"),
    ],
)
async def test_a_document_settles_what_was_asked(
    kyc: HttpKyc, word: bytes, outcome: KycOutcome, reason: str | None
) -> None:
    asked = await decided(kyc, await kyc.apply(replace(ALICE, family_name="DOCS"), uuid4().hex))
    # a large document travels whole
    passport = KycDocument(DocumentKind.IDENTITY, "holder", "image/png", b"\x89PNG" + bytes(5_000_000) + word)

    found = await decided(kyc, await kyc.submit(asked.application_id, passport, uuid4().hex))

    assert (found.outcome, found.reasons) == (outcome, (reason,) if reason else ())
    if outcome is KycOutcome.PASSED:
        with pytest.raises(Unprocessable, match="not_open"):
            await kyc.submit(asked.application_id, passport, uuid4().hex)


async def test_a_business_passes_when_everybody_behind_it_does(kyc: HttpKyc) -> None:
    found = await decided(kyc, await kyc.apply(SHOP, uuid4().hex))

    assert (found.outcome, found.tier, found.resident) == (KycOutcome.PASSED, 1, True)
    assert [(s.subject, s.outcome) for s in found.subjects] == [
        ("business", KycOutcome.PASSED),
        ("control", KycOutcome.PASSED),
        ("owner-1", KycOutcome.PASSED),
    ]


@pytest.mark.parametrize(
    ("change", "outcome", "subject", "reason"),
    [
        ({"legal_name": "Example FAIL Inc"}, KycOutcome.FAILED, "business", "business_not_found"),
        ({"legal_name": "DISSOLVED Farms"}, KycOutcome.FAILED, "business", "business_dissolved"),
        ({"legal_name": "Review Holdings"}, KycOutcome.REVIEW, "business", "ownership_unclear"),
        ({"legal_name": "Docs LLC"}, KycOutcome.DOCUMENTS_REQUIRED, "business", "formation_document_needed"),
        ({"ein_last4": "0000"}, KycOutcome.FAILED, "business", "ein_mismatch"),
        ({"control": replace(ALICE, ssn_last4="0000")}, KycOutcome.FAILED, "control", "ssn_not_issued"),
        (
            {"owners": (KycOwner(ALICE, 400_000), KycOwner(replace(ALICE, family_name="DOCS"), 300_000))},
            KycOutcome.DOCUMENTS_REQUIRED,
            "owner-2",
            "address_not_verified",
        ),
    ],
)
async def test_a_business_stands_as_its_worst_part(
    kyc: HttpKyc, change: dict[str, object], outcome: KycOutcome, subject: str, reason: str
) -> None:
    found = await decided(kyc, await kyc.apply(replace(SHOP, **change), uuid4().hex))  # type: ignore[arg-type]

    assert (found.outcome, found.reasons, found.tier) == (outcome, (reason,), 0)
    assert [s.subject for s in found.subjects if s.reasons] == [subject]


async def test_a_repeated_key_is_one_application(kyc: HttpKyc) -> None:
    key = uuid4().hex

    first, again = await kyc.apply(ALICE, key), await kyc.apply(ALICE, key)

    assert first == again
    with pytest.raises(Conflict):
        await kyc.apply(replace(ALICE, given_name="Alicia"), key)


async def test_malformed_data_is_refused_and_an_unknown_application_not_found(kyc: HttpKyc) -> None:
    with pytest.raises(Unprocessable, match="schema"):
        await kyc.apply(replace(ALICE, ssn_last4="12345"), uuid4().hex)
    with pytest.raises(NotFound):
        await kyc.application("kyc_none")


def test_a_person_is_never_printed() -> None:
    shown = repr(ALICE) + repr(ScreeningRequest("Alice Example", AUSTIN, Purpose.MINT, "x"))

    assert not [secret for secret in ("Alice", "Example", "1234", "Congress", "78701", "1990") if secret in shown]


@pytest.mark.parametrize(
    ("name", "outcome", "score"),
    [
        ("Alice Example", ScreeningOutcome.CLEAR, 0),
        ("Acme Trading Corp", ScreeningOutcome.CLEAR, 0),
        ("viktor FALSENAME", ScreeningOutcome.MATCH, 100),
        ("Nadia Madeup", ScreeningOutcome.POSSIBLE_MATCH, 86),
        ("Anna Blocked", ScreeningOutcome.MATCH, 100),
        ("Maybe Example", ScreeningOutcome.POSSIBLE_MATCH, 80),
    ],
)
async def test_names_are_screened(aml: HttpAml, name: str, outcome: ScreeningOutcome, score: int) -> None:
    screening = await aml.screen(ScreeningRequest(name, AUSTIN, Purpose.ONBOARDING, "acct-1"), uuid4().hex)

    assert (screening.outcome, screening.score) == (outcome, score)
    assert bool(screening.reasons) is (outcome is not ScreeningOutcome.CLEAR)
    assert screening.sanctions_list == await aml.sanctions_list()
    kept = await aml.screening(screening.screening_id)
    assert kept == screening
    assert kept.evidence == screening.evidence


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_new_edition_of_the_list_changes_its_digest_and_who_matches(tmp_path: Path, family: str) -> None:
    with sandbox(tmp_path, "aml", family=family) as (running, _):
        aml, vendor = running.aml(), running.client("aml")
        request = ScreeningRequest("Boris Newentry", AUSTIN, Purpose.RESCREEN, "acct-1")
        before, first = await aml.sanctions_list(), await aml.screen(request, "1")

        await vendor.post("/v1/list", {"list_date": "2026-02-01", "names": ["Boris Newentry"]}, "edition-2")
        after, second = await aml.sanctions_list(), await aml.screen(request, "2")

        assert (first.outcome, second.outcome) == (ScreeningOutcome.CLEAR, ScreeningOutcome.MATCH)
        assert after.list_date == date(2026, 2, 1)
        assert before.digest != after.digest
        await aml.close()
        await vendor.close()
