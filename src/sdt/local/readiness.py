"""What the processes of a platform on this machine say of themselves at `/readyz`."""

from __future__ import annotations

from typing import Any

import aiohttp

from sdt.config import Settings

__all__ = ["pages", "readiness"]

TIMEOUT_S = 5.0


def pages(settings: Settings) -> dict[str, str]:
    """Return where each process tells its readiness. A location in another organisation tells its own operator."""
    signers = {
        f"signer-{party}": f"http://127.0.0.1:{signer.health_port}/readyz"
        for party, signer in sorted(settings.signers.items())
        if signer.health_port
    }
    return {
        "worker": f"http://{settings.worker.host}:{settings.worker.port}/readyz",
        "api": f"{settings.api.url}/readyz",
        **signers,
    }


async def readiness(url: str) -> dict[str, Any] | None:
    """Return what the page says, or nothing where nobody answers with such a page."""
    wait = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=wait) as session, session.get(url) as answer:
            body: dict[str, Any] = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
    return body if "checks" in body else None
