"""What every vendor's answer has in common: the exact bytes, kept as evidence, and how it can fail."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from sdt.domain.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Evidence:
    """The exact bytes a vendor answered; what a desk signs is their digest, so whoever signs keeps the bytes.

    The bytes may hold personal data: they are never printed.
    """

    document: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the document, 32 bytes."""
        return hashlib.sha256(self.document).digest()


class StateUnknown(Unavailable):
    """An order was sent, no answer came, and asking did not tell: it may have been done.

    Repeat the same call with the same key; with a new key it could be done twice.
    """

    code = "state_unknown"


class VendorFault(Unavailable):
    """A vendor broke the agreed format or refused our credentials: a person must look."""

    code = "vendor_fault"
