"""The demo's story on Amazon's services: the region's stacks on LocalStack, PostgreSQL, functions, KMS of moto."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from deploy_region import Deployment

from aws_rig import aws_settings
from sdt.adapters.aws import client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

MEMORY_KB_MAX = 128 * 1024


async def test_the_story_runs_unchanged_on_amazons_services(
    tmp_path: Path, localstack: str, moto_server: str, postgres_database: str, region_stacks: Deployment
) -> None:
    # Given queue and secrets as the region's stacks made them, a key of KMS, a database, and the demo's own command
    key = client("kms", aws_settings(moto_server)).create_key()["KeyMetadata"]["Arn"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SDT_")} | {
        "SDT_ENV": "localstack",
        "SDT_AWS__ENDPOINT_URL": localstack,
        "SDT_DATABASE__URL": postgres_database,
        "SDT_QUEUE__NAME": region_stacks.known["QueueName"],
        "SDT_QUEUE__CREATE": "false",
        "SDT_VAULT__PREFIX": "sdt/texas/",
        "SDT_AWS__ENDPOINTS__KMS": moto_server,
        "SDT_PERSONAL__WRAPPED_BY": "kms",
        "SDT_PERSONAL__KMS_KEY": key,
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
    telling = asyncio.create_task(process.communicate())
    peak_kb = 0
    while not (await asyncio.wait({telling}, timeout=1))[0]:
        peak_kb = max(peak_kb, _api_function_peak_kb(tmp_path))
    output, _ = await telling

    # Then its books agree and its attacks are refused, as anywhere
    assert process.returncode == 0, output.decode()[-4_000:]
    assert "Every balance agrees, every attack was refused." in output.decode()
    # and the API's function, which speaks to all of them, kept to the memory that it is given
    assert 0 < peak_kb <= MEMORY_KB_MAX
    # and it was told over that queue, with those secrets and that key
    sqs, secrets = (client(service, aws_settings(localstack)) for service in ("sqs", "secretsmanager"))
    for url in (region_stacks.known["QueueUrl"], region_stacks.known["DeadQueueUrl"]):
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert counts["ApproximateNumberOfMessages"] == counts["ApproximateNumberOfMessagesNotVisible"] == "0"
    for name in ("transaction-ids/key", "vendors/aml/key"):
        assert "LastAccessedDate" in secrets.describe_secret(SecretId=f"sdt/texas/{name}"), name
    with psycopg.connect(postgres_database) as books:
        wrapped = [bytes(row[0]) for row in books.execute("SELECT wrapped FROM person_keys WHERE wrapped IS NOT NULL")]
    assert wrapped and all(key.encode() in each for each in wrapped)


def _api_function_peak_kb(folder: Path) -> int:
    """Return the most memory that a living process of the API's function, of the home in this folder, ever had."""
    peaks = [0]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"sdt.functions.entry.api.handler" not in (process / "cmdline").read_bytes():
                continue
            if f"SDT_HOME={folder}/".encode() in (process / "environ").read_bytes():
                told = (process / "status").read_text()
                peaks.append(int(told.partition("VmHWM:")[2].split()[0]) if "VmHWM:" in told else 0)
    return max(peaks)
