"""Orders to the sandbox itself that no real vendor takes: what happens to bars, to the bank's clock, to a list."""

from __future__ import annotations

import secrets
from typing import Any, Literal

import msgspec

from sdt.adapters.vendor.client import VendorClient
from sdt.config import Settings
from sdt.vendors import open_vault

__all__ = ["ask_sandbox", "order_sandbox"]

Service = Literal["bank", "depository", "kyc", "aml"]


async def order_sandbox(settings: Settings, service: Service, path: str, body: object) -> Any:
    """Have the sandbox do something once, and return its answer. Errors: as VendorClient.post."""
    client = _client(settings, service)
    try:
        return msgspec.json.decode(await client.post(path, body, f"scene-{secrets.token_hex(12)}"))
    finally:
        await client.close()


async def ask_sandbox(settings: Settings, service: Service, path: str) -> Any:
    """Read something of the sandbox's own. Errors: as VendorClient.get."""
    client = _client(settings, service)
    try:
        return msgspec.json.decode(await client.get(path))
    finally:
        await client.close()


def _client(settings: Settings, service: Service) -> VendorClient:
    vendor = getattr(settings.vendors, service)
    return VendorClient(service, vendor.url, open_vault(settings).get(vendor.key_secret).text())
