"""What each role may do at Amazon's services is what its code may come to call, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from templates import elsewhere, order, read

from called_services import actions_from
from sdt import deployed
from sdt.adapters import parameters
from sdt.adapters.chain.deployment import DEPLOYMENT_FILE
from sdt.config import load_settings

ALL = [read(name) for name in (*order(), *elsewhere())]
OPENING = "sdt.functions.opening"
CODE = {
    "ApiRole": (OPENING, "open_api"),
    "ScreeningRole": (OPENING, "open_screening"),
    "SweepRole": (OPENING, "open_sweep"),
    "RotationRole": (OPENING, "open_rotation"),
    "SettlementRole": ("sdt.worker.__main__", "main"),
}
"""Where the code of each role begins."""

OPERATORS_COMMANDS = (
    *(("sdt.cli.queue", name) for name in ("status", "dead_letters", "redrive")),
    *(("sdt.cli.parameters", name) for name in ("list_", "publish")),
    ("sdt.cli.secrets", "rotate"),
)
"""What docs/operations/aws-alarms.md says that an operator's role is for."""
OPERATOR_BESIDE = {"secretsmanager:DescribeSecret"}
"""By Amazon's own command line: when a secret was changed last, for who does not know whether it was."""
OPERATOR_WITHOUT = {
    # Made, read and listed by others; a vendor's secret is rotated without.
    *("secretsmanager:CreateSecret", "secretsmanager:GetSecretValue", "secretsmanager:ListSecrets"),
    # For the key of people's keys, which is no operator's to rotate.
    "rds-db:connect",
    "sqs:CreateQueue",
}
"""What code behind these commands can call, and an operator may not."""

SESSIONS_COMMANDS = (
    ("sdt.cli.region", "open_"),
    ("sdt.cli.secrets", "rewrap"),
    ("sdt.cli.keys", "generate"),
    ("sdt.cli.parameters", "publish"),
    *(("sdt.cli.database", f"database_{name}") for name in ("migrate", "role", "scrub")),
)
"""What docs/aws.md says that a machine inside the network is for."""
SESSION_BESIDE = {
    # How people come to it.
    "ssm:UpdateInstanceInformation",
    *("ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel"),
    *("ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"),
    *("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"),  # the home folder
}
SESSION_WITHOUT = {
    # Keys that are missing are made at a first start; on AWS the stack makes them.
    *("secretsmanager:CreateSecret", "secretsmanager:ListSecrets", "secretsmanager:PutSecretValue"),
}
"""What code behind these commands can call, and no session may."""

