"""ACH as the custodian sees it: files, entries, what came in, return rates. No account number, no name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from sdt.api import models_ach as models
from sdt.api.declared import problems
from sdt.api.runtime import KnownCaller, Running
from sdt.api.strict_route import StrictRoute
from sdt.domain.ach.return_rate import LEVELS_PPM
from sdt.store import Store, ach, ach_files
from sdt.store.ach import AchEntryRow
from sdt.workflows.ach_rates import rates_of

__all__ = ["router"]

router = APIRouter(route_class=StrictRoute, tags=["office"])
Limit = Annotated[int, Query(ge=1, le=500, examples=[100])]


@router.get(
    "/v1/office/ach/files", summary="ACH files of ours", responses=problems(401, 403), operation_id="getAchFiles"
)
async def _files(runtime: Running, caller: KnownCaller, limit: Limit = 100) -> models.AchFiles:
    """Answer with the newest files that were made, and where each stands. For custodians of dollars."""
    caller.banks(runtime.services.region)
    rows = await runtime.services.store.read(_newest_files, limit)
    return models.AchFiles(
        files=[
            models.AchFile(
                name=row.name,
                token=row.token,
                made_on=row.made_on,
                status=row.status,
                code=row.code,
                sha256=row.digest,
                entries=row.entry_count,
                entry_hash=row.entry_hash,
                debits=str(row.debit_units),
                credits=str(row.credit_units),
                tries=row.tries,
            )
            for row in rows
        ]
    )


def _newest_files(store: Store, limit: int) -> list[ach_files.AchFileRow]:
    return ach_files.files(store, limit=limit)


@router.get(
    "/v1/office/ach/inbound",
    summary="ACH files that came in",
    responses=problems(401, 403),
    operation_id="getAchInbound",
)
async def _inbound(runtime: Running, caller: KnownCaller, limit: Limit = 100) -> models.AchInboundFiles:
    """Answer with the newest files of the bank's: acknowledgements, returns, notifications of change."""
    caller.banks(runtime.services.region)
    rows = await runtime.services.store.read(ach_files.inbound, limit)
    return models.AchInboundFiles(
        files=[
            models.AchInbound(
                name=row.name,
                kind=row.kind,
                status=row.status,
                day=row.day,
                sha256=row.digest,
                records=row.records,
                unmatched=row.unmatched,
                detail=row.detail,
            )
            for row in rows
        ]
    )


@router.get(
    "/v1/office/ach/entries",
    summary="ACH entries of a file, or one by its trace number",
    responses=problems(401, 403),
    operation_id="getAchEntries",
)
async def _entries(
    runtime: Running,
    caller: KnownCaller,
    file: Annotated[str, Query(max_length=64, examples=["TXD-20261127-A.ach"])] = "",
    trace: Annotated[str, Query(pattern=r"^([0-9]{15})?$", examples=["111000020000001"])] = "",
    after: Annotated[str, Query(pattern=r"^([0-9]{15})?$", examples=[""])] = "",
    limit: Limit = 100,
) -> models.AchEntries:
    """Answer with the entries of a file behind `after`, with one trace number's, or with those that wait."""
    caller.banks(runtime.services.region)
    return models.AchEntries(entries=await runtime.services.store.read(_found, file, trace, after, limit))


def _found(store: Store, file: str, trace: str, after: str, limit: int) -> list[models.AchEntry]:
    if trace:
        one = ach.by_trace(store, trace)
        rows = [one] if one else []
    elif file:
        rows = ach.in_file(store, file, after, limit)
    else:
        rows = ach.waiting(store, limit)
    standing = ach.standing(store, rows)
    return [_shown(row, standing[row.id].value) for row in rows]


def _shown(row: AchEntryRow, status: str) -> models.AchEntry:
    return models.AchEntry(
        id=row.id,
        purpose=row.purpose,
        status=status,
        sec_code=row.sec_code,
        direction="credit" if row.is_credit else "debit",
        # What proves an account is the holder's to read, off the statement.
        amount="" if row.purpose == "micro" else str(row.units),
        file=row.file_name,
        trace=row.trace,
        effective_on=row.effective_on,
        settled_on=row.settled_on,
        follow_at=row.follow_at,
        returned_on=row.returned_on,
        return_code=row.return_code,
        transaction_id=row.reference if row.purpose == "payment" else None,
    )


@router.get(
    "/v1/office/ach/rates", summary="ACH return rates", responses=problems(401, 403, 422), operation_id="getAchRates"
)
async def _rates(
    runtime: Running,
    caller: KnownCaller,
    on: Annotated[date | None, Query(examples=["2026-11-27"])] = None,
) -> models.AchRates:
    """Answer with the watched rates over the 60 days to a day: by default that of the newest settlement."""
    caller.banks(runtime.services.region)
    store = runtime.services.store
    newest = await store.read(ach.newest_day)
    day = on or (date.fromisoformat(newest) if newest else datetime.now(UTC).date())
    rates = await store.read(rates_of, day)
    return models.AchRates(
        on=day.isoformat(),
        rates=[
            models.AchRate(
                name=rate.name,
                returned=rate.returned,
                originated=rate.originated,
                ppm=rate.ppm,
                level_ppm=LEVELS_PPM[rate.name],
                above=rate.above,
            )
            for rate in rates
        ],
    )
