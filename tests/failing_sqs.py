"""A door before an emulator of SQS that throttles, fails at a part, or loses an answer, as Amazon's may.

What it lets through is answered by the emulator, so that only the failure is made up.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class FailingSqs:
    """Each attribute makes one thing fail, as long as it is set; `url` is where clients go."""

    def __init__(self, emulator_url: str) -> None:
        self.emulator = urlsplit(emulator_url).netloc
        self.throttled = False
        self.fails: Callable[[str, dict[str, Any]], bool] = lambda operation, entry: False
        """Tells whether SQS itself fails at one entry of a batch."""
        self.lost_answers: Counter[str] = Counter()
        """How many answers of an operation are still to be lost."""
        self.calls: Counter[str] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (_Door,), {"front": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FailingSqs:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, operation: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes] | None:
        """Return status and body, or None for an answer that is lost."""
        self.calls[operation] += 1
        if self.throttled:
            return 400, json.dumps({"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow down"}).encode()
        document = json.loads(body)
        failed = [entry for entry in document.get("Entries", ()) if self.fails(operation, entry)]
        if failed:
            document["Entries"] = [entry for entry in document["Entries"] if entry not in failed]
        status, text = 200, b'{"Successful": []}'
        if not failed or document["Entries"]:
            status, text = self._pass_on(json.dumps(document).encode(), headers)
        if failed:
            told = [{"Id": one["Id"], "Code": "InternalError", "SenderFault": False} for one in failed]
            text = json.dumps(json.loads(text) | {"Failed": told}).encode()
        if self.lost_answers[operation]:
            self.lost_answers[operation] -= 1
            return None
        return status, text

    def _pass_on(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.emulator, timeout=30)
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class _Door(BaseHTTPRequestHandler):
    front: FailingSqs
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = {"X-Amz-Target", "Content-Type", "Authorization", "X-Amz-Date"}
        headers = {name: value for name, value in self.headers.items() if name.title() in wanted}
        answered = self.front.answer(self.headers["X-Amz-Target"].rpartition(".")[2], body, headers)
        if answered is None:
            self.close_connection = True
            return
        status, text = answered
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing on the tests' output."""
