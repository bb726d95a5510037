"""KMS wraps: its key never leaves it, and every use of it stands in the account's trail with what it was for.

A data key that KMS makes wraps many keys of people, for an hour and a thousand uses; the data key, as KMS sealed it,
stands with each of them and names the KMS key, so that nothing else is needed to open it, whatever was rotated.
Stored: version, length and ARN of the KMS key, length and sealed data key, the person's key in a secretbox.
Source: AWS KMS API Reference, GenerateDataKey, Decrypt; Developer Guide, "Encryption context" and "Rotate keys".
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sdt.adapters.aws import AwsRefused, AwsUnreachable, call
from sdt.domain import sealing
from sdt.domain.errors import SdtError, Unavailable
from sdt.domain.sealing import SealBroken

__all__ = ["KmsKey", "KmsRefused", "KmsUnreachable"]

DATA_KEY_S: Final = 3_600
DATA_KEY_USES: Final = 1_000
OPENED_S: Final = 900
OPENED_MAX: Final = 1_000
PAUSE_S: Final = 5.0
_VERSION: Final = b"\x03"
log = logging.getLogger("sdt.kms")


class KmsRefused(Unavailable):
    """KMS denies us the key: it is disabled or waits for deletion, or our role may not: somebody must look."""

    code = "kms_refused"


class KmsUnreachable(Unavailable):
    """KMS does not answer: trying again helps."""

    code = "kms_unreachable"


@dataclass(slots=True)
class _DataKey:
    """A data key of ours: plain, as KMS sealed it, by which KMS key, since when, and how often it was used."""

    plain: bytes
    head: bytes
    at_s: float
    uses: int = 0

    def __repr__(self) -> str:
        return "_DataKey(…)"


class KmsKey:
    """Wraps with data keys of one KMS key, and opens what it, or an older KMS key, wrapped.

    `context` is bound into every data key: what one network, region or purpose wrapped does not open for another.
    """

    def __init__(
        self, client: Any, key: str, context: Mapping[str, str], now_s: Callable[[], float] = time.time
    ) -> None:
        self._client, self._key, self._context, self._now_s = client, key, dict(context), now_s
        self._lock = threading.Lock()
        self._newest: _DataKey | None = None
        self._opened: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self._renewing = False
        self._down: tuple[float, SdtError] | None = None

    def __repr__(self) -> str:
        return f"KmsKey({self._key!r})"

    def opens(self, wrapped: bytes) -> bool:
        """Return whether KMS wrapped this."""
        return wrapped.startswith(_VERSION)

    def prefix(self) -> bytes:
        """Return the version and the ARN of the KMS key that an alias stands for now."""
        head = self._data_key(uses=0).head
        return head[: 2 + head[1]]

    def wrap(self, key: bytes, owner: str) -> bytes:
        """Return a key wrapped for its owner. Errors: KmsRefused, KmsUnreachable."""
        newest = self._data_key(uses=1)
        return newest.head + sealing.seal(key, owner, newest.plain, secrets.token_bytes(sealing.NONCE_BYTES))

    def unwrap(self, wrapped: bytes, owner: str) -> bytes:
        """Return a wrapped key. Errors: SealBroken, KmsRefused, KmsUnreachable."""
        arn, sealed, box = _parts(wrapped)
        return sealing.unseal(box, owner, self._open(arn, sealed))

    def _data_key(self, uses: int) -> _DataKey:
        with self._lock:
            newest = self._newest
            age_s = self._now_s() - newest.at_s if newest is not None else -1.0
            if newest is not None and 0 <= age_s < DATA_KEY_S and newest.uses < DATA_KEY_USES:
                newest.uses += uses
                if (age_s > DATA_KEY_S / 2 or newest.uses > DATA_KEY_USES / 2) and not self._renewing:
                    self._renewing = True
                    threading.Thread(target=self._renew_beside, name="kms", daemon=True).start()
                return newest
        made = self._generate()
        made.uses += uses
        return made

    def _renew_beside(self) -> None:
        """Get the next data key before the last one is used up, so that no registration waits for KMS."""
        try:
            self._generate()
        except SdtError as error:
            log.warning("there is no new data key yet: %s", error.detail)
        finally:
            with self._lock:
                self._renewing = False

    def _generate(self) -> _DataKey:
        answer = self._call("generate_data_key", KeyId=self._key, KeySpec="AES_256", EncryptionContext=self._context)
        arn, sealed = str(answer["KeyId"]).encode(), bytes(answer["CiphertextBlob"])
        head = _VERSION + bytes([len(arn)]) + arn + len(sealed).to_bytes(2, "big") + sealed
        made = _DataKey(bytes(answer["Plaintext"]), head, self._now_s())
        with self._lock:
            self._newest = made
            self._remember(arn + sealed, made.plain)
        return made

    def _open(self, arn: bytes, sealed: bytes) -> bytes:
        name = hashlib.sha256(arn + sealed).digest()
        with self._lock:
            plain, at_s = self._opened.get(name, (b"", 0.0))
            if plain and 0 <= self._now_s() - at_s < OPENED_S:
                self._opened.move_to_end(name)
                return plain
        answer = self._call(
            "decrypt", CiphertextBlob=sealed, KeyId=arn.decode(errors="replace"), EncryptionContext=self._context
        )
        if str(answer["KeyId"]).encode() != arn:
            raise SealBroken("A data key was sealed by another KMS key than it says.")
        plain = bytes(answer["Plaintext"])
        with self._lock:
            self._remember(arn + sealed, plain)
        return plain

    def _remember(self, named: bytes, plain: bytes) -> None:
        name = hashlib.sha256(named).digest()
        self._opened[name] = (plain, self._now_s())
        self._opened.move_to_end(name)
        while len(self._opened) > OPENED_MAX:
            self._opened.popitem(last=False)

    def _call(self, operation: str, **arguments: Any) -> Any:
        """Make one call; after one that got no answer, fail at once for some seconds: whoever waits holds others up."""
        with self._lock:
            if self._down is not None and 0 <= self._now_s() - self._down[0] < PAUSE_S:
                raise KmsUnreachable(self._down[1].detail)
        try:
            answer = call(self._client, operation, **arguments)
        except AwsUnreachable as error:
            with self._lock:
                self._down = (self._now_s(), error)
            raise KmsUnreachable(error.detail) from None
        except AwsRefused as error:
            if error.aws_code in ("InvalidCiphertextException", "IncorrectKeyException"):
                raise SealBroken("A data key was not sealed by KMS for this network, region and purpose.") from None
            raise KmsRefused(error.detail) from None
        with self._lock:
            self._down = None
        return answer


def _parts(wrapped: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the ARN, the sealed data key and the box. Errors: SealBroken."""
    if len(wrapped) < 2 or not wrapped.startswith(_VERSION):
        raise SealBroken("A key is wrapped in a way that nothing here knows.")
    at = 2 + wrapped[1]
    arn, size = wrapped[2:at], int.from_bytes(wrapped[at : at + 2], "big")
    sealed, box = wrapped[at + 2 : at + 2 + size], wrapped[at + 2 + size :]
    if not arn or len(sealed) != size or not size or not box:
        raise SealBroken("A wrapped key is cut short.")
    return arn, sealed, box
