"""Banks."""

from sdt.adapters.bank.http import HttpBank

__all__ = ["HttpBank"]
