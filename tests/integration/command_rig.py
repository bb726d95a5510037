"""`sdt` as officers type it, against an API that runs in the test's loop: keys by name, no home of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from api_platform import NETWORK, Holder, Platform
from typer.testing import CliRunner, Result

from sdt.cli import cases, office, office_messages
from sdt.cli.app import app
from sdt.client import Client, Network
from sdt.local import platform as local


class Commands:
    """Types commands; `--as` names one of `officers`."""

    def __init__(self, api: Platform, officers: Mapping[str, Holder], patch: pytest.MonkeyPatch) -> None:
        @asynccontextmanager
        async def officer_client(home: Path, name: str) -> AsyncIterator[Client]:
            async with Client(Network(api.url, NETWORK, "US-TX"), officers[name].key) as client:
                yield client

        for module in (cases, office, office_messages):
            patch.setattr(module, "officer_client", officer_client)
        patch.setattr(local, "region_of", lambda home: api.services.region)

    async def __call__(self, *words: str, typed: str = "") -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, words, input=typed)

    async def json(self, *words: str) -> Any:
        result = await self(*words, "--json")
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads(result.stdout)
