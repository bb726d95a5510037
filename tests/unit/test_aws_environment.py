"""What the templates put into the environment of each process is a whole configuration, and the one that is meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from templates import read

from sdt.config import Settings, load_settings

TOLD = {
    "AWS::Region": "us-east-1",
    "RegionName": "texas",
    "QueueName": "sdt-texas-transactions.fifo",
    "SecretKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1b9a2e6e-4f0a-4d57-9f6e-3c0c9a1d8e11",
    "PersonalKeyArn": "arn:aws:kms:us-east-1:000000000000:key/0c6a4b8e-52d8-47a1-8a52-2f6a2b7d9e13",
    "ProxyHost": "sdt-texas.proxy-abc.us-east-1.rds.amazonaws.com",
    "DatabaseHost": "sdt-texas.abc.us-east-1.rds.amazonaws.com",
}


def resolved(value: Any) -> str:
    """What CloudFormation makes of a value."""
    if isinstance(value, Mapping) and "Ref" in value:
        return TOLD[value["Ref"]]
    if isinstance(value, Mapping) and "Fn::Sub" in value:
        return re.sub(r"\$\{([A-Za-z:]+)\}", lambda found: TOLD[found[1]], value["Fn::Sub"])
    return str(value)


def of_functions() -> dict[str, str]:
    said = read("functions").said["Globals"]["Function"]["Environment"]["Variables"]
    return {name: resolved(value) for name, value in said.items()}


def of_settlement() -> dict[str, str]:
    task = dict(read("settlement").resources("AWS::ECS::TaskDefinition"))["Task"]["Properties"]
    (container,) = task["ContainerDefinitions"]
    return {each["Name"]: resolved(each["Value"]) for each in container["Environment"]}


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[dict[str, str]], Settings]:
    def configure(environment: dict[str, str]) -> Settings:
        for name, value in {**environment, "SDT_HOME": str(tmp_path)}.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return configure


@pytest.mark.parametrize("environment", [of_functions, of_settlement])
def test_a_process_on_aws_uses_amazons_services_and_no_other(configured: Any, environment: Any) -> None:
    settings = configured(environment())
    assert (settings.queue.backend, settings.queue.name, settings.queue.create) == ("sqs", TOLD["QueueName"], False)
    assert (settings.vault.backend, settings.vault.prefix) == ("secrets_manager", "sdt/texas/")
    assert (settings.personal.wrapped_by, settings.personal.kms_key) == ("kms", TOLD["PersonalKeyArn"])
    assert (settings.database.login, settings.database.tls) == ("iam", "verify-full")
    assert settings.worker.screening == "functions"
    # Amazon itself, and no emulator's address
    assert settings.aws.endpoint("sqs") == settings.aws.endpoint("kms") == ""


def test_functions_share_connections_and_settlement_has_its_own(configured: Any) -> None:
    functions = configured(of_functions())
    assert functions.database.pooled and "proxy" in functions.database.url
    settlement = configured({**of_settlement(), "SDT_DATABASE__POOLED": "false"})
    # The lease lives as long as its connection.
    assert not settlement.database.pooled and "proxy" not in settlement.database.url
    assert "SDT_DATABASE__POOLED" not in of_settlement()


def test_health_and_figures_of_settlement_are_reached_from_its_network_alone(configured: Any) -> None:
    worker = configured(of_settlement()).worker
    # Not on the container's own loopback, where nothing else could ask
    assert worker.host == "0.0.0.0"
    rules = read("perimeter").resources("AWS::EC2::SecurityGroupIngress")
    (rule,) = [said["Properties"] for _, said in rules if said["Properties"]["GroupId"] == {"Ref": "SettlementGroup"}]
    assert rule["FromPort"] == rule["ToPort"] == worker.port
    assert rule["CidrIp"] == {"Ref": "NetworkCidr"}
    assert read("network").outputs["NetworkCidr"]["Value"] == {"Fn::GetAtt": ["Vpc", "CidrBlock"]}
