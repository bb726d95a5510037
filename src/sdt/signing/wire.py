"""What coordinator and signers, and signers among themselves, say to each other: length-prefixed msgpack frames.

A frame is four bytes of length and one `Request` or `Reply`; requests carry an id, so that calls overlap. Unknown
fields and unknown operations are refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from sdt.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    SdtError,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from sdt.signing.wire_attestation import Attest, Attested
from sdt.signing.wire_lifecycle import (
    Abandon,
    Committed,
    DealtValue,
    Drop,
    LifecycleAnswer,
    LifecycleOperation,
    Natural,
    Opened,
    ReshareBegin,
    ReshareDeal,
    ReshareEcho,
    ReshareOpen,
    ReshareStage,
    ShowStaged,
    Signed,
    StagedKeys,
    Witness,
)

FRAME_BYTES_MAX: Final = 6 * 2**20
"""A batch of 500 messages of 8 KiB, with two approvals, and room."""

PAIRS: Final = ((1, 2), (1, 3), (2, 3))
Pair = tuple[Natural, Natural]
PRESIGN_COUNT_MAX: Final = 1000


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One message of a batch, exact bytes, with the approvals that stand beside it."""

    jws: bytes
    attachments: tuple[bytes, ...] = ()


class BatchProposal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the coordinator wants signed: messages, and their place in the chain's order.

    Units: deadline_s in unix seconds. Shape: parent 32 bytes, zero for batch number 1.
    """

    number: Natural
    parent: bytes
    kind: Literal["value", "admin"]
    deadline_s: Natural
    nonce: Natural
    gas: Natural
    entries: tuple[Entry, ...]


class Status(msgspec.Struct, frozen=True, tag="status"):
    """Ask how a signer is."""


class StatusAnswer(msgspec.Struct, frozen=True, tag="status"):
    """How a signer is.

    Units: clock_s and chain_time_s in unix seconds; chain_block −1 and chain_id 0 before the chain was seen.
    Shape: public 64 bytes and address 20, empty before key generation; stock counts ready presignatures, in the
    order of PAIRS.
    """

    party: Natural
    network: str
    epoch: Natural
    public: bytes
    address: bytes
    stock: tuple[int, int, int]
    chain_id: Natural
    chain_block: int
    chain_time_s: Natural
    clock_s: float
    certificate_ends_s: float = 0.0
    """When this location's certificate, or the last authority it knows, ends; 0 when it cannot tell."""
    held: str = ""
    """Why this location signs nothing now, though it answers; see `anchor`."""
    burnt: str = ""
    """Why this location burnt its stock of late."""
    attests: bool = False
    """Whether it runs beside a security module that vouches for it; its word alone proves nothing."""
    demands_attestation: bool = False
    """Whether it demands an attestation of its peers before a joint job and at each connection."""
    peers_attested: tuple[Natural, ...] = ()
    """Whose attestation it has checked, and not too long ago."""


class StartKey(msgspec.Struct, frozen=True, tag="start_key", forbid_unknown_fields=True):
    """Take part in a key generation. Units: deadline_s seconds."""

    job: bytes
    deadline_s: float


class StartStock(msgspec.Struct, frozen=True, tag="start_stock", forbid_unknown_fields=True):
    """Take part in presigning for one pair. Units: deadline_s seconds."""

    job: bytes
    pair: Pair
    count: Natural
    deadline_s: float


class KeySigned(msgspec.Struct, frozen=True, tag="key_signed"):
    """This location holds its share and signs what it saw: public key and points."""

    public: bytes
    points: tuple[bytes, bytes, bytes]
    signature: bytes


class StockSigned(msgspec.Struct, frozen=True, tag="stock_signed"):
    """This location stored its shares (a member) or destroyed them (the third), and signs what it saw.

    Units: working_s is the joint computation without process start.
    """

    statement: bytes
    signature: bytes
    working_s: float


class ActivateKey(msgspec.Struct, frozen=True, tag="activate_key", forbid_unknown_fields=True):
    """Put a key in force by the certificate of all three."""

    job: bytes
    signatures: tuple[bytes, bytes, bytes]


class ShowKey(msgspec.Struct, frozen=True, tag="show_key"):
    """Ask for the key in force and its certificate, to forward it to a location that missed it."""


class KeyCertificate(msgspec.Struct, frozen=True, tag="key_certificate"):
    """The key in force and the three signatures that put it there. Shape: `job` is empty before key generation."""

    job: bytes
    epoch: Natural = 0
    public: bytes = b""
    points: tuple[bytes, ...] = ()
    signatures: tuple[bytes, ...] = ()


class Promote(msgspec.Struct, frozen=True, tag="promote", forbid_unknown_fields=True):
    """Make one presigning batch usable by the certificate of all three."""

    job: bytes
    signatures: tuple[bytes, bytes, bytes]


class Done(msgspec.Struct, frozen=True, tag="done"):
    """It is done, now or before."""


class ListStock(msgspec.Struct, frozen=True, tag="list_stock", forbid_unknown_fields=True):
    """Ask which presignatures of a pair are ready."""

    pair: Pair


class StockList(msgspec.Struct, frozen=True, tag="stock_list"):
    """Ready presignatures: (job, indices)."""

    batches: tuple[tuple[bytes, tuple[int, ...]], ...]


class ShowCertificate(msgspec.Struct, frozen=True, tag="show_certificate", forbid_unknown_fields=True):
    """Ask for the certificate of a presigning batch, to find out who lies about one of its rows."""

    job: bytes


