"""What a signer and its joint-job process say to each other, over the job's standard input and output.

Secrets go by these pipes only: never by argument, environment or file.
"""

from __future__ import annotations

from typing import Final

import msgspec

JOB_FRAME_BYTES_MAX: Final = 64 * 2**20


class JobSpec(msgspec.Struct, frozen=True, tag="job", forbid_unknown_fields=True):
    """Everything a joint job needs to know.

    Units: deadline_s in seconds. Shape: `secret` 32 bytes, for the sender to wipe, empty for key generation; addresses
    in party order; peer_keys, SubjectPublicKeyInfo in DER, what the peers attested, empty where nothing was demanded.
    """

    kind: str
    job: bytes
    network: str
    epoch: int
    party: int
    addresses: list[tuple[str, int]]
    certificate: str
    key: str
    authority: str
    deadline_s: float
    peer_keys: tuple[bytes, bytes, bytes] = (b"", b"", b"")
    pair: tuple[int, int] = (0, 0)
    count: int = 0
    secret: bytearray = msgspec.field(default_factory=bytearray)
    public: bytes = b""


class JobKey(msgspec.Struct, frozen=True, tag="key"):
    """A finished key generation: this location's share, and the public points."""

    secret: bytes
    public: bytes
    points: tuple[bytes, bytes, bytes]


class JobRow(msgspec.Struct, frozen=True, array_like=True):
    """One presignature; `secret` is κ‖ξ for a member of the pair and empty for the third location."""

    index: int
    point: bytes
    opened: bytes
    a: tuple[bytes, bytes, bytes]
    b: tuple[bytes, bytes, bytes]
    secret: bytes


class JobStock(msgspec.Struct, frozen=True, tag="stock"):
    """A finished presigning batch.

    Units: working_s without process start and connecting.
    """

    rows: list[JobRow]
    working_s: float


class JobFailed(msgspec.Struct, frozen=True, tag="failed"):
    """Why a joint job was thrown away."""

    code: str
    detail: str


JobAnswer = JobKey | JobStock | JobFailed

_encoder: Final = msgspec.msgpack.Encoder()
encode: Final = _encoder.encode
encode_into: Final = _encoder.encode_into
spec_decoder: Final = msgspec.msgpack.Decoder(JobSpec)
answer_decoder: Final = msgspec.msgpack.Decoder(JobAnswer)
