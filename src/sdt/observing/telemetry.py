"""Sending spans to a collector by OTLP over HTTP. The only module that imports OpenTelemetry.

Spans leave in the background, out of a bounded store: a collector that is slow or away costs spans and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from sdt.observing.tracing import set_exporting

__all__ = ["Exporting", "start"]

QUEUE_MAX: Final = 4_096
EVERY_MS: Final = 1_000
TIMEOUT_S: Final = 2
_NS: Final = 1_000_000_000


class _AtTheDoor(Sampler):
    """Decides for requests from outside: a caller may ask not to be traced, and cannot ask for more than its share."""

    def __init__(self, sample: float) -> None:
        self._sample = sample

    def should_sample(
        self, parent_context: Any, trace_id: int, name: str, kind: Any = None, attributes: Any = None,
        links: Any = None, trace_state: Any = None,
    ) -> SamplingResult:  # fmt: skip
        """Sample by chance: a trace id is the caller's choice, and must not decide."""
        wanted = random.random() < self._sample  # noqa: S311
        return SamplingResult(Decision.RECORD_AND_SAMPLE if wanted else Decision.DROP, attributes)

    def get_description(self) -> str:
        """Return what it does."""
        return f"one in {1 / self._sample:g}" if self._sample else "none"


class Exporting:
    """The spans of one process."""

    def __init__(self, process: str, region: str, endpoint: str, sample: float, *, door: bool) -> None:
        names = {"service.name": f"sdt-{process}", "service.namespace": "sdt"}
        # Inside the platform whoever began the trace has decided.
        inside = ParentBased(root=_AtTheDoor(sample), remote_parent_sampled=ALWAYS_ON, local_parent_sampled=ALWAYS_ON)
        outside = ParentBased(
            root=_AtTheDoor(sample), remote_parent_sampled=_AtTheDoor(sample), remote_parent_not_sampled=ALWAYS_OFF
        )
        self._provider = TracerProvider(
            sampler=outside if door else inside,
            resource=Resource({**names, **({"sdt.region": region} if region else {})}),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=TIMEOUT_S)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=QUEUE_MAX, schedule_delay_millis=EVERY_MS)
        )
        self._door = door
        self._tracer = self._provider.get_tracer("sdt")

    def current(self) -> str:
        """Return the traceparent of the span at hand, if it is sampled."""
        found = trace.get_current_span().get_span_context()
        if not (found.is_valid and found.trace_flags.sampled):
            return ""
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-01"

    def trace_id(self) -> str:
        """Return the id of the trace at hand."""
        return f"{trace.get_current_span().get_span_context().trace_id:032x}"

    @contextmanager
    def span(
        self, name: str, parent: str | None, links: Sequence[str], attributes: Mapping[str, str | int], *, root: bool
    ) -> Iterator[Any]:
        """Trace the work inside; an exception is told by its type alone."""
        with self._tracer.start_as_current_span(
            name,
            # Behind the door a request was decided on already: chance takes no second share of it.
            context=None if parent is None else _context(parent, remote=root or not self._door),
            attributes=_attributes(attributes),
            links=[Link(_parsed(link)) for link in links],
            record_exception=False,
            set_status_on_exception=False,
        ) as spanning:
            try:
                yield spanning
            except BaseException as error:
                spanning.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def past(self, name: str, parent: str, begun_s: float, ended_s: float, attributes: Mapping[str, str | int]) -> None:
        """Write down a span that is over."""
        spanning = self._tracer.start_span(
            name, context=_context(parent), attributes=_attributes(attributes), start_time=int(begun_s * _NS)
        )
        spanning.end(int(ended_s * _NS))

    def stop(self) -> None:
        """Send what is left, as far as the collector takes it."""
        set_exporting(None)
        self._provider.shutdown()


def start(process: str, region: str, endpoint: str, sample: float, *, door: bool = False) -> Exporting:
    """Begin to make traces. `door`: this process takes requests from outside, whose word on sampling is not taken."""
    exporting = Exporting(process, region, endpoint, sample, door=door)
    set_exporting(exporting)
    return exporting


def _parsed(traceparent: str, *, remote: bool = True) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=TraceFlags(int(flags, 16)))


def _context(parent: str, *, remote: bool = True) -> Any:
    """Return the context under a traceparent; an empty one begins anew."""
    empty = trace.set_span_in_context(trace.INVALID_SPAN)
    return trace.set_span_in_context(NonRecordingSpan(_parsed(parent, remote=remote))) if parent else empty


def _attributes(given: Mapping[str, str | int]) -> dict[str, str | int]:
    names = {"route": "http.route", "method": "http.request.method", "status": "http.response.status_code"}
    return {names.get(name, f"sdt.{name}"): value for name, value in given.items()}
