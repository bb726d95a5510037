"""Putting a fresh location in a lost one's place.

On the machine that has its folder: a new folder, and everybody started anew. Where it runs elsewhere, as in an enclave,
its operators have made it anew, and here it is looked at.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sdt.config import Settings
from sdt.domain.errors import Conflict, Unavailable
from sdt.signing.config import load_signer_config
from sdt.signing.coordinator import Coordinator
from sdt.signing.provision import PARTIES
from sdt.signing.relocate import relocate, relocation_pending
from sdt.signing.wire import StatusAnswer
from sdt.supervise import is_locked, read_state

__all__ = ["attend", "move", "runs_here"]

RESTART_S: Final = 60.0
_RESTARTED: Final = ("signer-1", "signer-2", "signer-3", "worker")


def runs_here(home: Path, party: int) -> bool:
    """Tell whether a location's folder is on this machine, or is being made."""
    return (home / f"signer-{party}").exists() or relocation_pending(home)


async def attend(settings: Settings, party: int, step: Callable[[str], Awaitable[None]]) -> None:
    """Wait until all three answer, and see that the location which runs elsewhere is a fresh one.

    Errors: Unavailable, also before key generation; Conflict when it holds a share.
    """
    epochs = {each: status.epoch for each, status in (await _all_answering(settings)).items()}
    if not any(epochs.values()):
        raise Unavailable("The locations hold no key yet.", code="no_key")
    if epochs[party]:
        raise Conflict(
            f"Location {party} holds a share of epoch {epochs[party]}, so it is not fresh: its operators empty it "
            "first. If its replacement was begun before, it is done: make stock with sdt keys presign.",
            code="location_in_use",
        )
    await step("all three signers answer; the fresh one holds no share")


async def move(settings: Settings, party: int, step: Callable[[str], Awaitable[None]]) -> None:
    """Make the fresh folder, unless an interrupted replacement did, and wait until all three signers answer again.

    The supervisor starts again whatever ends; without one, the operators start the signers within the time.
    Errors: Unavailable.
    """
    fresh = (settings.home / f"signer-{party}" / "intent.former.pub").exists() and not _certified(settings, party)
    if fresh and not relocation_pending(settings.home):
        await step("the fresh folder of an interrupted replacement is taken up again")
    else:
        old = relocate(settings.home, party)
        await step(f"fresh folder and new certificates; the old folder is {old.name}: destroy it")
        if (seal := load_signer_config(old).seal) != "file":
            await step(f"sealed under a key file, not under {seal} as before: run sdt keys reseal {party} afterwards")
    _restart(settings)
    await _all_answering(settings)
    await step("all three signers answer under the new certificates")


async def _all_answering(settings: Settings) -> dict[int, StatusAnswer]:
    """Wait until all three answer and return what they say. Errors: Unavailable."""
    deadline = time.monotonic() + RESTART_S
    while time.monotonic() < deadline:
        await asyncio.sleep(1)
        with suppress(OSError):
            async with Coordinator(settings.home / "coordinator", settings.network) as to:
                answers = {party: status for party, status in to.status().items() if status}
                if len(answers) == len(PARTIES):
                    return answers
    raise Unavailable("Not all signers came back; start them and run this again.", code="location_unreachable")


def _certified(settings: Settings, party: int) -> bool:
    """Tell whether the location at that place holds a share in force already: then it is one to be replaced in turn."""
    import sqlite3

    from sdt.signing.keyring import active_key

    file = settings.home / f"signer-{party}" / "signer.db"
    if not file.exists():
        return False
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return active_key(db) is not None
    except sqlite3.OperationalError:
        return False
    finally:
        db.close()


def _restart(settings: Settings) -> None:
    state = read_state(settings.home)
    if state is None or not is_locked(settings.home):
        return
    for name in _RESTARTED:
        process = state.processes.get(name)
        if process is not None and process.pid:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
