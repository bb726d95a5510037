"""The templates of a region on AWS, read as data: what must hold of all of them, whoever adds the next resource."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from deploy_region import PUBLISH_DIGEST
from templates import HERE, Template, elsewhere, order, read

from sdt.config.known import keys_of
from sdt.config.model import Settings
from sdt.config.variables import RESERVED, refuse_unknown_variables
from sdt.network.clients import Place, client_of
from sdt.network.plan import Node, Plan

ROOT = Path(__file__).resolve().parents[2]
ALL = [read(name) for name in (*order(), *elsewhere())]
EXAMPLE = tomllib.loads((HERE / "region.example.toml").read_text())["parameters"]
BODY_BYTES_MAX = 51_200
"""What CloudFormation takes without a bucket to read it from."""


def by_name(template: Template) -> str:
    return template.name


def values(node: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a template with its value, at any depth."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield key, value
            yield from values(value)
    elif isinstance(node, list):
        for each in node:
            yield from values(each)


def test_every_template_is_deployed_by_somebody() -> None:
    assert sorted(t.name for t in ALL) == sorted(path.stem for path in (HERE / "templates").glob("*.yaml"))


def test_each_stack_is_told_everything_by_the_example_or_an_earlier_stack() -> None:
    told = {*EXAMPLE, PUBLISH_DIGEST}
    for name in order():
        template = read(name)
        asked = {n for n, p in template.parameters.items() if "Default" not in p}
        assert asked <= told, f"{name} asks for {asked - told}, which nothing before it says"
        told |= set(template.outputs)


def test_the_example_says_nothing_that_nobody_asks_for() -> None:
    asked = {name for each in order() for name in read(each).parameters}
    assert set(EXAMPLE) <= asked


@pytest.mark.parametrize("template", ALL, ids=by_name)
def test_every_parameter_is_described_and_bounded(template: Template) -> None:
    for name, said in template.parameters.items():
        assert said.get("Description"), name
        bounded = {"AllowedPattern", "AllowedValues", "MinValue"} & set(said)
        # Types of Amazon's own are checked against what exists.
        assert bounded or "::" in said["Type"] or said["Type"] == "CommaDelimitedList", name


@pytest.mark.parametrize("template", ALL, ids=by_name)
def test_a_template_is_small_enough_to_be_sent(template: Template) -> None:
    assert len(template.text.encode()) <= BODY_BYTES_MAX


# Queues and alarms


def test_every_queue_has_dead_letters_that_wake_somebody() -> None:
    queues = {name: queue["Properties"] for name, queue in read("queue").resources("AWS::SQS::Queue")}
    assert len(queues) == sum(1 for t in ALL for _ in t.resources("AWS::SQS::Queue"))
    outputs = {json.dumps(o["Value"]): name for name, o in read("queue").outputs.items()}
    watched = {
        json.dumps(dimension["Value"])
        for _, alarm in read("alarms").resources("AWS::CloudWatch::Alarm")
        if alarm["Properties"]["Namespace"] == "AWS/SQS"
        for dimension in alarm["Properties"]["Dimensions"]
    }
    targets = set()
    for name, queue in queues.items():
        output = outputs[json.dumps({"Fn::GetAtt": [name, "QueueName"]})]
        assert json.dumps({"Ref": output}) in watched, f"no alarm looks at {name}"
        if "RedrivePolicy" in queue:
            targets.add(queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0])
    # What failed goes somewhere: a queue of its own, or it is where failures go.
    ends = {name for name, queue in queues.items() if "RedrivePolicy" not in queue}
    assert ends == targets | {"InvocationsDead"}


HOST_TELLS = {"Fn::Sub": "location-${Party}-enclave"}
"""What a location's host counts itself: no log leaves it."""


def alarms() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for template in ALL:
        for name, alarm in template.resources("AWS::CloudWatch::Alarm"):
            yield name, alarm["Properties"]


def test_every_alarm_names_a_section_of_the_runbook_and_tells_somebody() -> None:
    seen = 0
    for name, alarm in alarms():
        found = re.search(r"(docs/operations/[a-z-]+\.md)#([a-z-]+)$", alarm["AlarmDescription"])
        assert found, f"{name} names no section"
        headings = re.findall(r"^#+ (.+)$", (ROOT / found[1]).read_text(), re.MULTILINE)
        assert found[2] in {heading.lower().replace(" ", "-") for heading in headings}, f"{name}: {found[0]}"
        assert alarm["AlarmActions"], f"{name} wakes nobody"
        seen += 1
    assert seen >= 20


def test_a_function_that_fails_wakes_somebody_even_if_it_never_starts() -> None:
    # Lambda counts its own errors; a function that does not come to its log's first line writes none.
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::Sub"]
        for _, alarm in alarms()
        if (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    }
    functions = read("functions").resources("AWS::Serverless::Function")
    assert watched == {function["Properties"]["FunctionName"]["Fn::Sub"] for _, function in functions}


