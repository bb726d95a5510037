"""The demo's story on Amazon's services: SQS and Secrets Manager of LocalStack, PostgreSQL, functions of Lambda."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path

import pytest

from aws_rig import aws_settings
from sdt.adapters.aws import client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


async def test_the_story_runs_unchanged_on_amazons_services(
    tmp_path: Path, localstack: str, postgres_database: str
) -> None:
    # Given settings that name LocalStack and PostgreSQL, and nothing else than the demo's own command
    name = uuid.uuid4().hex[:12]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SDT_")} | {
        "SDT_ENV": "localstack",
        "SDT_AWS__ENDPOINT_URL": localstack,
        "SDT_DATABASE__URL": postgres_database,
        "SDT_QUEUE__NAME": f"story-{name}.fifo",
        "SDT_VAULT__PREFIX": f"story-{name}/",
        "SDT_SIGNING__STOCK_PER_PAIR": "60",
        "SDT_SIGNING__STOCK_PER_PAIR_MIN": "20",
        "SDT_SIGNING__JOB_PRESIGNATURES": "40",
        "TMPDIR": str(tmp_path),
    }

    # When it is told
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("sdt"), "demo", "--once"),
        cwd=tmp_path,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()

    # Then its books agree and its attacks are refused, as anywhere
    assert process.returncode == 0, output.decode()[-4_000:]
    assert "Every balance agrees, every attack was refused." in output.decode()
    # and it was told over that queue and that vault: nothing waits in the one, the platform's keys are in the other
    sqs, secrets = (client(service, aws_settings(localstack)) for service in ("sqs", "secretsmanager"))
    address = sqs.get_queue_url(QueueName=f"story-{name}.fifo")["QueueUrl"]
    counts = sqs.get_queue_attributes(QueueUrl=address, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == counts["ApproximateNumberOfMessagesNotVisible"] == "0"
    found = secrets.list_secrets(Filters=[{"Key": "name", "Values": [f"story-{name}/"]}], MaxResults=100)["SecretList"]
    assert {"personal/key", "transaction-ids/key"} <= {one["Name"].removeprefix(f"story-{name}/") for one in found}
