"""Where a process listens and whom it calls: TCP between machines, vsock between an enclave and the machine around it.

`vsock://CID:PORT`; CID is `any` to listen, 3 for the machine around an enclave. `unix://FOLDER:PORT`, a socket named
PORT in FOLDER, stands in for vsock on a machine without: the folder for the CID, as virtual machines offer it too.
Source: Linux, vsock(7); AWS Nitro Enclaves, "Concepts", CID 3 for the parent.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from sdt.domain.errors import Invalid

PARENT_CID: Final = 3
CONNECT_TIMEOUT_S: Final = 2.0
BACKLOG: Final = 100
_ANY: Final = "any"
_TEXT: Final = re.compile(r"(tcp|vsock|unix)://([^\s]+):([0-9]{1,10})")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_PORT_MAX: Final = {"tcp": 2**16 - 1, "vsock": 2**32 - 2, "unix": 2**32 - 2}

Kind = Literal["tcp", "vsock", "unix"]
P = TypeVar("P", bound=asyncio.BaseProtocol)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place to listen at or to call. Shape: host is a name or address, a CID, or a folder."""

    kind: Kind
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read `tcp://host:port`, `vsock://cid:port` or `unix://folder:port`.

        Errors: Invalid.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            raise Invalid(f"{text!r} is no address like tcp://host:port or vsock://cid:port.", code="bad_endpoint")
        kind, host, port = found[1], found[2], int(found[3])
        endpoint = cls(kind, host.removeprefix("[").removesuffix("]"), port)  # type: ignore[arg-type]
        endpoint._check()
        return endpoint

    @classmethod
    def of(cls, host: str, port: int) -> Endpoint:
        """Return the place that signer.toml names: host is plain for TCP, else `vsock://CID` or `unix://FOLDER`.

        Errors: Invalid.
        """
        return cls.parse(f"{host}:{port}") if "://" in host else cls("tcp", host, port)

    def _check(self) -> None:
        if not 0 < self.port <= _PORT_MAX[self.kind]:
            raise Invalid(f"{self}: there is no such port.", code="bad_endpoint")
        if self.kind == "tcp" and not _HOST.fullmatch(self.host):
            raise Invalid(f"{self}: that is neither a name nor an address.", code="bad_endpoint")
        if self.kind == "vsock" and self.host != _ANY and not self.host.isdecimal():
            raise Invalid(f"{self}: a CID is a number, or any.", code="bad_endpoint")
        if self.kind == "unix" and not self.host.startswith("/"):
            raise Invalid(f"{self}: a folder is named from the root.", code="bad_endpoint")

    def __str__(self) -> str:
        host = f"[{self.host}]" if self.kind == "tcp" and ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"

    def listen(self) -> socket.socket:
        """Return a listening socket. Errors: OSError."""
        if self.kind == "tcp":
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            return socket.create_server((self.host, self.port), family=family, backlog=BACKLOG)
        if self.kind == "unix":
            self._path.unlink(missing_ok=True)  # left by a process that was killed
        listening = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            listening.bind(self._address)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
        return listening

    async def connect(
        self, make: Callable[[], P], context: ssl.SSLContext | None = None, server_name: str | None = None
    ) -> P:
        """Open a connection, over TLS if there is a context, and return its protocol.

        Errors: OSError, TimeoutError.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if self.kind == "tcp":
                _, protocol = await loop.create_connection(
                    make, self.host, self.port, ssl=context, server_hostname=server_name
                )
                return protocol
            raw = await asyncio.to_thread(self.dial, CONNECT_TIMEOUT_S)
            _, protocol = await loop.create_connection(make, sock=raw, ssl=context, server_hostname=server_name)
            return protocol

    def dial(self, timeout_s: float) -> socket.socket:
        """Return a connected socket that does not block. Errors: OSError."""
        if self.kind == "tcp":
            raw = socket.create_connection((self.host, self.port), timeout_s)
        else:
            raw = socket.socket(self._family, socket.SOCK_STREAM)
            raw.settimeout(timeout_s)
            try:
                raw.connect(self._address)
            except OSError:
                raw.close()
                raise
        raw.setblocking(False)
        return raw

    @property
    def _path(self) -> Path:
        return Path(self.host, str(self.port))

    @property
    def _family(self) -> int:
        return socket.AF_VSOCK if self.kind == "vsock" else socket.AF_UNIX

    @property
    def _address(self) -> tuple[int, int] | str:
        if self.kind == "unix":
            return str(self._path)
        return (socket.VMADDR_CID_ANY if self.host == _ANY else int(self.host), self.port)
