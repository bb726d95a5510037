"""Wraps everything anew like `sdt secrets rewrap`, a few at a time, and says so: a test can kill it midway."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sdt.backends import open_database, open_wrapping
from sdt.config import load_settings
from sdt.workflows.rewrapping import Rewrapping


async def main(home: Path) -> None:
    settings = load_settings(home=home)
    async for count in Rewrapping(open_database(settings), open_wrapping(settings), at_once=20).run(1):
        print(count, flush=True)
        await asyncio.sleep(0.02)


asyncio.run(main(Path(sys.argv[1])))
