"""Rotation of the platform's own keys as a function that Secrets Manager calls, once for each of its four steps.

Only keys that nobody outside has are made anew so: there is nobody to tell, and readers take the value before as well.
Every step may come twice, and a rotation that broke off is begun again with the same version.
Source: AWS Secrets Manager User Guide, "Rotation by Lambda function" (createSecret … finishSecret).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from sdt.adapters.vault.text import as_text
from sdt.domain.errors import Invalid

__all__ = ["RotationFunction"]

KEY_BYTES: Final = 32
_CURRENT: Final = "AWSCURRENT"
_PENDING: Final = "AWSPENDING"
log = logging.getLogger(__name__)


class RotationFunction:
    """Makes a new key under the version that the service chose, and makes it the current one."""

    def __init__(
        self, client: Any, names: Collection[str], random: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._client, self._names, self._random = client, names, random
        self._steps: dict[str, Callable[[str, str, Mapping[str, list[str]]], None]] = {
            "createSecret": self._create,
            # Nobody outside has the key, so there is nobody to set it at, and nothing to try it on.
            "setSecret": lambda secret, token, stages: None,
            "testSecret": self._test,
            "finishSecret": self._finish,
        }

    def handler(self, event: Mapping[str, Any], context: object) -> None:
        """Do one step. Errors: Invalid for what is no step of a rotation of these keys; those of the client."""
        step, secret, token = event["Step"], event["SecretId"], event["ClientRequestToken"]
        if step not in self._steps:
            raise Invalid("There is no such step of a rotation.", code="rotation_step")
        told = self._client.describe_secret(SecretId=secret)
        if told["Name"] not in self._names:
            raise Invalid(f"{told['Name']} is not made anew by us.", code="rotation_secret")
        stages = told.get("VersionIdsToStages", {})
        if not told.get("RotationEnabled") or token not in stages:
            raise Invalid(f"{told['Name']} is not being rotated to this version.", code="rotation_version")
        if _CURRENT in stages[token]:
            log.info("%s has this version already", told["Name"])
            return
        if _PENDING not in stages[token]:
            # A step that comes late, after the next rotation, must not bring an old key back.
            raise Invalid(f"{told['Name']} is not being rotated to this version any more.", code="rotation_version")
        self._steps[step](secret, token, stages)
        log.info("%s: %s", told["Name"], step)

    def _create(self, secret: str, token: str, stages: Mapping[str, list[str]]) -> None:
        try:
            self._pending(secret, token)
        except self._client.exceptions.ResourceNotFoundException:
            self._client.put_secret_value(
                SecretId=secret,
                ClientRequestToken=token,
                SecretString=as_text(self._random(KEY_BYTES)),
                VersionStages=[_PENDING],
            )

    def _test(self, secret: str, token: str, stages: Mapping[str, list[str]]) -> None:
        assert self._pending(secret, token)["SecretString"], "it was made by the first step"

    def _finish(self, secret: str, token: str, stages: Mapping[str, list[str]]) -> None:
        current = next((version for version, names in stages.items() if _CURRENT in names), None)
        moved = {} if current is None else {"RemoveFromVersionId": current}
        self._client.update_secret_version_stage(SecretId=secret, VersionStage=_CURRENT, MoveToVersionId=token, **moved)

    def _pending(self, secret: str, token: str) -> Any:
        return self._client.get_secret_value(SecretId=secret, VersionId=token, VersionStage=_PENDING)
