"""A settlement process that settles nothing: `settler.py URL LEASE_S`. It says what a test waits for, and writes a row
of the event log every few milliseconds in fenced database transactions, as its epoch."""

from __future__ import annotations

import asyncio
import signal
import sys

from sdt.store import Store, open_store
from sdt.worker.tenancy import Tenancy

NAME = "7919/0x" + "5e" * 20


def write(store: Store, epoch: int) -> None:
    store.execute(
        "INSERT INTO events (transaction_id, event, status, at_ms, actor) VALUES (?, 'screen', 'screened', ?, 'lane')",
        (f"epoch {epoch}", epoch),
    )


async def settle(tenancy: Tenancy, store: Store) -> None:
    store.fence = tenancy.fence
    epoch = (await tenancy.status())["epoch"]
    assert isinstance(epoch, int)
    print(f"settling {epoch}", flush=True)
    while True:
        tenancy.demand()
        await store.run(write, epoch)
        await asyncio.sleep(0.005)


async def main() -> None:
    tenancy = Tenancy(open_store(sys.argv[1]), NAME, float(sys.argv[2]))
    store, stop = open_store(sys.argv[1]), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("waiting", flush=True)
    await tenancy.wait()
    tasks = [asyncio.create_task(one) for one in (tenancy.keep(), settle(tenancy, store), stop.wait())]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    store.close()
    await tenancy.hand_over()
    for task in done:
        print("ended", getattr(task.exception(), "code", "in order"), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
