"""Orders to the sandbox itself that no real vendor takes: what happens to bars, to the bank's clock, to a list."""

from __future__ import annotations

import secrets
from typing import Any, Literal

import aiohttp

from sdt.config import Settings
from sdt.domain.errors import Unavailable, Unprocessable

__all__ = ["ask_sandbox", "order_sandbox"]

Service = Literal["bank", "depository", "kyc", "aml"]

TIMEOUT_S = 20.0


async def order_sandbox(settings: Settings, service: Service, path: str, body: object) -> Any:
    """Have the sandbox do something once, and return its answer. Errors: Unavailable, Unprocessable."""
    return await _send(settings, service, "POST", path, body)


async def ask_sandbox(settings: Settings, service: Service, path: str) -> Any:
    """Read something of the sandbox's own. Errors: Unavailable, Unprocessable."""
    return await _send(settings, service, "GET", path, None)


async def _send(settings: Settings, service: Service, method: str, path: str, body: object) -> Any:
    """Send one request with the key that the sandbox wrote into the home when it started."""
    folder = settings.home / "sandbox"
    url, key = ((folder / f"{service}.{what}").read_text().strip() for what in ("url", "key"))
    headers = {"authorization": f"Bearer {key}", "idempotency-key": f"scene-{secrets.token_hex(12)}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
            session.request(method, url + path, json=body, headers=headers) as answer,
        ):
            found = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        raise Unavailable(f"The sandbox's {service} does not answer.", code="sandbox_unavailable") from None
    if answer.status >= 400:
        raise Unprocessable(f"The sandbox's {service} refused: {found.get('detail')}", code=str(found.get("code")))
    return found
