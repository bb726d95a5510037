"""The stacks of a region that LocalStack can deploy, deployed by the same program from the same templates as on AWS.

It refuses keys, networks, databases, HTTP APIs and containers, and functions without Docker: what those stacks would
have told the later ones is told here.
"""

from __future__ import annotations

from typing import Final

import pytest
from deploy_region import Deployment

from aws_rig import aws_settings
from sdt.adapters.aws import client

STACKS: Final = ("queue", "secrets", "logs", "alarms", "alarms-stores", "roles", "roles-processes", "dashboard")
REGION_NAME: Final = "texas"
_HERE: Final = "us-east-1:000000000000"
_KEY: Final = f"arn:aws:kms:{_HERE}:key/1b9a2e6e-4f0a-4d57-9f6e-3c0c9a1d8e11"
TOLD_BY_OTHERS: Final = {
    "MessageKeyArn": _KEY,
    "SecretKeyArn": _KEY,
    "PersonalKeyArn": _KEY,
    "HomeArn": f"arn:aws:elasticfilesystem:{_HERE}:access-point/fsap-0a1b2c3d4e5f60718",
    "FolderArn": f"arn:aws:elasticfilesystem:{_HERE}:file-system/fs-0a1b2c3d4e5f60718",
    "ImagesArn": f"arn:aws:ecr:{_HERE}:repository/sdt-texas-settlement",
    "ProxyResourceId": "prx-0a1b2c3d4e5f60718",
    "DatabaseMasterSecretArn": f"arn:aws:secretsmanager:{_HERE}:secret:rds!db-0c6a4b8e-52d8-47a1-8a52-a1b2c3",
    "DatabaseResourceId": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "ApiId": "a1b2c3d4e5",
}
GIVEN: Final = {
    "RegionName": REGION_NAME,
    "OperatorPrincipalArn": "arn:aws:iam::000000000000:role/operators",
    "AlarmEmail": "operations@texas.example",
}


@pytest.fixture(scope="session")
def region_stacks(localstack: str) -> Deployment:
    """The region's stacks, deployed once for this run; `known` holds what they told."""
    deployment = Deployment(client("cloudformation", aws_settings(localstack)), GIVEN, 0.2, dict(TOLD_BY_OTHERS))
    deployment.deploy(STACKS)
    return deployment
