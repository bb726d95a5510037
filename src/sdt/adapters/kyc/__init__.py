"""Identity vendors."""

from sdt.adapters.kyc.http import HttpKyc

__all__ = ["HttpKyc"]
