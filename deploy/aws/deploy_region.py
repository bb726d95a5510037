"""Deploy the stacks of a region in their order: `python deploy/aws/deploy_region.py region.toml`.

Every stack is changed by a change set, which is shown before it is executed; `--plan` shows and executes none. What is
up to date is left alone, what was begun is waited for, and what is left of a first creation that failed is deleted: so
an interrupted deployment is begun again with the same command. Credentials come from the environment or the machine's
role.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from templates import Template, order, read

CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
POLL_S = 5.0
STACK_S_MAX = 5400
"""A database with a standby takes up to three quarters of an hour to be made."""
PUBLISH_DIGEST = "PublishDigest"
"""The parameter that nobody gives: it stands for the template and all its other parameters, and is new when one is."""
_AT_WORK = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
"""Stacks that can be changed. Source: CloudFormation User Guide, "Stack status codes"."""
_NEVER_MADE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
"""What a first creation that failed leaves behind: a stack that can only be deleted, and that nobody ever used."""
_BEGINS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
_UNCHANGED = re.compile(r"didn't contain changes|No updates are to be performed|no changes", re.IGNORECASE)


class DeploymentFailed(Exception):
    """A stack could not be made or changed; the message says which and why."""


@dataclass
class Deployment:
    """One region's stacks at one CloudFormation. `given` holds the region's own parameters."""

    cloudformation: Any
    given: Mapping[str, str]
    poll_s: float = POLL_S
    known: dict[str, str] = field(default_factory=dict)

    def deploy(self, names: Iterable[str], *, execute: bool = True) -> None:
        """Make or change these stacks, each with what is given and what the earlier ones told.

        Errors: DeploymentFailed; nothing after a stack that failed is touched.
        """
        for name in names:
            template = read(name)
            changed = self._change(template, execute=execute)
            if execute:
                # Also of one that is unchanged: whoever made it may have been interrupted before this.
                self.cloudformation.update_termination_protection(
                    StackName=self.stack(name), EnableTerminationProtection=True
                )
            print(f"{self.stack(name)}: {changed}", flush=True)
            self.known |= self._outputs(self.stack(name))

    def stack(self, name: str) -> str:
        """Return the name of a stack of this region."""
        return f"sdt-{self.given['RegionName']}-{name}"

    def parameters(self, template: Template) -> list[dict[str, str]]:
        """Return a template's parameters with their values. Errors: DeploymentFailed, naming those that have none."""
        values = {**self.known, **self.given}
        asked = {n: p for n, p in template.parameters.items() if n != PUBLISH_DIGEST}
        missing = [n for n, p in asked.items() if n not in values and "Default" not in p]
        if missing:
            raise DeploymentFailed(f"{template.name}: nothing says {', '.join(missing)}")
        told = {n: values[n] for n in asked if n in values}
        if PUBLISH_DIGEST in template.parameters:
            said = json.dumps([template.text, told], sort_keys=True)
            told[PUBLISH_DIGEST] = hashlib.sha256(said.encode()).hexdigest()
        return [{"ParameterKey": n, "ParameterValue": value} for n, value in told.items()]

    def _change(self, template: Template, *, execute: bool) -> str:
        stack, change = self.stack(template.name), f"change-{int(time.time() * 1000)}"
        status = self._at_rest(stack, "REVIEW_IN_PROGRESS")
        if status in _NEVER_MADE:
            if not execute:
                return f"planned: it is {status}, so what its first creation left is deleted, and it is made again"
            status = self._deleted(stack)
        new = status in (None, "REVIEW_IN_PROGRESS")
        if not new and status not in _AT_WORK:
            raise DeploymentFailed(f"{stack}: {status}, which takes a hand: {'; '.join(self._reasons(stack))}")
        self.cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=change,
            ChangeSetType="CREATE" if new else "UPDATE",
            TemplateBody=template.text,
            Parameters=self.parameters(template),
            Capabilities=CAPABILITIES,
            Tags=[
                {"Key": "sdt:region", "Value": self.given["RegionName"]},
                {"Key": "sdt:stack", "Value": template.name},
            ],
        )
        found = self._settled_change(stack, change)
        if found["Status"] == "FAILED":
            if _UNCHANGED.search(found.get("StatusReason", "")):
                self.cloudformation.delete_change_set(StackName=stack, ChangeSetName=change)
                return "unchanged"
            raise DeploymentFailed(f"{stack}: {found.get('StatusReason')}")
        for each in found["Changes"]:
            what = each["ResourceChange"]
            replaced = " (REPLACED)" if what.get("Replacement") == "True" else ""
            print(f"  {what['Action']:7} {what['ResourceType']:40} {what['LogicalResourceId']}{replaced}")
        if not execute:
            self.cloudformation.delete_change_set(StackName=stack, ChangeSetName=change)
            return "planned"
        self.cloudformation.execute_change_set(StackName=stack, ChangeSetName=change)
        self._wait(stack)
        return "made" if new else "changed"

    def _settled_change(self, stack: str, change: str) -> dict[str, Any]:
        until = time.monotonic() + 300
        while time.monotonic() < until:
            found: dict[str, Any] = self.cloudformation.describe_change_set(StackName=stack, ChangeSetName=change)
            if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
                return found
            time.sleep(self.poll_s)
        raise DeploymentFailed(f"{stack}: its change set is not ready after five minutes")

    def _deleted(self, stack: str) -> str | None:
        """Delete what a first creation left, and return its status if something stays: its resources went already."""
        print(f"{stack}: what its first creation left is deleted", flush=True)
        self.cloudformation.delete_stack(StackName=stack)
        return self._at_rest(stack)

    def _wait(self, stack: str) -> None:
        status = self._at_rest(stack)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise DeploymentFailed(f"{stack}: {status}: {'; '.join(self._reasons(stack))}")

    def _at_rest(self, stack: str, *also: str) -> str | None:
        """Return the status that a stack comes to once nothing goes on in it, or one of `also`."""
        until = time.monotonic() + STACK_S_MAX
        while time.monotonic() < until:
            status = self._status(stack)
            if status is None or status in also or not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(self.poll_s)
        raise DeploymentFailed(f"{stack}: not done after {STACK_S_MAX // 60} minutes")

    def _status(self, stack: str) -> str | None:
        described = self._described(stack)
        return None if described is None else str(described["StackStatus"])

    def _described(self, stack: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        except self.cloudformation.exceptions.ClientError as error:
            if "does not exist" not in str(error):
                raise
            return None
        return found

    def _outputs(self, stack: str) -> dict[str, str]:
        described = self._described(stack) or {}
        return {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}

    def _reasons(self, stack: str) -> list[str]:
        failed = []
        for page in self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
            for each in page["StackEvents"]:
                status = each.get("ResourceStatus", "")
                if status.endswith("FAILED"):
                    failed.append(f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}")
                # The latest comes first: behind where this began is what failed at other times.
                elif each["LogicalResourceId"] == stack and status in _BEGINS:
                    return failed[:-6:-1]
        return failed[:-6:-1]


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and deploy."""
    parser = argparse.ArgumentParser(description="Deploy the stacks of a region, in their order.")
    parser.add_argument("file", type=Path, help="the region's parameters, as region.example.toml shows")
    parser.add_argument("--until", choices=order(), help="stop after this stack")
    parser.add_argument("--plan", action="store_true", help="show what would change, and change nothing")
    arguments = parser.parse_args(argv)
    told = tomllib.loads(arguments.file.read_text())
    import boto3

    client = boto3.client("cloudformation", region_name=told["aws_region"])
    names = order()
    if arguments.until:
        names = names[: names.index(arguments.until) + 1]
    try:
        Deployment(client, told["parameters"]).deploy(names, execute=not arguments.plan)
    except DeploymentFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
