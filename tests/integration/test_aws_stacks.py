"""What LocalStack can deploy of a region's stacks is as the templates say; a second deployment changes nothing."""

from __future__ import annotations

import json

import pytest
from deploy_region import Deployment, DeploymentFailed
from templates import order, read

from aws_rig import aws_settings
from aws_stacks import GIVEN, STACKS, TOLD_BY_OTHERS
from sdt.adapters.aws import client

pytestmark = pytest.mark.slow


def test_a_second_deployment_changes_nothing(region_stacks: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    before = dict(region_stacks.known)
    region_stacks.deploy(STACKS)
    assert capsys.readouterr().out.splitlines() == [f"sdt-texas-{name}: unchanged" for name in STACKS]
    assert region_stacks.known == before


def test_a_plan_shows_a_change_and_makes_none(
    region_stacks: Deployment, localstack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = {**GIVEN, "ReceivesMax": "7"}
    plan = Deployment(region_stacks.cloudformation, changed, 0.2, dict(TOLD_BY_OTHERS))
    plan.deploy(["queue"], execute=False)
    assert "AWS::SQS::Queue" in (shown := capsys.readouterr().out) and shown.endswith("sdt-texas-queue: planned\n")
    queue = client("sqs", aws_settings(localstack)).get_queue_attributes(
        QueueUrl=region_stacks.known["QueueUrl"], AttributeNames=["RedrivePolicy"]
    )
    assert json.loads(queue["Attributes"]["RedrivePolicy"])["maxReceiveCount"] in (5, "5")


def test_a_stack_that_is_told_too_little_is_not_begun(region_stacks: Deployment) -> None:
    lacking = Deployment(region_stacks.cloudformation, {"RegionName": "nowhere"}, 0.2)
    with pytest.raises(DeploymentFailed, match="queue: nothing says MessageKeyArn"):
        lacking.deploy(["queue"])
    assert lacking._status("sdt-nowhere-queue") is None


def test_a_stack_that_fails_says_why_and_nothing_after_it_is_touched(region_stacks: Deployment) -> None:
    # Given a region that begins with keys, which LocalStack does not make
    administrator = "arn:aws:iam::000000000000:role/key-administrators"
    given = {**GIVEN, "RegionName": "ohio", "KeyAdministratorArn": administrator}
    failing = Deployment(region_stacks.cloudformation, given, 0.2, dict(TOLD_BY_OTHERS))
    with pytest.raises(DeploymentFailed, match=r"sdt-ohio-keys: \w*ROLLBACK\w*: \w+Key: "):
        failing.deploy(["keys", "queue"])
    assert failing._status("sdt-ohio-queue") is None


def elsewhere(region_stacks: Deployment, name: str) -> Deployment:
    """Another region's deployment at the same CloudFormation."""
    known = {**region_stacks.known, **TOLD_BY_OTHERS}
    return Deployment(region_stacks.cloudformation, {**GIVEN, "RegionName": name}, 0.2, known)


def test_a_first_creation_that_failed_is_begun_again_with_the_same_command(
    region_stacks: Deployment, localstack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a stack that cannot be made, for one of its log groups is there already
    logs = client("logs", aws_settings(localstack))
    logs.create_log_group(logGroupName="/sdt/iowa/settlement")
    with pytest.raises(DeploymentFailed, match="sdt-iowa-logs: ROLLBACK_COMPLETE: SettlementLogs: "):
        elsewhere(region_stacks, "iowa").deploy(["logs"])
    # When a plan is asked for, then nothing is touched
    elsewhere(region_stacks, "iowa").deploy(["logs"], execute=False)
    assert region_stacks._status("sdt-iowa-logs") == "ROLLBACK_COMPLETE"
    # When the cause is gone and the same command is given
    logs.delete_log_group(logGroupName="/sdt/iowa/settlement")
    elsewhere(region_stacks, "iowa").deploy(["logs"])
    # Then the stack is made, whole
    assert capsys.readouterr().out.endswith("sdt-iowa-logs: made\n")
    groups = logs.describe_log_groups(logGroupNamePrefix="/sdt/iowa/")["logGroups"]
    assert len(groups) == sum(1 for _ in read("logs").resources("AWS::Logs::LogGroup"))


def test_a_deployment_that_was_interrupted_waits_for_what_it_began(
    region_stacks: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given one that was killed while its stack was being made
    interrupted = elsewhere(region_stacks, "utah")
    monkeypatch.setattr(interrupted, "_wait", lambda stack: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        interrupted.deploy(["roles"])
    assert region_stacks._status("sdt-utah-roles") == "CREATE_IN_PROGRESS"
    # When the same command is given
    elsewhere(region_stacks, "utah").deploy(["roles"])
    # Then it is made once, and protected as all are
    assert capsys.readouterr().out.endswith("sdt-utah-roles: unchanged\n")
    assert (region_stacks._described("sdt-utah-roles") or {})["EnableTerminationProtection"] is True


def test_the_queue_is_as_the_template_says(region_stacks: Deployment, localstack: str) -> None:
    sqs = client("sqs", aws_settings(localstack))
    told = sqs.get_queue_attributes(QueueUrl=region_stacks.known["QueueUrl"], AttributeNames=["All"])["Attributes"]
    assert told["FifoQueue"] == "true"
    assert (told["DeduplicationScope"], told["FifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")
    assert told["VisibilityTimeout"] == "180"
    redrive = json.loads(told["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == region_stacks.known["DeadQueueArn"]
    assert told["KmsMasterKeyId"] == TOLD_BY_OTHERS["MessageKeyArn"]
    denied = [s["Sid"] for s in json.loads(told["Policy"])["Statement"] if s["Effect"] == "Deny"]
    assert denied == ["OverTlsOnly", "ThisAccountOnly"]


def test_every_alarm_is_there_and_tells_the_topic(region_stacks: Deployment, localstack: str) -> None:
    found = client("cloudwatch", aws_settings(localstack)).describe_alarms(AlarmNamePrefix="sdt-texas-")["MetricAlarms"]
    wanted = sum(1 for name in ("alarms", "alarms-stores") for _ in read(name).resources("AWS::CloudWatch::Alarm"))
    assert len(found) == wanted
    assert {tuple(alarm["AlarmActions"]) for alarm in found} == {(region_stacks.known["AlarmTopicArn"],)}


def test_each_process_has_its_log(region_stacks: Deployment, localstack: str) -> None:
    groups = client("logs", aws_settings(localstack)).describe_log_groups(logGroupNamePrefix="/sdt/texas/")["logGroups"]
    wanted = {"access", "api", "rotation", "screening", "settlement", "sweep"}
    assert {group["logGroupName"].removeprefix("/sdt/texas/") for group in groups} == wanted


def test_a_role_names_the_queue_that_was_made(region_stacks: Deployment, localstack: str) -> None:
    iam = client("iam", aws_settings(localstack))
    policy = iam.get_role_policy(RoleName="sdt-texas-api", PolicyName="api")["PolicyDocument"]
    (queue,) = (s for s in policy["Statement"] if s["Sid"] == "Queue")
    assert queue["Resource"] == region_stacks.known["QueueArn"]


def test_every_stack_is_either_deployed_here_or_told_of() -> None:
    refused = {
        "keys",
        "network",
        "perimeter",
        "storage",
        "data",
        "backup",
        "functions",
        "rotation",
        "api",
        "settlement",
    }
    assert refused | set(STACKS) == set(order())
