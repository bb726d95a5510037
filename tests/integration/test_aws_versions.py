"""What changes of a deployment reach the alias `live`: those for which SAM's own transform makes another version."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from deploy_region import Deployment
from templates import Template, read

import outside

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
TRANSFORM = """
import json, sys
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse
made = []
for text, values in json.load(sys.stdin):
    here = {"AWS::Region": "us-east-1", "AWS::Partition": "aws"}
    made.append(Translator({}, Parser()).translate(yaml_parse(text), {**values, **here})["Resources"])
print(json.dumps(made))
"""
GIVEN = {"RegionName": "texas", "PackageKey": f"functions/{'0' * 64}.zip"}
FUNCTIONS = ("Api", "Screening", "Sweep", "Rotation")


def transformed(*deployments: tuple[Template, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return what CloudFormation would be left with of each template and what it is told, by resource."""
    python = ROOT / ".tools/localstack/bin/python"
    if not python.exists():
        outside.lacking("SAM's transform, which `make emulators` installs with LocalStack")
    given = []
    for template, told in deployments:
        known = {n: f"arn:{n}" for n, p in template.parameters.items() if "Default" not in p}
        parameters = Deployment(None, {**GIVEN, **told}, known=known).parameters(template)
        given.append((template.text, {p["ParameterKey"]: p["ParameterValue"] for p in parameters}))
    command = [python, "-c", TRANSFORM]
    environment = {"AWS_DEFAULT_REGION": "us-east-1"}
    run = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr[-2_000:]
    made: list[dict[str, Any]] = json.loads(run.stdout)
    return made


def version(resources: Mapping[str, Any], function: str) -> str:
    """Return the version that the alias of a function stands on, by its name in the stack."""
    found: str = resources[f"{function}Aliaslive"]["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
    assert resources[found]["Type"] == "AWS::Lambda::Version"
    # It outlives its successor, so that there is one to go back to.
    assert resources[found]["DeletionPolicy"] == "Retain"
    return found


def test_every_change_of_what_functions_run_with_reaches_live_and_nothing_else_does() -> None:
    functions = read("functions")
    written = functions.text.replace("MemorySize: 256", "MemorySize: 384")
    assert written != functions.text
    changes = {
        "memory by its parameter": (functions, {"ApiMemoryMb": "1024"}),
        "a variable by its parameter": (functions, {"PersonalKeyArn": "arn:another"}),
        "a role": (functions, {"RotationRoleArn": "arn:another"}),
        "code": (functions, {"PackageKey": f"functions/{'1' * 64}.zip"}),
        "settings elsewhere": (functions, {"SettingsNote": "with another vendor"}),
        "the template": (Template("functions", written, functions.said), {}),
    }
    before, again, *after = transformed((functions, {}), (functions, {}), *changes.values())
    assert again == before
    for change, resources in zip(changes, after, strict=True):
        for function in FUNCTIONS:
            assert version(resources, function) != version(before, function), f"{change}: {function}"
            # Lambda makes no version of a function that is as its last version was.
            assert resources[function] != before[function], f"{change}: {function}"
