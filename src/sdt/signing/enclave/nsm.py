"""The Nitro security module: requests and answers in CBOR, by ioctl on /dev/nsm.

One structure of two I/O vectors, the request and the room for the answer; the driver writes the answer's length back.
Source: aws-nitro-enclaves-nsm-api, `nsm-lib` and `docs`; Linux, drivers/misc/nsm.c.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sdt.domain.cbor import CborValue, read_cbor, write_cbor
from sdt.domain.errors import Invalid, Unavailable

DEVICE: Final = Path("/dev/nsm")
IOCTL: Final = 0xC0200A00
"""_IOWR(0x0A, 0, struct of two I/O vectors)."""
REQUEST_BYTES_MAX: Final = 0x1000
RESPONSE_BYTES_MAX: Final = 0x3000

Ioctl = Callable[[int, int, bytearray, bool], int]


class NsmFailed(Unavailable):
    """The security module does not answer, or refuses."""

    code = "nsm_failed"


class Nsm:
    """The security module of the enclave that this process runs in.

    `ioctl` is the system's, or a stand-in's where there is no enclave; the stand-in sees the same two vectors.
    """

    def __init__(self, device: Path = DEVICE, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._device = device
        self._ioctl = ioctl

    def attest(self, nonce: bytes, *, public_key: bytes | None = None, user_data: bytes | None = None) -> bytes:
        """Return a document that says which image runs here, and repeats what is given.

        Errors: NsmFailed.
        """
        asked: dict[int | str, CborValue] = {"user_data": user_data, "nonce": nonce, "public_key": public_key}
        document = self._ask("Attestation", {"Attestation": asked}).get("document")
        if not isinstance(document, bytes) or not document:
            raise NsmFailed("The security module gave no document.")
        return document

    def random(self) -> bytes:
        """Return random bytes of the module's own, 256 at most.

        Errors: NsmFailed.
        """
        random = self._ask("GetRandom", "GetRandom").get("random")
        if not isinstance(random, bytes) or not random:
            raise NsmFailed("The security module gave no random bytes.")
        return random

    def _ask(self, name: str, request: CborValue) -> dict[int | str, CborValue]:
        try:
            answer = read_cbor(self._exchange(write_cbor(request)))
        except OSError as error:
            raise NsmFailed(f"The security module cannot be asked: {error.strerror}.") from None
        except Invalid:
            raise NsmFailed("The security module's answer cannot be read.") from None
        content = answer.get(name) if isinstance(answer, dict) else None
        if isinstance(content, dict):
            return content
        said = answer.get("Error") if isinstance(answer, dict) else None
        raise NsmFailed(f"The security module refuses: {said if isinstance(said, str) else 'it does not say why'}.")

    def _exchange(self, request: bytes) -> bytes:
        if len(request) > REQUEST_BYTES_MAX:
            raise NsmFailed("A request to the security module has at most 4 KiB.")
        asked, room = (
            ctypes.create_string_buffer(request, len(request)),
            ctypes.create_string_buffer(RESPONSE_BYTES_MAX),
        )
        message = bytearray(
            b"".join(
                number.to_bytes(8, "little")
                for number in (ctypes.addressof(asked), len(request), ctypes.addressof(room), len(room))
            )
        )
        descriptor = os.open(self._device, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._ioctl(descriptor, IOCTL, message, True)
        finally:
            os.close(descriptor)
        written = int.from_bytes(message[24:32], "little")
        if written > RESPONSE_BYTES_MAX:
            raise NsmFailed("The security module says that it wrote more than there was room for.")
        return room.raw[:written]
