"""AWS Secrets Manager as the secrets store: `AWSCURRENT` is the current value, `AWSPREVIOUS` the one before.

What was read is remembered for a bounded time: a request costs no call, and a rotation elsewhere shows by itself.
When the service does not answer, what is remembered serves on for an hour: an outage of the vault is none of payments.
Values are kept as text. What somebody stored as binary is read as it is.
Source: AWS Secrets Manager API Reference, GetSecretValue, PutSecretValue, CreateSecret, ListSecrets.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from sdt.adapters.aws import AwsRefused, AwsUnreachable, call
from sdt.adapters.vault.errors import SecretExists, SecretNotFound, VaultDenied, VaultUnreachable, VaultUnreadable
from sdt.adapters.vault.limits import check_name, check_value, is_name
from sdt.adapters.vault.secret import Secret
from sdt.adapters.vault.text import as_bytes, as_text
from sdt.domain.errors import SdtError

__all__ = ["SecretsManager"]

OUTAGE_S: Final = 3_600
LOOK_AGAIN_S: Final = 1.0
PAUSE_S: Final = 5.0
PAGE: Final = 100
_CURRENT: Final = "AWSCURRENT"
_PREVIOUS: Final = "AWSPREVIOUS"
log = logging.getLogger("sdt.vault")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the service said of one secret, and when. `before` is asked for only by who needs it."""

    current: Secret
    version: str
    at_s: float
    before: Secret | None = None
    before_known: bool = False


