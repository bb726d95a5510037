"""An emulator starts, answers a client of Amazon's own library, and leaves nothing running."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from aws_rig import aws_settings, running
from sdt.adapters.aws import client

pytestmark = pytest.mark.slow


def test_an_emulator_answers_and_goes(aws_credentials: Mapping[str, str]) -> None:
    with running("ministack") as emulator:
        queues = client("sqs", aws_settings(emulator.url))
        assert queues.create_queue(QueueName="one")["QueueUrl"].startswith(emulator.url)
        group = emulator.process_group
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


def test_credentials_are_made_up(aws_credentials: Mapping[str, str]) -> None:
    assert {name: value for name, value in os.environ.items() if name.startswith("AWS_")} == aws_credentials
