"""Screening vendors."""

from sdt.adapters.aml.http import HttpAml

__all__ = ["HttpAml"]
