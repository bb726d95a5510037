"""The sweeper, called by a schedule: `sdt.functions.entry.sweep.handler`."""

from sdt.functions.opening import open_sweep

__all__ = ["handler"]

handler = open_sweep().handler
