"""Turning traces on where settings name a collector, and off again at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sdt.domain.errors import Unavailable

__all__ = ["traced"]


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
