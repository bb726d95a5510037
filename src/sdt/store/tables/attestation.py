"""The table by which the API asks the locations for their attestation: it has no connection to them, the worker has."""

from __future__ import annotations

from typing import Final

from peewee import BigIntegerField

from sdt.store.tables.columns import Table, index, text

__all__ = ["TABLES"]


class AttestationRequest(Table):
    """A caller's nonce, and what the locations answered to it. Kept for a minute."""

    nonce = text(128, primary_key=True)
    asked_at_ms = BigIntegerField()
    answered_at_ms = BigIntegerField(null=True)
    answer = text(65_536, null=True)

    class Meta:
        table_name = "attestation_requests"


index(AttestationRequest, "attestation_requests_asked", "asked_at_ms")


TABLES: Final[tuple[type[Table], ...]] = (AttestationRequest,)
