"""A desk as a process: `python -m sdt.desk kyc|custodian|issuer|approver --home DIR`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path

from sdt.config import load_settings
from sdt.config.logs import set_up_logging
from sdt.desk.approver import Approver
from sdt.desk.custodian import Custodian
from sdt.desk.desk import Desk, Evidence
from sdt.desk.issuer import Issuer
from sdt.desk.kyc import KycDesk
from sdt.domain.errors import SdtError

log = logging.getLogger("sdt.desk")

DESKS: dict[str, Callable[[Evidence], Desk]] = {
    "kyc": KycDesk,
    "custodian": Custodian,
    "issuer": Issuer,
    "approver": Approver,
}


IDLE_ROUNDS = 25
"""After so many rounds in which there was nothing to sign a desk looks less often."""
IDLE_POLL_S = 0.6
"""It then looks so often, unless it is told to look less often still: a look costs the API as much as some payments."""
QUIET_POLL_S = 2.0
"""And so often at last, when nothing came for a minute or so."""
SLOWER = 1.03
SIGNING_S = 0.5
"""Whoever signs waits until that is final, so a round shorter than this was an idle one."""


def pause_s(poll_s: float, idle_rounds: int) -> float:
    """Return how long a desk waits before it looks again."""
    if idle_rounds <= IDLE_ROUNDS:
        return poll_s
    slowed_s = IDLE_POLL_S * SLOWER ** min(idle_rounds - IDLE_ROUNDS - 1, 100)
    return max(poll_s, min(slowed_s, QUIET_POLL_S))


async def attend(desk: Desk, poll_s: float) -> None:
    """Work through what there is, again and again, until a signal."""
    idle = 0
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print("ready", flush=True)
    while not stop.is_set():
        began_s = time.monotonic()
        try:
            await desk.work()
        except SdtError as error:
            log.warning("the desk waits: %s (%s)", error.detail, error.code)
        idle = idle + 1 if time.monotonic() - began_s < SIGNING_S else 0
        try:
            await asyncio.wait_for(stop.wait(), pause_s(poll_s, idle))
        except TimeoutError:
            continue
    await desk.close()


def main() -> None:
    """Read the command line and attend to one desk."""
    parser = argparse.ArgumentParser(prog="python -m sdt.desk", description=__doc__)
    parser.add_argument("desk", choices=sorted(DESKS))
    parser.add_argument("--home", type=Path, required=True, help="the platform's folder")
    arguments = parser.parse_args()
    settings = load_settings(home=arguments.home)
    set_up_logging(settings, f"desk-{arguments.desk}")
    desk = DESKS[arguments.desk](Evidence.open(settings, read_only=arguments.desk != "custodian"))
    asyncio.run(attend(desk, settings.desks.poll_ms / 1000))


if __name__ == "__main__":
    main()
