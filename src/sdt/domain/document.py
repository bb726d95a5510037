"""Documents that people hand in: what they may be, told by their first bytes and not by what the sender calls them."""

from __future__ import annotations

from typing import Final

from sdt.domain.errors import Invalid

__all__ = ["DOCUMENT_BYTES_MAX", "check_document"]

DOCUMENT_BYTES_MAX: Final = 5 * 1024 * 1024
_BEGINNINGS: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)
"""Source: ISO 32000-2 section 7.5.2; ITU-T T.81 annex B (JPEG); W3C PNG, "PNG datastream"."""


def check_document(content: bytes, declared: str) -> str:
    """Return the media type of a document. Errors: Invalid (document_size, document_type)."""
    if len(content) > DOCUMENT_BYTES_MAX:
        raise Invalid("A document has at most 5 MiB.", code="document_size")
    found = next((kind for beginning, kind in _BEGINNINGS if content.startswith(beginning)), None)
    if found is None or found != declared:
        raise Invalid("A document is a PDF, a JPEG or a PNG, and is sent as what it is.", code="document_type")
    return found
