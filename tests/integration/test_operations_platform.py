"""A platform as its operator sees it: the trace of a payment over the processes, figures, log lines, health.

One platform for all of it, since starting one takes as long as everything here.
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

import log_sweep
from observability_files import alarm_figures, dashboard_figures
from otlp_collector import Collector, Span, collecting
from ports import free_port
from sdt.demo.crowd import Crowd, gather_crowd
from sdt.local.platform import Platform, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
UNITS = (
    *("_seconds", "_bytes", "_total", "_cents", "_ppm", "_units", "_gas", "_number", "_state"),
    *("_transactions", "_messages", "_instructions", "_presignatures", "_batches", "_files"),
)
"""What the names of figures end with: a unit, or the thing that is counted."""
COUNTED = {
    "sdt_batches_in_flight", "sdt_cases_open", "sdt_cases_overdue", "sdt_certificates_ending", "sdt_chain_nodes",
    "sdt_chain_nodes_answering", "sdt_instructions_dead", "sdt_lane_settling", "sdt_monitoring_postings_behind",
    "sdt_monitoring_prices_missing", "sdt_ach_returns_missing", "sdt_presignatures", "sdt_reports_to_renew",
    "sdt_sanctions_list_entries", "sdt_sanctions_people_left", "sdt_signer_alarms", "sdt_signers_answering",
    "sdt_signers_caught", "sdt_signers_usable", "sdt_vendor_breaker",
}  # fmt: skip
"""Those that begin with what is counted."""


async def test_an_operator_sees_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    async with collecting(free_port()) as collector:
        for name, value in {
            "SDT_ENV": "test",
            "SDT_SANDBOX__BANKING_DAY_S": "0.2",
            "SDT_LOGGING__LEVEL": "debug",
            "SDT_LOGGING__ACCESS": "all",
            "SDT_TELEMETRY__ENDPOINT": collector.url,
            "SDT_TELEMETRY__SAMPLE": "1",
            "SDT_CHAIN__REQUEST_TIMEOUT_S": "2",
            "SDT_API__BACKLOG_MAX": "40",
        }.items():
            monkeypatch.setenv(name, value)
        async with running(home) as platform, aiohttp.ClientSession() as http:
            crowd = await gather_crowd(home, platform.network, 3, each_units=10_000)
            await _one_payment_is_one_trace(platform, crowd, collector, http)
            await _figures_are_there_and_well_named(platform, http)
            await _health_tells_what_is_broken(platform, crowd, http)
            await crowd.close()
        _nobody_and_no_secret_is_told(platform, collector, home)


# The trace


async def _one_payment_is_one_trace(
    platform: Platform, crowd: Crowd, collector: Collector, http: aiohttp.ClientSession
) -> None:
    # When somebody pays under a trace of their own
    (id_,) = await crowd.new_ids(1)
    (message,) = crowd.payments([id_], random.Random(1), units=7)
    async with http.put(
        f"{platform.settings.api.url}/v1/transactions/{id_}",
        data=message,
        headers={"Content-Type": "application/jose", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
    ) as answer:
        assert answer.status == 202, await answer.text()
    assert (await crowd.ended(id_))["status"] == "completed"

    # Then its way is one tree over five processes
    request = "PUT /v1/transactions/{transaction_id}"
    parts = {request, "intake.commit", "queue", "screening", "batch", "batch.sign", "batch.send", "batch.final"}

    async def whole() -> list[Span] | None:
        # each process sends its own, about once a second
        found = collector.of_trace(TRACE)
        signed = min(len(_named(found, "signer.propose")), len(_named(found, "signer.release")))
        return found if signed >= 2 and parts <= {span.name for span in found} else None

    spans = await _eventually(whole)
    by_id = {span.span_id: span for span in spans}

    def way(span: Span) -> list[str]:
        above = by_id.get(span.parent_id)
        return [*(way(above) if above else []), span.name]

    ways = {tuple(way(span)) for span in spans}
    assert {
        (request,),
        (request, "intake.commit"),
        (request, "queue"),
        (request, "screening"),
        (request, "batch"),
        (request, "batch", "batch.sign"),
        (request, "batch", "batch.sign", "signer.propose"),
        (request, "batch", "batch.sign", "signer.release"),
        (request, "batch", "batch.send"),
        (request, "batch", "batch.final"),
    } <= ways, ways
    (asked,) = _named(spans, request)
    assert asked.parent_id == "00f067aa0ba902b7"
    assert len({span.process for span in _named(spans, "signer.propose")}) >= 2
    assert {span.process for span in spans} >= {"sdt-api", "sdt-worker"}
    assert all(span.begun_ns <= span.ended_ns for span in spans)
    # and a deposit's goes on to the vendor that its instruction called
    assert any(span.name == "instruction" for span in collector.spans)
    calls = [span for span in collector.spans if span.name == "vendor.call"]
    assert {span.trace_id for span in calls} <= {span.trace_id for span in collector.spans if span.process == "sdt-api"}


def _named(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


# Figures


async def _figures_are_there_and_well_named(platform: Platform, http: aiohttp.ClientSession) -> None:
    exported: set[str] = set()
    for page in _pages(platform, "metrics"):
        async with http.get(page) as answer:
            text = await answer.text()
        series = 0
        for family in text_string_to_metric_families(text):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            assert family.documentation, f"{name} has no help"
            assert name.endswith(UNITS) or name in COUNTED, f"{name} names no unit"
            exported |= {sample.name for sample in family.samples} | {name}
            series += len(family.samples)
        assert series < 2_500, f"{page} has {series} series"
    for figures in (dashboard_figures(), alarm_figures()):
        assert figures
        assert figures <= exported, figures - exported


def _pages(platform: Platform, page: str) -> list[str]:
    settings = platform.settings
    ports = [settings.worker.port, settings.api.port, *(one.health_port for one in settings.signers.values())]
    return [f"http://127.0.0.1:{port}/{page}" for port in ports]


# Health


async def _health_tells_what_is_broken(platform: Platform, crowd: Crowd, http: aiohttp.ClientSession) -> None:
    worker, api, signer_1, _, signer_3 = _pages(platform, "readyz")

    async def state(url: str) -> tuple[int, dict[str, Any]]:
        async with http.get(url) as answer:
            return answer.status, await answer.json()

    async def says(url: str, wanted: Callable[[int, dict[str, Any]], bool]) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            status, found = await state(url)
            return found if wanted(status, found) else None

        return await _eventually(look)

    def failed(name: str) -> Callable[[int, dict[str, Any]], bool]:
        return lambda status, found: status == 503 and found["checks"][name]["state"] == "failed"

    def degraded(name: str) -> Callable[[int, dict[str, Any]], bool]:
        return lambda status, found: status == 200 and found["checks"][name]["state"] == "degraded"

    def well(*names: str) -> Callable[[int, dict[str, Any]], bool]:
        return lambda status, found: status == 200 and all(found["checks"][name]["state"] == "ok" for name in names)

    # Given everything well
    for url in (worker, api, signer_1, signer_3):
        await says(url, lambda status, found: status == 200)
    await says(worker, well("chain", "signers", "stock", "database", "queue", "lease", "backlog", "outbox"))
    # When one location stands still, then it works and somebody must look
    platform.supervisor.kill("signer-3", signal.SIGSTOP)
    found = await says(worker, degraded("signers"))
    assert "Location 3" in found["checks"]["signers"]["detail"]
    # When a second does, then nothing can be signed
    platform.supervisor.kill("signer-2", signal.SIGSTOP)
    await says(worker, failed("signers"))
    for name in ("signer-2", "signer-3"):
        platform.supervisor.kill(name, signal.SIGCONT)
    await says(worker, well("signers"))
    # When the chain stands still, then settlement does, and the payments that wait fill the backlog
    platform.supervisor.kill("chain", signal.SIGSTOP)
    await says(worker, failed("chain"))
    ids = await crowd.new_ids(35)
    await crowd.send(ids, crowd.payments(ids, random.Random(2)))
    await says(api, degraded("backlog"))
    await says(worker, lambda status, found: found["checks"]["backlog"]["state"] == "degraded")
    async with http.get(worker.replace("readyz", "healthz")) as answer:
        assert answer.status == 200, "the process lives all the same"
    code, told = await _status_of(platform)
    assert code == 1
    assert re.search(r"worker +chain +failed", told), told
    # and when it goes on, so does everything
    platform.supervisor.kill("chain", signal.SIGCONT)
    for id_ in ids:
        assert (await crowd.ended(id_))["status"] == "completed"
    await says(worker, well("chain", "backlog"))
    code, told = await _status_of(platform)
    assert code == 0, told


async def _status_of(platform: Platform) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("sdt"), "status", "--home", platform.settings.home),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def _eventually(look: Callable[[], Any], within_s: float = 60) -> Any:
    deadline = time.monotonic() + within_s
    while (found := await look()) is None:
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.2)
    return found


# Log lines


def _nobody_and_no_secret_is_told(platform: Platform, collector: Collector, home: Path) -> None:
    events = log_sweep.lines(home)
    said = "\n".join(file.read_text() for file in (home / "log").iterdir())
    forbidden = {
        **log_sweep.secrets_of(platform.settings),
        **{name: name for name in ("Nra", "Nrb", "Nrc", "1990-05-05", "Main Street", "@example.com", "021000021")},
        "an account number": "00022233",
    }
    log_sweep.sweep(said, {k: v for k, v in forbidden.items() if not k.startswith("Nr")}.items())
    for name in ("Nra", "Nrb", "Nrc"):
        assert not re.search(rf"\b{name}\b", said), f"{name} was written down"
    log_sweep.sweep(repr(collector.spans), ((k, v) for k, v in forbidden.items() if not k.startswith("Nr")))
    assert all(span.events == 0 for span in collector.spans), "no exception's words"
    # and what a line is about is a field of it
    accesses = [event for event in events if event["logger"] == "sdt.api.access"]
    assert {"route", "method", "status", "ms"} <= accesses[-1].keys()
    assert any("transaction_id" in event for event in accesses)
    assert {event["process"] for event in events} >= {"api", "worker", "signer-1", "signer-2", "signer-3"}
    assert any(event["process"] == "worker" and event.get("batch") for event in events)
