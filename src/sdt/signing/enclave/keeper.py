"""`python -m sdt.signing.enclave.keeper FOLDER --listen vsock://any:9010`: an enclave's disk, on the machine around it.

An enclave has none. `FOLDER/given` holds what operators write for it (signer.toml, attestation.toml, kms.toml,
seal.kms, certificates, the region's files), none of it secret; `FOLDER/kept.sealed` is what the enclave asked to be
kept, sealed under a key that this machine cannot get; `FOLDER/shown` is what it shows its operators. Whoever owns this
machine can withhold all of it, or hand over an older one; no presignature is ever in it.

A connection is one request: `G` is answered by two strings, given and kept; `K` and a string keep it; `S` and a string
show it. A string is its length in eight bytes and itself.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import struct
from pathlib import Path
from typing import Final

from sdt.domain.errors import Invalid, Unavailable
from sdt.signing.enclave.folder import FOLDER_BYTES_MAX, pack, read_files, unpack, write_files
from sdt.signing.sockets import Endpoint

TIMEOUT_S: Final = 30.0
DIAL_S: Final = 5.0
KEPT_FILE: Final = "kept.sealed"
GIVEN, SHOWN = "given", "shown"
PORT: Final = 9010
"""Not 9000: there `nitro-cli run-enclave` itself listens for the word that the enclave has booted."""
_GET, _KEEP, _SHOW, _DONE = b"G", b"K", b"S", b"D"

_log = logging.getLogger("sdt.signing.keeper")


class KeeperFailed(Unavailable):
    """The machine around does not give or keep the enclave's folder."""

    code = "keeper_failed"


class Keeper:
    """Serves one enclave's folder."""

    def __init__(self, folder: Path, listen: Endpoint, cid: int | None = None) -> None:
        self._folder = folder
        self._listen = listen
        self._cid = cid
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Errors: OSError."""
        self._server = await asyncio.start_server(self._answer, sock=self._listen.listen())

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._cid is not None and writer.get_extra_info("peername")[0] != self._cid:
                return
            async with asyncio.timeout(TIMEOUT_S):
                await self._one(reader, writer)
                await writer.drain()
        except (OSError, Invalid, asyncio.IncompleteReadError) as error:
            _log.warning("A request of the enclave failed: %s", error)
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = await reader.readexactly(1)
        if kind == _GET:
            kept = self._folder / KEPT_FILE
            for each in (pack(read_files(self._folder / GIVEN)), kept.read_bytes() if kept.exists() else b""):
                writer.write(_string(each))
            return
        content = await _read_string(reader)
        if kind == _KEEP:
            self._keep(content)
        elif kind == _SHOW:
            write_files(self._folder / SHOWN, unpack(content))
        else:
            raise Invalid("That is no request.", code="enclave_folder")
        writer.write(_DONE)

    def _keep(self, content: bytes) -> None:
        """Keep it durably before saying so."""
        beside = self._folder / f"{KEPT_FILE}.new"
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / KEPT_FILE)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Disk:
    """The enclave's side: get what is given and kept, keep, show."""

    def __init__(self, keeper: Endpoint) -> None:
        self._keeper = keeper

    async def get(self) -> tuple[dict[str, bytes], bytes]:
        """Return the files that were given, and what was kept, empty at first. Errors: KeeperFailed, Invalid."""
        given, kept = await self._ask(_GET, b"", 2)
        return unpack(given), kept

    async def keep(self, sealed: bytes) -> None:
        """Have sealed bytes kept in the place of those before. Errors: KeeperFailed."""
        await self._ask(_KEEP, _string(sealed), 0)

    async def show(self, files: dict[str, bytes]) -> None:
        """Show files to the operators. Errors: KeeperFailed."""
        await self._ask(_SHOW, _string(pack(files)), 0)

    async def _ask(self, kind: bytes, content: bytes, strings: int) -> list[bytes]:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                raw = await asyncio.to_thread(self._keeper.dial, DIAL_S)
                reader, writer = await asyncio.open_connection(sock=raw)
                writer.write(kind + content)
                await writer.drain()
                if not strings and await reader.readexactly(1) != _DONE:
                    raise KeeperFailed("The machine around did not keep what it was given.")
                return [await _read_string(reader) for _ in range(strings)]
        except (OSError, asyncio.IncompleteReadError) as error:
            raise KeeperFailed(f"{self._keeper} does not answer: {type(error).__name__}.") from None
        finally:
            if writer is not None:
                writer.close()


def _string(content: bytes) -> bytes:
    return struct.pack(">Q", len(content)) + content


async def _read_string(reader: asyncio.StreamReader) -> bytes:
    [size] = struct.unpack(">Q", await reader.readexactly(8))
    if size > FOLDER_BYTES_MAX:
        raise Invalid("A string is longer than any folder.", code="enclave_folder")
    return await reader.readexactly(size)


async def serve(keeper: Keeper) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await keeper.start()
    print("ready", flush=True)
    await stop.wait()
    await keeper.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m sdt.signing.enclave.keeper", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the enclave's folder, with given/ in it")
    parser.add_argument("--listen", default=f"vsock://any:{PORT}", help="where the enclave calls")
    parser.add_argument("--cid", type=int, help="the one enclave that may")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(Keeper(arguments.folder, Endpoint.parse(arguments.listen), arguments.cid)))


if __name__ == "__main__":
    main()
