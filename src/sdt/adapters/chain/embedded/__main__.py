"""Run the embedded chain: `python -m sdt.adapters.chain.embedded --db chain.sqlite --port 8545`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
import uvloop

from sdt.adapters.chain.embedded.chain import Chain
from sdt.adapters.chain.embedded.methods import Methods
from sdt.adapters.chain.embedded.miner import Miner
from sdt.adapters.chain.embedded.pool import Pool
from sdt.adapters.chain.embedded.server import RpcApp
from sdt.adapters.chain.embedded.view import Account
from sdt.observing.logs import start_logging
from sdt.observing.memory import settle_memory

_STACK_BYTES = 64 * 1024 * 1024  # 1,024 nested contract calls are some six Python frames each
_SWITCH_S = 0.001  # how long a running block may keep a reader from the interpreter


def main() -> None:
    """Serve until SIGTERM or SIGINT, then finish the block in hand and close the file."""
    options = _options()
    start_logging("chain", level="warning")
    threading.stack_size(_STACK_BYTES)
    sys.setswitchinterval(_SWITCH_S)
    options.db.parent.mkdir(parents=True, exist_ok=True)
    chain = Chain(options.db, chain_id=options.chain_id, gas_limit=options.block_gas_limit)
    pool = Pool(
        nonce_of=lambda address: (chain.head.view.account(address) or Account()).nonce,
        balance_of=lambda address: (chain.head.view.account(address) or Account()).balance,
        gas_limit=options.block_gas_limit,
    )
    miner = Miner(chain, pool, gather_s=options.gather_ms / 1000, idle_s=options.idle_s)
    # What is loaded by now stays; without this the collector walks it, and the caches, a fifth of the time.
    settle_memory(50_000, 20, 50)
    miner.start()
    try:
        uvloop.run(_serve(RpcApp(Methods(chain, pool, miner)), options.port))
    finally:
        miner.stop()
        chain.close()


async def _serve(app: RpcApp, port: int) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every answer waits 40 ms for an ack
    listener.bind(("127.0.0.1", port))
    config = uvicorn.Config(
        app, lifespan="off", log_level="warning", access_log=False, timeout_keep_alive=75, timeout_graceful_shutdown=2
    )
    await _Server(config).serve(sockets=[listener])


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ask for a shutdown; uvicorn's own would raise the signal again and skip closing the chain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, setattr, self, "should_exit", True)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            print(f"ready {sockets[0].getsockname()[1]}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sdt.adapters.chain.embedded", description=__doc__)
    parser.add_argument("--db", type=Path, required=True, help="the SQLite file; made when missing")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one and prints it")
    parser.add_argument("--chain-id", type=int, default=1337)
    parser.add_argument("--block-gas-limit", type=int, default=120_000_000)
    parser.add_argument("--gather-ms", type=float, default=25.0, help="wait for company before closing a block")
    parser.add_argument("--idle-s", type=float, default=5.0, help="an empty block after so long; 0 makes none")
    return parser.parse_args()


if __name__ == "__main__":
    main()
