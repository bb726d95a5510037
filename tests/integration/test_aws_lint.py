"""The templates of a region before outside judges: cfn-lint by CloudFormation's schemas, checkov by its rules."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import outside

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "deploy" / "aws" / "templates"
pytestmark = pytest.mark.slow


def judge(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    folder = ROOT / ".tools" / "iac"
    if not (folder / "installed").exists():
        outside.lacking("cfn-lint and checkov, which `make emulators` installs into .tools/iac")
    # No proxy and no key of this machine: nothing is asked of anybody outside.
    environment = {"PATH": f"{folder / 'bin'}:{os.defpath}", "HOME": str(folder), "LOG_LEVEL": "ERROR"}
    command = [folder / "bin" / name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False, timeout=250)


def test_cfn_lint_finds_nothing() -> None:
    judged = judge("cfn-lint", "--non-zero-exit-code", "informational", *map(str, sorted(TEMPLATES.glob("*.yaml"))))
    assert judged.returncode == 0, judged.stdout


def test_cfn_lint_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((TEMPLATES / "queue.yaml").read_text().replace("FifoQueue: true", "FifoQueue: perhaps"))
    assert judge("cfn-lint", str(wrong)).returncode != 0


def test_checkov_finds_nothing_but_the_exceptions() -> None:
    judged = judge(
        "checkov", "--skip-download", "--framework", "cloudformation", "--directory", str(TEMPLATES), "--output", "json"
    )
    summary = json.loads(judged.stdout)
    failed = summary["results"]["failed_checks"]
    assert not failed, [(each["check_id"], each["file_path"], each["resource"]) for each in failed]
    assert summary["summary"]["parsing_errors"] == 0
    assert summary["summary"]["passed"] > 250
    # The table in docs/aws.md lists them, with their reasons.
    assert summary["summary"]["skipped"] == 3
