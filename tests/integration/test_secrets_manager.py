"""Secrets Manager when it refuses, is too busy, loses answers or is gone for minutes; and who else writes there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aws_front import Front, front
from aws_rig import aws_settings
from ports import free_port
from sdt.adapters import aws
from sdt.adapters.vault import Secret, SecretNotFound, VaultProtocol, VaultUnreachable, VaultUnreadable
from sdt.adapters.vault.secrets_manager import OUTAGE_S, PAUSE_S
from sdt.backends import open_vault
from sdt.config import load_settings
from vault_rig import SEEN_WITHIN_S, Rig, service

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("aws_credentials")]


@pytest.fixture
def between(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    monkeypatch.setattr(aws, "ATTEMPTS", 2)
    with front(moto_server) as passes:
        yield passes


@pytest.fixture
def rig(between: Front) -> Rig:
    return service(between.url)


def gets(between: Front) -> int:
    return between.calls.count("GetSecretValue")


def test_a_value_is_asked_for_once_in_its_time(rig: Rig, between: Front) -> None:
    vault = rig.open()
    vault.put("key", b"one")
    reader = rig.open()
    for _ in range(50):
        assert reader.get("key").reveal() == b"one"
        assert reader.previous("key") is None
    assert gets(between) == 2
    # when half of its time is over, it is renewed beside whoever uses it
    rig.clock.s += SEEN_WITHIN_S / 2 + 1
    for _ in range(50):
        assert reader.get("key").reveal() == b"one"
    until = time.monotonic() + 10
    while gets(between) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert gets(between) == 3
    # and after a clock was set back it is old, not young for years
    rig.clock.s -= 1_000_000
    assert reader.get("key").reveal() == b"one"
    assert gets(between) >= 4


def test_an_answer_that_got_lost_neither_fails_nor_happens_twice(rig: Rig, between: Front) -> None:
    vault = rig.open()
    between.lose = "CreateSecret"
    vault.put("key", b"one")
    assert between.calls.count("CreateSecret") == 2
    vault.rotate("key", b"two")
    between.lose = "PutSecretValue"
    vault.rotate("key", b"three")
    assert between.calls.count("PutSecretValue") == 3
    fresh = rig.open()
    assert (fresh.get("key"), fresh.previous("key")) == (Secret(b"three"), Secret(b"two"))


def test_a_refusal_says_that_somebody_must_look_and_is_not_repeated(rig: Rig, between: Front) -> None:
    vault = rig.open()
    vault.put("key", b"one")
    rig.clock.s += SEEN_WITHIN_S
    between.refuse_all = (400, "AccessDeniedException")
    calls = len(between.calls)
    for act in (lambda: vault.get("key"), lambda: vault.rotate("key", b"v"), vault.list, lambda: vault.put("k", b"v")):
        with pytest.raises(VaultUnreadable, match="AccessDeniedException"):
            act()
    assert between.calls[calls:] == [
        "GetSecretValue", "GetSecretValue", "PutSecretValue", "ListSecrets", "CreateSecret",
    ]  # fmt: skip
    between.refuse_all = (400, "DecryptionFailure")
    with pytest.raises(VaultUnreadable, match="DecryptionFailure"):
        vault.get("key")
    # a permission that was taken away does not let what is remembered serve on
    between.refuse_all = None
    assert vault.get("key").reveal() == b"one"


def test_who_may_put_values_in_and_read_none_rotates(rig: Rig, between: Front) -> None:
    """What an operator's role may: to read is refused, and to write is not."""
    rig.open().put("vendors/kyc/key", b"made with the stack")
    operator, denied = rig.open(), (400, "AccessDeniedException")
    between.refusals = [denied]
    operator.rotate("vendors/kyc/key", b"one")
    fresh = rig.open()
    assert (fresh.get("vendors/kyc/key"), fresh.previous("vendors/kyc/key")) == (
        Secret(b"one"),
        Secret(b"made with the stack"),
    )
    # what is current cannot be compared: once more is a rotation more
    between.refusals = [denied]
    operator.rotate("vendors/kyc/key", b"one")
    assert rig.open().previous("vendors/kyc/key") == Secret(b"one")
    # and where there is nothing, nothing is made
    between.refusals = [denied]
    with pytest.raises(SecretNotFound):
        operator.rotate("nothing", b"v")
    # any other refusal is one
    between.refusals = [(400, "DecryptionFailure")]
    with pytest.raises(VaultUnreadable, match="DecryptionFailure"):
        operator.rotate("vendors/kyc/key", b"two")
    assert rig.open().get("vendors/kyc/key") == Secret(b"one")


@pytest.mark.parametrize("busy", [(400, "ThrottlingException"), (500, "InternalServiceError"), (503, "")])
def test_too_many_questions_are_asked_again_and_then_said_to_be_that(
    rig: Rig, between: Front, busy: tuple[int, str]
) -> None:
    rig.open().put("key", b"one")
    vault = rig.open()
    between.refusals = [busy]
    assert vault.get("key").reveal() == b"one"
    between.refuse_all = busy
    with pytest.raises(VaultUnreachable):
        vault.put("other", b"v")


