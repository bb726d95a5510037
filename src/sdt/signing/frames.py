"""Frames over one TLS connection: four bytes of length, then that many bytes; whoever breaks this is cut off."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from sdt.signing.tls import party_of, public_key_of
from sdt.signing.wire import FRAME_BYTES_MAX

FRAME_TIMEOUT_S: Final = 20.0
"""How long a frame may take from its first byte to its last."""
_LENGTH_BYTES: Final = 4

_log = logging.getLogger("sdt.signing.link")


class FrameProtocol(asyncio.Protocol):
    """One connection; `party` is whose certificate the other side showed, None for a stranger.

    Callbacks and no streams: a signature is four frames there and back, and a stream costs a task switch for each.
    """

    party: int | None = None
    peer_key: bytes = b""
    """The public key of the other side's certificate, as SubjectPublicKeyInfo in DER."""
    _transport: asyncio.Transport | None = None

    def __init__(self) -> None:
        self._held = bytearray()
        self._reading = True
        self._overdue: asyncio.TimerHandle | None = None

    # What the two ends do with a connection

    def opened(self) -> None:
        """The handshake is done and `party` is known."""

    def frame(self, content: bytes) -> None:
        """A whole frame came."""
        raise NotImplementedError

    def lost(self) -> None:
        """The connection is gone."""

    # What they may call

    @property
    def open(self) -> bool:
        """Whether frames can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, content: bytes) -> None:
        """Send one frame; without effect once the connection is closing."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(len(content).to_bytes(_LENGTH_BYTES, "big") + content)  # one record, one packet

    def hold(self, *, reading: bool) -> None:
        """Stop or go on taking frames, so that a caller cannot pile up work here."""
        if reading is self._reading or self._transport is None:
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
            self._take()
        else:
            self._transport.pause_reading()

    def close(self) -> None:
        """End the connection once what was sent is out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls

    def connection_made(self, transport: Any) -> None:
        """Learn who is on the other side."""
        self._transport = transport
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.party = party_of(tls.getpeercert())
            self.peer_key = public_key_of(tls.getpeercert(binary_form=True))
        self.opened()

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come."""
        if not self._held and self._reading and int.from_bytes(data[:_LENGTH_BYTES], "big") == len(data) - 4 > 0:
            self.frame(bytes(data[_LENGTH_BYTES:]))  # the usual case: one frame, whole
            return
        self._held += data
        self._take()

    def _take(self) -> None:
        held = self._held
        while self._reading and self.open and len(held) >= _LENGTH_BYTES:
            size = int.from_bytes(held[:_LENGTH_BYTES], "big")
            if size > FRAME_BYTES_MAX:
                _log.warning("Location %s broke the framing: a frame of %d bytes.", self.party, size)
                self.abort()
                return
            if len(held) < _LENGTH_BYTES + size:
                break
            content = bytes(held[_LENGTH_BYTES : _LENGTH_BYTES + size])
            del held[: _LENGTH_BYTES + size]
            self._stop_clock()
            self.frame(content)
        if held and self._reading and self._overdue is None:
            self._overdue = asyncio.get_running_loop().call_later(FRAME_TIMEOUT_S, self._cut_off)
        elif not held or not self._reading:
            self._stop_clock()

    def _stop_clock(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _cut_off(self) -> None:
        _log.warning("Location %s did not finish a frame within %g s.", self.party, FRAME_TIMEOUT_S)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever uses the connection."""
        self._stop_clock()
        self._held.clear()
        self.lost()