LAMBDA = {
    *("logs:CreateLogStream", "logs:PutLogEvents"),  # its log
    *("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    *(
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ),  # its place
    *("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"),  # the home folder
}
FAILED_INVOCATIONS = {"sqs:SendMessage"}
SERVICE: Mapping[str, set[str]] = {
    "ApiRole": LAMBDA,
    # Lambda itself takes from the queue what it hands to the function, with the function's role.
    "ScreeningRole": LAMBDA
    | {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"},
    "SweepRole": LAMBDA,
    "RotationRole": LAMBDA | FAILED_INVOCATIONS,
    "SettlementRole": {"elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"},
}
"""What the service that runs the code does with the code's role, besides what the code calls."""

AT_HOME_ONLY = {
    # An emulator's queues are made at first use; production's are the stack's.
    "sqs:CreateQueue",
    # Keys that are missing are made at first start; on AWS the stack makes them.
    "secretsmanager:CreateSecret",
    # sdt's own command line, on the machine of whoever set a platform up by hand.
    "secretsmanager:ListSecrets",
}
"""What the code can call, and no role may."""

NOT_NARROWER = {"ec2", "ecr:GetAuthorizationToken", "cloudwatch:PutMetricData", "ssmmessages"}
"""Services and actions for which IAM knows no resource, or none before it is made."""


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every statement that lets a role or a managed policy do something."""
    for template in ALL:
        for name, resource in template.resources("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
            said = resource["Properties"]
            for document in [p["PolicyDocument"] for p in said.get("Policies", [])] + [said.get("PolicyDocument")]:
                for statement in (document or {"Statement": []})["Statement"]:
                    if statement["Effect"] == "Allow":
                        yield name, statement


def granted(role: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What a role may do, by its own policies and by the managed ones of ours that it carries."""
    resource = next(r for t in ALL for n, r in t.resources("AWS::IAM::Role") if n == role)
    ours = {each["Ref"] for each in resource["Properties"].get("ManagedPolicyArns", []) if "Ref" in each}
    for name, statement in statements():
        if name == role or name in ours:
            yield from ((action, statement) for action in listed(statement["Action"]))


@pytest.mark.parametrize("role", CODE)
def test_a_role_may_do_only_what_its_code_calls(role: str) -> None:
    calls = actions_from(*CODE[role])
    for action, statement in granted(role):
        through = "kms:ViaService" in str(statement.get("Condition"))
        # A service that seals for us uses the key in the name of whoever called it.
        assert action in calls or action in SERVICE[role] or (through and action.startswith("kms:")), action


def test_whatever_the_code_calls_some_role_may() -> None:
    called = set().union(*(actions_from(*place) for place in CODE.values()))
    allowed = {action for role in CODE for action, _ in granted(role)}
    assert called - AT_HOME_ONLY <= allowed | {a for a, _ in granted("OperatorRole")}
    assert not AT_HOME_ONLY & allowed


def test_an_operator_may_do_what_the_operators_commands_call_and_reads_no_secret() -> None:
    called = set().union(*(actions_from(*place) for place in OPERATORS_COMMANDS))
    allowed = {action for action, _ in granted("OperatorRole")}
    assert allowed - called == OPERATOR_BESIDE
    assert called - allowed == OPERATOR_WITHOUT


def test_a_session_inside_the_network_may_do_what_its_commands_call() -> None:
    called = set().union(*(actions_from(*place) for place in SESSIONS_COMMANDS))
    allowed = {action for action, _ in granted("SessionRole")}
    assert allowed - called == SESSION_BESIDE
    assert called - allowed == SESSION_WITHOUT


def test_a_session_is_a_machines_whose_role_the_key_of_people_lets_in() -> None:
    role = next(r for n, r in read("roles-processes").resources("AWS::IAM::Role") if n == "SessionRole")["Properties"]
    (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "ec2.amazonaws.com"}
    profiles = [p["Properties"] for _, p in read("roles-processes").resources("AWS::IAM::InstanceProfile")]
    assert [profile["Roles"] for profile in profiles] == [[{"Ref": "SessionRole"}]]
    statements = dict(read("keys").resources("AWS::KMS::Key"))["PersonalKey"]["Properties"]["KeyPolicy"]["Statement"]
    (using,) = [each for each in statements if "kms:Decrypt" in each["Action"]]
    role_arn = using["Condition"]["ArnLike"]["aws:PrincipalArn"]["Fn::Sub"]
    assert fnmatchcase("role/" + role["RoleName"]["Fn::Sub"], role_arn.rpartition(":")[2])


def test_a_session_reads_no_vendors_secret() -> None:
    read_ = [
        str(each)
        for action, statement in granted("SessionRole")
        if action == "secretsmanager:GetSecretValue"
        for each in listed(statement["Resource"])
    ]
    assert len(read_) == 3 and not [each for each in read_ if "vendors" in each or "${RegionName}/*" in each]


@pytest.mark.parametrize("role", ["OperatorRole", "SessionRole"])
def test_who_publishes_writes_what_publish_writes_and_no_setting(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = [
        each
        for action, statement in granted(role)
        if action == "ssm:PutParameter"
        for each in listed(statement["Resource"])
    ]
    allowed = [each["Fn::Sub"].partition(":parameter")[2].replace("${RegionName}", "texas") for each in resources]
    (tmp_path / "regions").mkdir()
    (tmp_path / "regions" / "texas.toml").write_text("anything")
    (tmp_path / DEPLOYMENT_FILE).write_text("anything")
    settings = load_settings(home=tmp_path, overrides={"aws.parameters": "/sdt/texas/"})
    written: list[str] = []
    monkeypatch.setattr(parameters, "call", lambda *_, Name, **__: written.append(Name))
    deployed.publish(settings)
    assert written == ["/sdt/texas/digests/regions/texas", "/sdt/texas/digests/deployment.json"]
    # A setting such as settings/vendors/aml/url is where a process sends a vendor's secret: an operator reads none.
    for name, may in [*((name, True) for name in written), ("/sdt/texas/settings/vendors/aml/url", False)]:
        assert any(fnmatchcase(name, pattern) for pattern in allowed) is may, name


def test_no_role_may_do_everything_of_a_service() -> None:
    seen = 0
    for name, statement in statements():
        assert "NotAction" not in statement and "NotResource" not in statement, name
        for action in listed(statement["Action"]):
            assert "*" not in action, f"{name}: {action}"
            if "*" in listed(statement["Resource"]):
                assert action.partition(":")[0] in NOT_NARROWER or action in NOT_NARROWER, f"{name}: {action} anywhere"
            seen += 1
    assert seen > 50


def test_every_function_has_a_role_of_its_own_that_only_its_service_takes() -> None:
    functions = [f["Properties"] for _, f in read("functions").resources("AWS::Serverless::Function")]
    roles = [function["Role"]["Ref"] for function in functions]
    assert len(set(roles)) == len(functions)
    for name, role in read("roles").resources("AWS::IAM::Role"):
        (trusted,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert isinstance(trusted["Principal"]["Service"], str), name


def test_a_person_takes_a_role_with_a_second_factor_only() -> None:
    operator = next(r for n, r in read("roles-processes").resources("AWS::IAM::Role") if n == "OperatorRole")
    (trusted,) = operator["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
