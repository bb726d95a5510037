"""What the deployment does with answers of CloudFormation that no emulator gives, each in the service's own shape."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.session import Session
from botocore.stub import Stubber
from deploy_region import Deployment, DeploymentFailed

WHEN = datetime(2026, 11, 26, tzinfo=UTC)
GIVEN = {"RegionName": "texas", "MessageKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1"}
STACK = "sdt-texas-queue"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return Stubber(Session().create_client("cloudformation", region_name="us-east-1"))


def described(status: str) -> dict[str, Any]:
    return {"Stacks": [{"StackName": STACK, "CreationTime": WHEN, "StackStatus": status}]}


def events(*told: tuple[str, str, str]) -> dict[str, Any]:
    """Events, the latest first."""
    return {
        "StackEvents": [
            {
                "StackId": STACK,
                "EventId": str(n),
                "StackName": STACK,
                "Timestamp": WHEN,
                "LogicalResourceId": resource,
                "ResourceStatus": status,
                "ResourceStatusReason": why,
            }
            for n, (resource, status, why) in enumerate(told)
        ]
    }


def test_what_a_first_creation_left_and_cannot_be_deleted_is_named(answers: Stubber) -> None:
    answers.add_response("describe_stacks", described("ROLLBACK_FAILED"))
    answers.add_response("delete_stack", {}, {"StackName": STACK})
    answers.add_response("describe_stacks", described("DELETE_IN_PROGRESS"))
    answers.add_response("describe_stacks", described("DELETE_FAILED"))
    told = events(
        (STACK, "DELETE_FAILED", ""),
        ("Database", "DELETE_FAILED", "it is protected"),
        (STACK, "DELETE_IN_PROGRESS", "User Initiated"),
        ("Proxy", "CREATE_FAILED", "long mended"),
        (STACK, "CREATE_IN_PROGRESS", "User Initiated"),
    )
    answers.add_response("describe_stack_events", told)
    with answers, pytest.raises(DeploymentFailed, match="DELETE_FAILED.*Database: it is protected") as failed:
        Deployment(answers.client, GIVEN, 0).deploy(["queue"])
    assert "long mended" not in str(failed.value)
    answers.assert_no_pending_responses()


def test_a_stack_whose_update_could_not_be_taken_back_is_left_to_a_person(answers: Stubber) -> None:
    answers.add_response("describe_stacks", described("UPDATE_ROLLBACK_FAILED"))
    told = events(("Dead", "UPDATE_FAILED", "somebody deleted it"), (STACK, "UPDATE_IN_PROGRESS", "User Initiated"))
    answers.add_response("describe_stack_events", told)
    with answers, pytest.raises(DeploymentFailed, match="UPDATE_ROLLBACK_FAILED.*Dead: somebody deleted it"):
        Deployment(answers.client, GIVEN, 0).deploy(["queue"])


def test_a_plan_deletes_nothing(answers: Stubber, capsys: pytest.CaptureFixture[str]) -> None:
    answers.add_response("describe_stacks", described("ROLLBACK_COMPLETE"))
    answers.add_response("describe_stacks", described("ROLLBACK_COMPLETE"))
    with answers:
        Deployment(answers.client, GIVEN, 0).deploy(["queue"], execute=False)
    assert "planned: it is ROLLBACK_COMPLETE" in capsys.readouterr().out
