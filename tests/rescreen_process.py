"""A worker that does nothing but rescreen, as a process that a test can kill: `rescreen_process.py HOME PER_S`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from sanctions_rig import sanctions_rig
from sdt.worker.rescreening import Rescreening


class NoVendor:
    """Rescreening asks the platform's own list alone."""

    async def screen(self, request: Any, key: str) -> Any:
        raise AssertionError("the vendor was asked")


async def main() -> None:
    home, per_s = Path(sys.argv[1]), float(sys.argv[2])
    async with sanctions_rig(home, NoVendor(), lists=None) as rig:  # type: ignore[arg-type]
        print("ready", flush=True)
        await Rescreening(rig.store, rig.sanctions, rig.searcher, rig.clock, per_s).round()
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
