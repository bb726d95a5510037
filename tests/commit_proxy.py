"""A relay before PostgreSQL that loses a COMMIT or the answer to it, once, and then relays faithfully."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal

import ports

What = Literal["nothing", "commit", "answer"]


class CommitProxy:
    """`lose` says what is lost next: the COMMIT itself, or the server's answer. Both sides then lose the connection."""

    def __init__(self, target_port: int) -> None:
        self.port = ports.free_port()
        self.lose: What = "nothing"
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target_port))
            dropping = threading.Event()
            threading.Thread(target=self._up, args=(client, server, dropping), daemon=True).start()
            threading.Thread(target=self._down, args=(client, server, dropping), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, dropping: threading.Event) -> None:
        while data := _read(client):
            losing, self.lose = (self.lose, "nothing") if b"COMMIT" in data else ("nothing", self.lose)
            if losing == "commit":
                break
            if losing == "answer":
                dropping.set()
            server.sendall(data)
        _end(client, server)

    def _down(self, client: socket.socket, server: socket.socket, dropping: threading.Event) -> None:
        while data := _read(server):
            if dropping.is_set():
                break
            client.sendall(data)
        _end(client, server)


def _read(end: socket.socket) -> bytes:
    try:
        return end.recv(65_536)
    except OSError:
        return b""


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