class Certificate(msgspec.Struct, frozen=True, tag="certificate"):
    """A presigning batch's statement and its three signatures.

    Shape: rows is 32 bytes a row.
    """

    epoch: Natural
    public: bytes
    shares: tuple[bytes, bytes, bytes]
    pair: Pair
    rows: bytes
    signatures: tuple[bytes, ...]


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The public part of a presignature. Shape: points of 64 bytes, `a` and `b` by party − 1."""

    index: Natural
    point: bytes
    opened: bytes
    a: tuple[bytes, bytes, bytes]
    b: tuple[bytes, bytes, bytes]


class Propose(msgspec.Struct, frozen=True, tag="propose", forbid_unknown_fields=True):
    """Verify every message, rebuild the chain transaction, bind this presignature to it, promise it to the partner."""

    batch: BatchProposal
    job: bytes
    index: Natural


class Proposed(msgspec.Struct, frozen=True, tag="proposed"):
    """A signer's promise.

    Shape: tx_hash 32 bytes; intent an Ed25519 signature over `transcript.Intent`.
    """

    chain_id: Natural
    epoch: Natural
    tx_hash: bytes
    intent: bytes
    row: Row


class MessageRefusal(msgspec.Struct, frozen=True, array_like=True):
    """One message that this signer will not have in a batch, and the rule that says so."""

    position: Natural
    code: str
    detail: str
    facts: dict[str, str] = {}


class MessagesRefused(msgspec.Struct, frozen=True, tag="messages_refused"):
    """Nothing was bound; drop these messages and propose the rest."""

    refusals: tuple[MessageRefusal, ...]


class Release(msgspec.Struct, frozen=True, tag="release", forbid_unknown_fields=True):
    """Hand over this signer's part, on the partner's promise for the same hash."""

    job: bytes
    index: Natural
    tx_hash: bytes
    partner_intent: bytes


class Released(msgspec.Struct, frozen=True, tag="released"):
    """This signer's part, 32 bytes."""

    part: bytes


class ShowBatch(msgspec.Struct, frozen=True, tag="show_batch", forbid_unknown_fields=True):
    """Ask a peer which messages stand behind a head."""

    head: bytes


class BatchIds(msgspec.Struct, frozen=True, tag="batch_ids"):
    """A batch's place and its messages, enough to check it against its head.

    Shape: ids 16 bytes each and digests 32 bytes each, one after another.
    """

    number: Natural
    parent: bytes
    ids: bytes
    digests: bytes


class MarkSpend(msgspec.Struct, frozen=True, tag="mark_spend", forbid_unknown_fields=True):
    """From location to location: how many steps that must never be undone the caller took, under its signature."""

    count: Natural
    signature: bytes


class SpendMarked(msgspec.Struct, frozen=True, tag="spend_marked"):
    """The highest count that the caller ever signed and told, and that signature."""

    count: Natural
    signature: bytes


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """An expected error, as the other side raises it again."""

    kind: str
    code: str
    detail: str
    facts: dict[str, Any] = {}


Operation = (
    Status
    | StartKey
    | StartStock
    | ActivateKey
    | ShowKey
    | Promote
    | ListStock
    | ShowCertificate
    | Propose
    | Release
    | ShowBatch
    | MarkSpend
    | Attest
    | LifecycleOperation
)
Answer = (
    StatusAnswer
    | KeySigned
    | KeyCertificate
    | StockSigned
    | Done
    | StockList
    | Certificate
    | Proposed
    | MessagesRefused
    | Released
    | BatchIds
    | SpendMarked
    | Attested
    | LifecycleAnswer
    | Failed
)


ANSWERS: Final[dict[type, tuple[type, ...]]] = {
    Status: (StatusAnswer,),
    StartKey: (KeySigned,),
    StartStock: (StockSigned,),
    ActivateKey: (Done,),
    ShowKey: (KeyCertificate,),
    Promote: (Done,),
    ListStock: (StockList,),
    ShowCertificate: (Certificate,),
    Propose: (Proposed, MessagesRefused),
    Release: (Released,),
    ShowBatch: (BatchIds,),
    MarkSpend: (SpendMarked,),
    Attest: (Attested,),
    ReshareBegin: (Committed,),
    ReshareEcho: (Signed,),
    ReshareOpen: (Opened,),
    ReshareDeal: (Done,),
    DealtValue: (Done,),
    ReshareStage: (KeySigned,),
    ShowStaged: (StagedKeys,),
    Abandon: (Signed,),
    Drop: (Done,),
    Witness: (Signed,),
}
"""What each operation may be answered with, apart from `Failed`."""


class Request(msgspec.Struct, frozen=True, array_like=True):
    """One call.

    `trace` is whose trace it belongs to: a label on the span and on log lines, and nothing is decided by it. What has
    not the form of a traceparent counts as none.
    """

    id: int
    operation: Operation
    trace: Annotated[str, Meta(max_length=55)] = ""


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """Its answer, under the same id."""

    id: int
    answer: Answer


encode: Final = msgspec.msgpack.Encoder().encode
request_decoder: Final = msgspec.msgpack.Decoder(Request)
reply_decoder: Final = msgspec.msgpack.Decoder(Reply)

_ERRORS: Final[tuple[type[SdtError], ...]] = (
    Invalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    Unprocessable,
    RateLimited,
    Unavailable,
)
_KINDS: Final = {cls.kind.label: cls for cls in _ERRORS}


def failure_of(error: SdtError) -> Failed:
    """Return an error as it travels."""
    facts = {name: str(value) for name, value in error.facts.items()}
    return Failed(error.kind.label, error.code, error.detail, facts)


def error_of(failed: Failed) -> SdtError:
    """Return the error that travelled, of the same kind and code."""
    facts = {name: value for name, value in failed.facts.items() if name not in ("detail", "code", "self")}
    return _KINDS.get(failed.kind, Unavailable)(failed.detail, code=failed.code, **facts)
