"""Screening, called by the queue: `sdt.functions.entry.screening.handler`."""

from sdt.functions.opening import open_screening

__all__ = ["handler"]

handler = open_screening().handler
