"""Depositories of metal."""

from sdt.adapters.depository.http import HttpDepository

__all__ = ["HttpDepository"]
