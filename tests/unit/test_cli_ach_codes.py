"""`sdt ach codes`: what it says is what the platform does."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sdt.cli.app import app


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("R01", "nothing is presented again: the depositor may make another deposit"),
        ("R25", "an officer's case: find what was wrong with our entry, for nothing is made again by itself"),
        ("C03", "the linked bank account is corrected at once (routing, account), or is an officer's case"),
        ("C09", "an officer's case: correct individual_id"),
        ("C61", "an officer's case: a notice of ours was refused"),
    ],
)
def test_what_is_said_of_a_code_is_what_is_done(code: str, said: str) -> None:
    ran = CliRunner().invoke(app, ["ach", "codes", code, "--json"])
    assert ran.exit_code == 0
    [row] = json.loads(ran.stdout)
    assert row["code"] == code
    assert row["action"].startswith(said)
