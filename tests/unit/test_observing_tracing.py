"""Traces: nothing of them where they are off; bounded, nameless and ours to sample where they are on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from otlp_collector import Collector, collecting
from ports import free_port
from sdt.observing import tracing
from sdt.observing.start import decide, traced

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting(free_port()) as found:
        yield found


async def _sent(collector: Collector, sample: float, door: bool, parent: str, times: int = 1) -> Collector:
    import asyncio

    def work() -> None:
        with traced("test", region="texas", endpoint=collector.url, sample=sample, door=door):
            for _ in range(times):
                with tracing.span("request", parent=parent, root=True), tracing.span("inside", batch=3):
                    pass

    await asyncio.to_thread(work)
    return collector


def test_off_it_imports_nothing_and_spans_are_no_spans() -> None:
    script = (
        "import sys\n"
        "import sdt.api.__main__, sdt.worker.__main__, sdt.signing.signer, sdt.signing.validation\n"
        # FastAPI brings the interface where it is installed, and nothing behind it.
        "assert not any(name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter')) for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    with tracing.span("work", root=True) as spanning:
        assert spanning is None
        assert tracing.current() == ""
    assert not tracing.started()


async def test_a_span_and_what_is_inside_reach_the_collector(collector: Collector) -> None:
    await _sent(collector, 1, True, PARENT)
    inside, request = sorted(collector.spans, key=lambda span: span.name)
    assert (request.process, request.trace_id, request.parent_id) == ("sdt-test", PARENT[3:35], PARENT[36:52])
    assert (inside.parent_id, inside.attributes) == (request.span_id, {"sdt.batch": 3})


async def test_a_caller_may_decline_and_cannot_ask_for_more_than_its_share(collector: Collector) -> None:
    await _sent(collector, 0, True, PARENT, times=20)
    assert collector.spans == [], "a flag from outside does not decide"
    await _sent(collector, 1, True, PARENT[:-1] + "0", times=3)
    assert collector.spans == [], "who does not want to be traced is not"
    await _sent(collector, 0, False, PARENT)
    assert len(collector.spans) == 2, "inside the platform whoever began the trace has decided"


async def test_chance_takes_its_share_at_the_door_alone(collector: Collector) -> None:
    import asyncio

    def work() -> None:
        # A sample of none: what is in the database's groups was decided on when its request came in.
        with (
            traced("test", endpoint=collector.url, sample=0, door=True),
            tracing.span("intake.commit", parent=PARENT, messages=1),
        ):
            pass

    await asyncio.to_thread(work)
    assert [(span.name, span.parent_id) for span in collector.spans] == [("intake.commit", PARENT[36:52])]


@pytest.fixture
def share(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Decide without spans, with so large a share, until the test is over."""
    monkeypatch.setattr(tracing, "_exporting", None)
    return lambda sample: decide(endpoint="http://127.0.0.1:1", sample=sample)


def _at_the_door(parent: str) -> str:
    with tracing.span("request", parent=parent, root=True) as spanning:
        assert spanning is None
        with tracing.span("inside"):
            return tracing.current()


def test_who_only_decides_takes_the_callers_trace_or_makes_one(share: Callable[[float], None]) -> None:
    share(1)
    assert _at_the_door(PARENT) == PARENT
    made = {_at_the_door("") for _ in range(3)}
    assert len({text[3:35] for text in made}) == 3
    assert all(tracing.traceparent_of(text) == text for text in made)
    assert tracing.current() == ""


def test_who_only_decides_grants_no_more_than_its_share(share: Callable[[float], None]) -> None:
    share(1)
    assert _at_the_door(PARENT[:-1] + "0") == "", "who does not want to be traced is not"
    share(0)
    assert [_at_the_door(parent) for parent in (PARENT, "")] == ["", ""], "a flag from outside does not decide"
    with tracing.span("intake.commit", parent=PARENT):
        assert tracing.current() == PARENT, "what was decided stays"


def test_without_a_collector_nobody_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_exporting", None)
    decide(endpoint="", sample=1)
    assert not tracing.started()


async def test_an_error_is_told_by_its_type_alone(collector: Collector) -> None:
    import asyncio

    def work() -> None:
        with (
            traced("test", endpoint=collector.url, sample=1),
            pytest.raises(ValueError, match="Muster"),
            tracing.span("work", root=True),
        ):
            raise ValueError("Maria Muster")

    await asyncio.to_thread(work)
    (span,) = collector.spans
    assert span.events == 0
    assert "Muster" not in repr(span)


async def test_links_are_bounded_and_names_of_attributes_are_few(collector: Collector) -> None:
    import asyncio

    def work() -> None:
        with traced("test", endpoint=collector.url, sample=1):
            others = [f"00-{n:032x}-00f067aa0ba902b7-01" for n in range(1, 100)]
            with tracing.span("batch", parent=PARENT, links=others):
                pass
            with pytest.raises(AssertionError), tracing.span("batch", parent=PARENT, name_of_payee="Maria"):
                pass

    await asyncio.to_thread(work)
    (span,) = collector.spans
    assert len(span.links) == tracing.LINKS_MAX


async def test_a_collector_that_is_away_costs_spans_and_nothing_else() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with traced("test", endpoint=url, sample=1), tracing.span("work", root=True) as spanning:
        assert spanning is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        PARENT.upper(),
        PARENT + "0",
        "01" + PARENT[2:],
        f"00-{32 * '0'}-00f067aa0ba902b7-01",
        f"00-{PARENT[3:35]}-{16 * '0'}-01",
        PARENT[:-2] + "ff",
        "Maria Muster",
    ],
)
def test_what_is_no_traceparent_is_none(text: str) -> None:
    assert tracing.traceparent_of(text) == ""
    assert tracing.traceparent_of(PARENT) == PARENT
