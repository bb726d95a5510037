"""What stands between a client and an emulator and can misbehave: loses an answer, refuses, or is too busy."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Front:
    """Passes calls on to `target`.

    The answer of the next call named `lose` is thrown away; each of `refusals`, or always `refuse_all`, is answered
    in place of a call: HTTP status and error code. Every call takes `slow_s` longer.
    """

    target: str
    url: str = ""
    lose: str = ""
    refusals: list[tuple[int, str]] = field(default_factory=list)
    refuse_all: tuple[int, str] | None = None
    slow_s: float = 0
    calls: list[str] = field(default_factory=list)
    bodies: list[tuple[str, bytes]] = field(default_factory=list)


@contextmanager
def front(target: str = "") -> Iterator[Front]:
    """Run one for the length of a `with`."""
    state = Front(target)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            call = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            state.calls.append(call)
            state.bodies.append((call, body))
            time.sleep(state.slow_s)
            refusal = state.refuse_all or (state.refusals.pop(0) if state.refusals else None)
            if refusal:
                self.answer(refusal[0], json.dumps({"__type": refusal[1], "message": "no"}).encode())
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            request = urllib.request.Request(state.target, body, headers)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            try:
                with opener.open(request, timeout=60) as got:
                    status, answer = got.status, got.read()
            except urllib.error.HTTPError as error:
                status, answer = error.code, error.read()
            if call == state.lose:
                state.lose = ""
                self.close_connection = True
                return
            self.answer(status, answer)

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
