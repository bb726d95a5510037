"""The function that Secrets Manager calls makes the platform's keys anew, in steps that may each come twice."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from aws_rig import aws_settings
from sdt.adapters.aws import client
from sdt.adapters.vault.secrets_manager import SecretsManager
from sdt.domain.errors import Invalid
from sdt.functions.rotation import RotationFunction

pytestmark = pytest.mark.slow
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


class Rotating:
    """Secrets Manager while it rotates a secret to one version, which moto does only by calling a function itself."""

    def __init__(self, asked: Any, token: str) -> None:
        self._asked, self._token = asked, token

    def __getattr__(self, name: str) -> Any:
        return getattr(self._asked, name)

    def describe_secret(self, **arguments: str) -> dict[str, Any]:
        told = self._asked.describe_secret(**arguments)
        stages = {self._token: ["AWSPENDING"], **told["VersionIdsToStages"]}
        return {**told, "RotationEnabled": True, "VersionIdsToStages": stages}


@pytest.fixture(params=["moto_server", "localstack"])
def service(request: pytest.FixtureRequest) -> str:
    """The address of a Secrets Manager."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def prefix(service: str) -> str:
    """A key as the stack makes it, in a place of its own."""
    prefix = f"sdt-{uuid.uuid4().hex}/"
    asked = client("secretsmanager", aws_settings(service))
    asked.create_secret(Name=f"{prefix}transaction-ids/key", SecretString="a" * 32)
    return prefix


def function(service: str, prefix: str, token: str) -> RotationFunction:
    asked = Rotating(client("secretsmanager", aws_settings(service)), token)
    return RotationFunction(asked, [f"{prefix}transaction-ids/key"])


def event(prefix: str, step: str, token: str) -> dict[str, str]:
    return {"Step": step, "SecretId": f"{prefix}transaction-ids/key", "ClientRequestToken": token}


def vault(service: str, prefix: str) -> SecretsManager:
    return SecretsManager(client("secretsmanager", aws_settings(service)), prefix, seen_within_s=0)


def test_a_rotated_key_is_new_and_the_one_before_still_counts(service: str, prefix: str) -> None:
    # Given two rotations, of which every step comes twice
    seen = [vault(service, prefix).get("transaction-ids/key")]
    for _ in range(2):
        token = str(uuid.uuid4())
        rotation = function(service, prefix, token)
        for step in (step for step in STEPS for _ in range(2)):
            rotation.handler(event(prefix, step, token), None)
        opened = vault(service, prefix)
        # Then each time there is a key that nobody had, and the one before is the last one
        assert len(opened.get("transaction-ids/key").reveal()) == 32
        assert opened.previous("transaction-ids/key") == seen[-1]
        seen.append(opened.get("transaction-ids/key"))
    assert len({secret.reveal() for secret in seen}) == 3


def test_a_step_that_comes_again_keeps_the_key_it_made(service: str, prefix: str) -> None:
    token = str(uuid.uuid4())
    rotation, asked = function(service, prefix, token), client("secretsmanager", aws_settings(service))
    made = []
    for _ in range(2):
        rotation.handler(event(prefix, "createSecret", token), None)
        pending = asked.get_secret_value(SecretId=f"{prefix}transaction-ids/key", VersionId=token)
        made.append(pending["SecretString"])
    assert made[0] == made[1]
    # and until the last step nobody sees it
    assert vault(service, prefix).get("transaction-ids/key").reveal() == b"a" * 32


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Step": "deleteSecret"}, "rotation_step"),
        ({"ClientRequestToken": "f" * 36}, "rotation_version"),
    ],
)
def test_what_is_no_step_to_this_version_is_refused(
    service: str, prefix: str, change: dict[str, str], code: str
) -> None:
    token = str(uuid.uuid4())
    with pytest.raises(Invalid) as refused:
        function(service, prefix, token).handler({**event(prefix, "createSecret", token), **change}, None)
    assert refused.value.code == code


def test_a_secret_that_is_not_ours_to_make_is_refused(service: str, prefix: str) -> None:
    asked = client("secretsmanager", aws_settings(service))
    asked.create_secret(Name=f"{prefix}vendors/aml/key", SecretString="from the vendor")
    token = str(uuid.uuid4())
    told = {**event(prefix, "createSecret", token), "SecretId": f"{prefix}vendors/aml/key"}
    with pytest.raises(Invalid) as refused:
        function(service, prefix, token).handler(told, None)
    assert refused.value.code == "rotation_secret"
    assert vault(service, prefix).get("vendors/aml/key").reveal() == b"from the vendor"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_comes_after_the_next_rotation_brings_no_old_key_back(service: str, prefix: str, step: str) -> None:
    # Given two rotations
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    for token in (first, second):
        for each in STEPS:
            function(service, prefix, token).handler(event(prefix, each, token), None)
    newest = vault(service, prefix).get("transaction-ids/key")
    # When a step of the first is delivered once more
    with pytest.raises(Invalid) as refused:
        function(service, prefix, second).handler(event(prefix, step, first), None)
    # Then the newest key stays the current one
    assert refused.value.code == "rotation_version"
    assert vault(service, prefix).get("transaction-ids/key") == newest
