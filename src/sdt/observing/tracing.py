"""Traces in OpenTelemetry's form. Off until `start_tracing`: then nothing of it is imported, and a span costs a call.

A span names what is done and carries numbers, codes and ids of transactions: never a name, an account or a message.
What an exception says is not recorded either, only its type. Whose trace it is travels as W3C's traceparent.
Source: W3C Trace Context, section 3.2 (traceparent).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from sdt.observing.context import about

if TYPE_CHECKING:
    from sdt.observing.deciding import Deciding
    from sdt.observing.telemetry import Exporting

__all__ = ["LINKS_MAX", "current", "past", "set_exporting", "span", "started", "traceparent_of"]

LINKS_MAX: Final = 32
"""Other traces that a span names: a batch of 500 payments belongs to the first that is traced and links to some."""

ATTRIBUTES: Final = frozenset(
    {
        *("transaction_id", "batch", "transactions", "messages", "block"),
        *("route", "method", "status", "code", "type", "outcome", "operation", "vendor", "party"),
    }
)
"""What a span may carry. None of these can hold what identifies a person."""

_TRACEPARENT: Final = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]")
_OFF: Final[AbstractContextManager[None]] = nullcontext()
_exporting: Exporting | Deciding | None = None


def set_exporting(exporting: Exporting | Deciding | None) -> None:
    """Turn traces on or off. For `sdt.observing` alone."""
    global _exporting
    _exporting = exporting


def started() -> bool:
    """Return whether this process makes traces, or decides who is traced."""
    return _exporting is not None


def traceparent_of(text: str) -> str:
    """Return a traceparent of the one form that is understood, or nothing: whatever else somebody sent is no error."""
    return text if _TRACEPARENT.fullmatch(text) else ""


def current() -> str:
    """Return the traceparent of the span at hand; nothing when there is none, or when it is not sampled."""
    return "" if _exporting is None else _exporting.current()


def span(
    name: str, *, parent: str | None = None, links: Sequence[str] = (), root: bool = False, **attributes: str | int
) -> AbstractContextManager[Any]:
    """Trace the work inside.

    `parent` is a traceparent from elsewhere; None means the span at hand. Without either there is no span, unless it
    may begin a trace (`root`).
    """
    if _exporting is None:
        return _OFF
    return _spanned(_exporting, name, parent, links, root, attributes)


@contextmanager
def _spanned(
    exporting: Exporting | Deciding,
    name: str,
    parent: str | None,
    links: Sequence[str],
    root: bool,
    attributes: dict[str, str | int],
) -> Iterator[Any]:
    assert ATTRIBUTES.issuperset(attributes), "only attributes that can name nobody stand in a trace"
    if not root and not (exporting.current() if parent is None else parent):
        yield None
        return
    spanned = exporting.span(name, parent, links[:LINKS_MAX], attributes, root=root)
    with spanned as spanning, about(trace_id=exporting.trace_id()):
        yield spanning


def past(name: str, parent: str, begun_s: float, ended_s: float, **attributes: str | int) -> None:
    """Write down a span that is over, such as a wait. Units: unix seconds."""
    if _exporting is not None and parent:
        assert ATTRIBUTES.issuperset(attributes), "only attributes that can name nobody stand in a trace"
        _exporting.past(name, parent, begun_s, ended_s, attributes)