def test_an_outage_of_the_service_is_none_of_whoever_read_before(rig: Rig, between: Front) -> None:
    rig.open().put("key", b"one")
    vault = rig.open()
    assert vault.get("key").reveal() == b"one"
    between.refuse_all = (503, "ServiceUnavailable")
    # given an outage longer than a value's time, then what was seen last serves on, and nobody waits to hear it again
    rig.clock.s += SEEN_WITHIN_S + 5
    assert vault.get("key").reveal() == b"one"
    calls = len(between.calls)
    for _ in range(50):
        assert vault.get("key").reveal() == b"one"
    assert len(between.calls) == calls
    with pytest.raises(VaultUnreachable):
        vault.get("never-read")
    # when it is over, then what was rotated meanwhile is seen, again beside whoever uses it
    between.refuse_all = None
    rig.open().rotate("key", b"two")
    rig.clock.s += PAUSE_S
    wait_for(lambda: vault.get("key").reveal() == b"two")
    assert vault.previous("key") == Secret(b"one")
    # but it does not serve on for ever
    between.refuse_all = (503, "ServiceUnavailable")
    rig.clock.s += OUTAGE_S
    with pytest.raises(VaultUnreachable):
        vault.get("key")


def test_a_service_that_hangs_holds_nobody_up_who_read_before(rig: Rig, between: Front) -> None:
    rig.open().put("key", b"one")
    vault = rig.open()
    assert vault.get("key").reveal() == b"one"
    between.slow_s = 3
    rig.clock.s += SEEN_WITHIN_S / 2 + 1
    assert vault.get("key").reveal() == b"one"
    wait_for(lambda: gets(between) == 2)
    rig.clock.s += SEEN_WITHIN_S
    began = time.monotonic()
    for _ in range(20):
        assert vault.get("key").reveal() == b"one"
    assert time.monotonic() - began < 2
    between.slow_s = 0


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_nobody_at_the_address_and_nobody_to_call_as(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "ATTEMPTS", 1)
    nobody = service(f"http://127.0.0.1:{free_port()}").open()
    with pytest.raises(VaultUnreachable, match="EndpointConnectionError"):
        nobody.get("key")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(VaultUnreadable, match="credentials"):
        service(f"http://127.0.0.1:{free_port()}").open().get("key")


def test_what_others_make_there_is_read_as_they_made_it(moto_server: str) -> None:
    """A rotation function stages a value as AWSPENDING and moves AWSCURRENT to it: the shape that AWS documents."""
    rig = service(moto_server, prefix="sdt/others/")
    asked = aws.client("secretsmanager", aws_settings(moto_server))
    # given a secret that a template made as text, and one that a console made as bytes
    made = asked.create_secret(Name="sdt/others/database/password", SecretString="first")
    asked.create_secret(Name="sdt/others/bytes", SecretBinary=b"\x00\xff")
    asked.create_secret(Name="sdt/another/platform", SecretString="not ours")
    asked.create_secret(Name="sdt/others/Not A Name Of Ours", SecretString="x")
    vault = rig.open()
    assert vault.list() == ["bytes", "database/password"]
    assert vault.get("bytes").reveal() == b"\x00\xff"
    assert vault.get("database/password").text() == "first"
    # when a rotation function has staged a new value, then the old one stands until it is promoted
    pending = asked.put_secret_value(
        SecretId=made["ARN"], SecretString="second", ClientRequestToken="t" * 32, VersionStages=["AWSPENDING"]
    )
    rig.clock.s += SEEN_WITHIN_S
    assert vault.get("database/password").text() == "first"
    asked.update_secret_version_stage(
        SecretId=made["ARN"],
        VersionStage="AWSCURRENT",
        MoveToVersionId=pending["VersionId"],
        RemoveFromVersionId=made["VersionId"],
    )
    rig.clock.s += SEEN_WITHIN_S
    assert vault.get("database/password").text() == "second"
    assert vault.previous("database/password") == Secret(b"first")
    # when it is deleted, then it is gone for us, and its name is not free yet
    asked.delete_secret(SecretId=made["ARN"], RecoveryWindowInDays=7)
    rig.clock.s += SEEN_WITHIN_S
    with pytest.raises(SecretNotFound):
        vault.get("database/password")
    assert vault.list() == ["bytes"]


def test_settings_choose_the_vault_and_a_process_has_one(moto_server: str, tmp_path: Path) -> None:
    settings = load_settings(
        "localstack", {"aws.endpoint_url": moto_server, "vault.prefix": "sdt/chosen/"}, home=tmp_path
    )
    vault: VaultProtocol = open_vault(settings)
    vault.put("key", b"one")
    assert open_vault(settings) is vault, "a rotation here is seen at once by every part of the process"
    assert list(tmp_path.iterdir()) == [], "and nothing of it lies on the disk"


def test_the_sealed_file_needs_nothing_of_amazons(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from sdt.backends import open_vault; from sdt.config import load_settings;"
        "open_vault(load_settings(home=Path(sys.argv[1]))).put('a', b'b');"
        "print([m for m in sys.modules if m.partition('.')[0] in ('boto3', 'botocore')])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SDT_")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "[]\n"
