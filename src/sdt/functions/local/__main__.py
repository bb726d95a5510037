"""`python -m sdt.functions.local --home DIR`: the functions of a platform, with API Gateway and queue in front of them.

Takes the place of the API's process and of screening where settings say so. Prints `ready PORT` when it takes requests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import signal
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from sdt.backends import open_queue
from sdt.config import Settings, load_settings
from sdt.config.logs import set_up_logging
from sdt.domain.errors import SdtError
from sdt.functions.local.gateway import gateway
from sdt.functions.local.mapping import EventSource
from sdt.functions.local.sandbox import FunctionSpec
from sdt.functions.local.service import Function

__all__ = ["main"]

ENTRY: Final = "sdt.functions.entry"

log = logging.getLogger("sdt.functions")


async def serve(settings: Settings) -> None:
    """Serve until a signal."""
    functions = settings.functions
    env = {"SDT_HOME": str(settings.home)}

    def function(name: str, processes_max: int) -> Function:
        spec = FunctionSpec(f"sdt-{name}", f"{ENTRY}.{name}.handler", functions.timeout_s, functions.memory_mb, env)
        return Function(spec, processes_max)

    api = function("api", functions.api_processes_max)
    screening = function("screening", functions.screening_processes_max)
    sweep = function("sweep", 1)
    queue = open_queue(settings)
    runner = web.AppRunner(gateway(api, functions.payload_format), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, settings.api.host, settings.api.port).start()
    tasks = [asyncio.create_task(_sweeping(sweep, functions.sweep_every_s))]
    if settings.worker.screening == "functions":
        visibility_s = settings.queue.visibility_timeout_s
        source = EventSource(queue, screening, visibility_s, functions.screening_processes_max)
        tasks.append(asyncio.create_task(source.run()))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(f"ready {runner.addresses[0][1]}", flush=True)
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    waited: list[asyncio.Task[Any]] = [stopping, *tasks]
    done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await runner.cleanup()
    for each in (api, screening, sweep):
        await each.close()
    await queue.close()
    for task in done - {stopping}:
        task.result()


async def _sweeping(sweep: Function, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        with contextlib.suppress(SdtError):
            answer = json.loads(await sweep.invoke(b"{}"))
            log.debug("swept: %s", answer)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m sdt.functions.local", description="A platform's functions.")
    parser.add_argument("--home", type=Path, required=True, help="the platform's folder")
    arguments = parser.parse_args()
    settings = load_settings(home=arguments.home)
    set_up_logging(settings, "functions")
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
