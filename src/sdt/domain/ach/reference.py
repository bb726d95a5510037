"""The fifteen characters of an entry in which the other side of the books finds the transaction it was made for."""

from __future__ import annotations

import base64
import hashlib

__all__ = ["reference_of"]


def reference_of(transaction_id: str) -> str:
    """Return the individual id of a transaction's entry: a UUID is longer than the field, so its digest's beginning.

    Shape: 15 of A-Z, 2-7: 75 bits, so nobody meets another transaction's by chance.
    Source: Nacha Operating Rules, Appendix Three (individual identification number, 15 characters).
    """
    return base64.b32encode(hashlib.sha256(transaction_id.encode()).digest())[:15].decode()
