"""Turning traces on where settings name a collector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sdt.domain.errors import Unavailable

__all__ = ["decide", "traced"]


@contextmanager
def traced(process: str, *, region: str = "", endpoint: str, sample: float, door: bool = False) -> Iterator[None]:
    """Make traces while this lasts; none, and nothing imported, without an endpoint.

    Errors: Unavailable where the libraries are not installed.
    """
    if not endpoint:
        yield
        return
    try:
        from sdt.observing.telemetry import start
    except ImportError as error:
        raise Unavailable(
            "Traces need OpenTelemetry: install the extra `telemetry`, or empty telemetry.endpoint.",
            code="telemetry_missing",
        ) from error
    exporting = start(process, region, endpoint, sample, door=door)
    try:
        yield
    finally:
        exporting.stop()


def decide(*, endpoint: str, sample: float) -> None:
    """Decide who is traced, for as long as this process lives, and make no spans: nothing of OpenTelemetry is imported.

    Without an endpoint nobody is.
    """
    if not endpoint:
        return
    from sdt.observing.deciding import Deciding
    from sdt.observing.tracing import set_exporting

    set_exporting(Deciding(sample))