class SecretsManager:
    """A vault in Secrets Manager; one may be shared by threads.

    Units: `seen_within_s` is how old a value may be that is given out while the service answers.
    """

    def __init__(
        self, client: Any, prefix: str, *, seen_within_s: float, key: str = "", now_s: Callable[[], float] = time.time
    ) -> None:
        self._client, self._prefix, self._key = client, prefix, key
        self._seen_within_s, self._now_s = seen_within_s, now_s
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}
        self._asking: set[str] = set()
        self._failed_s: float | None = None

    def get(self, name: str) -> Secret:
        """Return the current value. Errors: SecretNotFound, VaultUnreadable, VaultUnreachable."""
        return self._entry(name).current

    def previous(self, name: str) -> Secret | None:
        """Return the value before it. Errors: SecretNotFound, VaultUnreadable, VaultUnreachable."""
        entry = self._entry(name)
        if entry.before_known:
            return entry.before
        found = self._fetch(name, _PREVIOUS)
        known = replace(entry, before=found[0] if found else None, before_known=True)
        with self._lock:
            if self._seen.get(name) is entry:
                self._seen[name] = known
        return known.before

    def look_again(self, name: str) -> None:
        """Forget what is remembered, unless it was asked for within the last second."""
        with self._lock:
            seen = self._seen.get(name)
            if seen is not None and not 0 <= self._now_s() - seen.at_s < LOOK_AGAIN_S:
                # Kept for an outage, and too old for anything else.
                self._seen[name] = replace(seen, at_s=min(seen.at_s, self._now_s() - self._seen_within_s))

    def put(self, name: str, value: bytes) -> None:
        """Store a new secret.

        Errors: SecretExists, BadSecretName, BadSecretValue, VaultUnreadable, VaultUnreachable.
        """
        check_name(name)
        check_value(value)
        of_key = {"KmsKeyId": self._key} if self._key else {}
        # One token for all attempts of this call: an answer that got lost does not make it fail, or happen twice.
        token = str(uuid.uuid4())
        try:
            self._call(
                "create_secret",
                name,
                Name=self._prefix + name,
                SecretString=as_text(value),
                ClientRequestToken=token,
                **of_key,
            )
        except SecretExists:
            found = self._fetch(name, _CURRENT)
            if found is None or found[1] != token:
                raise
        self._remember(name, Secret(value), token)

    def rotate(self, name: str, value: bytes) -> None:
        """Make a new value the current one. It changes nothing if it is, unless we may not read what is.

        Errors: SecretNotFound, BadSecretValue, VaultUnreadable, VaultUnreachable.
        """
        check_value(value)
        try:
            found = self._fetch(name, _CURRENT)
        except VaultDenied:
            # Whoever puts in what a vendor handed out need not read it: writing says whether there is such a secret.
            pass
        else:
            if found is None:
                raise _not_found(name)
            if found[0] == Secret(value):
                self._remember(name, *found)
                return
        token = str(uuid.uuid4())
        self._call(
            "put_secret_value",
            name,
            SecretId=self._prefix + name,
            SecretString=as_text(value),
            ClientRequestToken=token,
        )
        self._remember(name, Secret(value), token)

    def list(self) -> list[str]:
        """Return the names, in order. Errors: VaultUnreadable, VaultUnreachable."""
        asked: dict[str, Any] = {"MaxResults": PAGE}
        if self._prefix:
            asked["Filters"] = [{"Key": "name", "Values": [self._prefix]}]
        names: list[str] = []
        while True:
            page = self._call("list_secrets", "", **asked)
            found = (str(secret["Name"]) for secret in page["SecretList"])
            names += (name.removeprefix(self._prefix) for name in found if name.startswith(self._prefix))
            if not page.get("NextToken"):
                return sorted(name for name in names if is_name(name))
            asked["NextToken"] = page["NextToken"]

    def __repr__(self) -> str:
        return f"SecretsManager({self._prefix!r})"

    def _remember(self, name: str, value: Secret, version: str) -> None:
        with self._lock:
            self._seen[name] = _Seen(value, version, self._now_s())

    def _entry(self, name: str) -> _Seen:
        with self._lock:
            seen = self._seen.get(name)
            failed_s, asking = self._failed_s, name in self._asking
        # A clock that was set back, or a process that was frozen, makes a value old, not young for ever.
        age_s = self._now_s() - seen.at_s if seen is not None else -1.0
        if seen is None or not 0 <= age_s < OUTAGE_S:
            return self._renewed(name, seen)
        if age_s < self._seen_within_s / 2:
            return seen
        failing = failed_s is not None and failed_s >= seen.at_s
        if age_s >= self._seen_within_s and not (failing or asking):
            return self._renewed(name, seen)
        # While nobody answers, whoever needs a value must not wait to hear that again.
        if not failing or self._now_s() - (failed_s or 0) >= PAUSE_S:
            self._renew_beside(name, seen)
        return seen

    def _renew_beside(self, name: str, seen: _Seen) -> None:
        """Ask for a secret that is in use beside whoever uses it, so that nobody waits for the service."""
        with self._lock:
            if name in self._asking:
                return
            self._asking.add(name)

        def ask() -> None:
            try:
                self._renewed(name, seen)
            except SdtError as error:
                log.warning("%s is not renewed: %s", name, error.detail)
            finally:
                with self._lock:
                    self._asking.discard(name)

        threading.Thread(target=ask, name="vault", daemon=True).start()

    def _renewed(self, name: str, seen: _Seen | None) -> _Seen:
        try:
            found = self._fetch(name, _CURRENT)
        except VaultUnreachable as error:
            if seen is None or not 0 <= self._now_s() - seen.at_s < OUTAGE_S:
                raise
            log.warning("the vault does not answer; %s serves as it was last seen: %s", name, error.detail)
            return seen
        with self._lock:
            now = self._seen.get(name)
            if now is not None and (seen is None or now.version != seen.version):
                # Put or rotated by us, or read by another thread, while we asked: what we have may be older.
                return now
            if found is None:
                self._seen.pop(name, None)
                raise _not_found(name)
            value, version = found
            kept = now if now is not None and now.version == version else _Seen(value, version, 0)
            entry = self._seen[name] = replace(kept, at_s=self._now_s())
            return entry

    def _fetch(self, name: str, stage: str) -> tuple[Secret, str] | None:
        try:
            answer = self._call("get_secret_value", name, SecretId=self._prefix + name, VersionStage=stage)
        except SecretNotFound:
            return None
        value = answer.get("SecretBinary")
        if value is None:
            value = as_bytes(str(answer["SecretString"]))
        return Secret(value), str(answer["VersionId"])

    def _call(self, operation: str, name: str, **arguments: Any) -> Any:
        try:
            answer = call(self._client, operation, **arguments)
        except AwsUnreachable as error:
            self._failed_s = self._now_s()
            raise VaultUnreachable(error.detail) from None
        except AwsRefused as error:
            self._failed_s = None
            raise _typed(error, name, operation) from None
        self._failed_s = None
        return answer


def _typed(refused: AwsRefused, name: str, operation: str) -> SdtError:
    if refused.aws_code == "ResourceNotFoundException":
        return _not_found(name)
    if refused.aws_code == "ResourceExistsException":
        return SecretExists(f"there is a secret {name} already: rotate it")
    if refused.aws_code == "InvalidRequestException":
        # The only state in which our requests are wrong: the secret is marked for deletion.
        if operation == "create_secret":
            return SecretExists(f"a secret {name} is waiting to be deleted: restore it, or wait")
        return SecretNotFound(f"the secret {name} is waiting to be deleted")
    kind = VaultDenied if refused.aws_code == "AccessDeniedException" else VaultUnreadable
    return kind(f"{refused.detail} ({name or 'all'})")


def _not_found(name: str) -> SecretNotFound:
    return SecretNotFound(f"the vault has no secret {name}")