def test_a_standstill_that_the_sweep_sees_wakes_somebody_within_minutes() -> None:
    schedule = next(f for n, f in read("functions").resources("AWS::Serverless::Function") if n == "Sweep")
    (event,) = schedule["Properties"]["Events"].values()
    assert event["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    alarm = next(each for _, each in alarms() if each["MetricName"] == "sweep-errors")
    assert (alarm["Period"], alarm["Threshold"], alarm["ComparisonOperator"]) == (60, 0, "GreaterThanThreshold")
    # Missing looks are no errors, so that it is enough for two to have one.
    assert 1 < alarm["DatapointsToAlarm"] < alarm["EvaluationPeriods"] <= 5
    assert alarm["AlarmDescription"].endswith("#payments-stand-still")


def test_as_many_alarms_are_told_of_as_there_are() -> None:
    count = sum(1 for t in ("alarms", "alarms-stores") for _ in read(t).resources("AWS::CloudWatch::Alarm"))
    assert f"[{count} alarms](operations/aws-alarms.md)" in (ROOT / "docs/aws.md").read_text()


def test_every_metric_that_an_alarm_takes_from_a_log_is_counted() -> None:
    counted = {
        filter_["Properties"]["MetricTransformations"][0]["MetricName"]
        for _, filter_ in read("logs").resources("AWS::Logs::MetricFilter")
    }
    ours = [alarm["MetricName"] for _, alarm in alarms() if isinstance(alarm["Namespace"], Mapping)]
    assert {name for name in ours if name != HOST_TELLS} == counted


def test_a_locations_host_tells_what_its_alarm_misses() -> None:
    (alarm,) = [each for _, each in alarms() if each["MetricName"] == HOST_TELLS]
    assert (alarm["Namespace"], alarm["TreatMissingData"]) == ({"Fn::Sub": "sdt/${RegionName}"}, "breaching")
    (host,) = [each for name, each in read("enclave").resources("AWS::EC2::Instance") if name == "Host"]
    assert '"sdt/${RegionName}" ${AWS::Region}' in host["Properties"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    script = (HERE / "hosts/location/install").read_text()
    assert "namespace=$4 region=$5" in script and "$namespace:location-$party-enclave $region" in script


# Secrets


def environment(node: Any) -> Iterator[tuple[str, Any]]:
    """The variables that functions and containers are started with."""
    for key, value in values(node):
        if key == "Variables":
            yield from value.items()
        elif key == "Environment" and isinstance(value, list):
            yield from ((each["Name"], each["Value"]) for each in value)


def test_every_variable_is_a_setting_and_none_is_a_secret() -> None:
    seen = dict(pair for template in ALL for pair in environment(template.said))
    assert len(seen) >= 6
    configured = dict.fromkeys(seen, "")
    refuse_unknown_variables(configured, keys_of(Settings))
    assert all(name.startswith("SDT_") for name in seen)
    assert not [name for name in seen if name not in RESERVED and re.search(r"SECRET|PASSWORD|TOKEN", name)]


@pytest.mark.parametrize("template", ALL, ids=by_name)
def test_no_secret_is_a_parameter_or_written_down(template: Template) -> None:
    for name in template.parameters:
        secret = re.search(r"secret|password|token|private_?key|credential", name, re.IGNORECASE)
        assert not secret or name.endswith("Arn"), f"{name}: put it into the secrets store and name it"
    for key, _ in values(template.said):
        assert key not in ("SecretString", "MasterUserPassword")
    assert "{{resolve:secretsmanager" not in template.text


# Functions


def test_every_handler_is_a_module_of_ours_that_says_handler() -> None:
    handlers = [f["Properties"]["Handler"] for _, f in read("functions").resources("AWS::Serverless::Function")]
    assert len(handlers) == len(set(handlers)) == 4
    for handler in handlers:
        module, _, name = handler.rpartition(".")
        spec = find_spec(module)
        assert spec is not None and spec.origin is not None, handler
        assert f"\n{name} = " in Path(spec.origin).read_text(), handler


def test_a_message_is_hidden_for_as_long_as_lambda_asks() -> None:
    functions = dict(read("functions").resources("AWS::Serverless::Function"))
    visible_after_s = read("queue").parameters["VisibilityTimeoutSeconds"]["Default"]
    assert visible_after_s >= 6 * functions["Screening"]["Properties"]["Timeout"]
    source = functions["Screening"]["Properties"]["Events"]["Queue"]["Properties"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


# What holds data


KEPT = {
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::KMS::Key",
    "AWS::EFS::FileSystem",
    "AWS::S3::Bucket",
    "AWS::RDS::DBInstance",
    "AWS::EC2::Volume",
    "AWS::Logs::LogGroup",
    "AWS::Backup::BackupVault",
    "AWS::ECR::Repository",
}


def test_what_holds_data_outlives_its_stack() -> None:
    seen = set()
    for template in ALL:
        for name, resource in template.resources(*KEPT):
            seen.add(resource["Type"])
            # Not what a creation that failed made: its name would be in the way of the next.
            assert resource.get("DeletionPolicy") in ("RetainExceptOnCreate", "Snapshot"), f"{template.name}: {name}"
            assert resource.get("UpdateReplacePolicy") in ("Retain", "Snapshot"), f"{template.name}: {name}"
    assert seen == KEPT


def test_what_may_be_sealed_is_sealed_with_a_key_of_its_own() -> None:
    wanted = {
        "AWS::SQS::Queue": "KmsMasterKeyId",
        "AWS::SNS::Topic": "KmsMasterKeyId",
        "AWS::SecretsManager::Secret": "KmsKeyId",
        "AWS::EFS::FileSystem": "KmsKeyId",
        "AWS::RDS::DBInstance": "KmsKeyId",
        "AWS::EC2::Volume": "KmsKeyId",
        "AWS::Logs::LogGroup": "KmsKeyId",
        "AWS::Backup::BackupVault": "EncryptionKeyArn",
    }
    for template in ALL:
        for name, resource in template.resources(*wanted):
            assert resource["Properties"].get(wanted[resource["Type"]]), f"{template.name}: {name}"
        for name, key in template.resources("AWS::KMS::Key"):
            assert key["Properties"]["EnableKeyRotation"] is True, name


def test_a_share_is_opened_for_a_measured_image_alone() -> None:
    statements = dict(read("enclave").resources("AWS::KMS::Key"))["ShareKey"]["Properties"]["KeyPolicy"]["Statement"]
    plain = [s for s in statements if "Sid" in s]
    upgrade = next(s["Fn::If"] for s in statements if "Fn::If" in s)
    assert upgrade[0] == "Upgrading" and upgrade[2] == {"Ref": "AWS::NoValue"}
    plaintext = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:CreateGrant"}
    using = [s for s in (*plain, upgrade[1]) if plaintext & set(s["Action"])]
    assert len(using) == 2
    for statement in using:
        assert statement["Action"] == ["kms:Decrypt"]
        assert statement["Condition"]["StringEquals"] == {"kms:EncryptionContext:sdt": "signer-seal"}
        measured = statement["Condition"]["StringEqualsIgnoreCase"]
        assert set(measured) == {f"kms:RecipientAttestation:{pcr}" for pcr in ("ImageSha384", "PCR1", "PCR2")}
    # and no debug enclave, whose measurements are zeros, can be named
    pattern = read("enclave").parameters["Pcr0"]["AllowedPattern"]
    assert re.match(pattern, "ab" * 48) and not re.match(pattern, "00" * 48)


def test_a_database_may_be_made_whose_password_is_sealed_with_the_key_of_secrets() -> None:
    # Source: Amazon RDS User Guide, "Permissions required for Secrets Manager integration" (a customer managed key).
    database = dict(read("data").resources("AWS::RDS::DBInstance"))["Database"]["Properties"]
    assert database["MasterUserSecret"] == {"KmsKeyId": {"Ref": "SecretKeyArn"}}
    policy = dict(read("keys").resources("AWS::KMS::Key"))["SecretKey"]["Properties"]["KeyPolicy"]["Statement"]
    for action in ("kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"):
        for service in ("rds", "secretsmanager"):
            through = {"Fn::Sub": service + ".${AWS::Region}.amazonaws.com"}
            allowed = [
                statement["Condition"]
                for statement in policy
                if action in statement["Action"]
                and through in statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService", [])
            ]
            assert allowed, (action, service)
            assert action != "kms:CreateGrant" or allowed[0]["Bool"] == {"kms:GrantIsForAWSResource": "true"}


# Hosts


@pytest.mark.parametrize("template", ALL, ids=by_name)
def test_an_update_looks_nothing_up_that_would_replace_a_host(template: Template) -> None:
    assert not [name for name, said in template.parameters.items() if "AWS::SSM::" in said["Type"]]
    for name, host in template.resources("AWS::EC2::Instance"):
        image = template.parameters[host["Properties"]["ImageId"]["Ref"]]
        assert image["Type"] == "AWS::EC2::Image::Id" and "Default" not in image, name


def test_a_validator_is_started_as_everywhere_else() -> None:
    node = Node("node-1", True, "0x" + "ab" * 20, "cd" * 64, 30303, 8545)
    plan = Plan("besu", 7919, 120_000_000, 1, (node,))
    command = client_of("besu").command(plan, plan.nodes[0], Place("besu", "/node", "10.0.0.1", 8545, 30303))
    script = (HERE / "hosts/validator/install").read_text()
    for option in command[1:]:
        assert f" {option.partition('=')[0]}=" in script or f" {option} " in script, option
    # Peers are in a list here; whoever can call the node may not add any.
    assert "ADMIN" not in script


@pytest.mark.parametrize("script", ["location/install", "location/enclave", "validator/install"])
def test_a_hosts_script_is_shell(script: str) -> None:
    subprocess.run(["bash", "-n", HERE / "hosts" / script], check=True)


# Exceptions


def test_every_exception_from_checkov_is_in_the_table() -> None:
    table = (ROOT / "docs/aws.md").read_text()
    skipped = [
        (template.name, name, skip)
        for template in ALL
        for name, resource in template.resources()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    for template, name, skip in skipped:
        assert len(skip["comment"]) > 30
        assert f"| `{skip['id']}` | `{template}`, {name} | {skip['comment']} |" in table, (template, name)
    assert len(re.findall(r"^\| `CKV", table, re.MULTILINE)) == len(skipped)
