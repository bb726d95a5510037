"""CloudFormation templates as data: what stands in them, with their short intrinsic functions spelt out."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's tags."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


@dataclass(frozen=True)
class Template:
    """One template: its name, its text as it is deployed, and what it says."""

    name: str
    text: str
    said: Mapping[str, Any]

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """What it asks for, by name."""
        return self.said.get("Parameters", {})

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        """What it tells later stacks, by name."""
        return self.said.get("Outputs", {})

    def resources(self, *kinds: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the resources of these types, or all."""
        for name, resource in self.said["Resources"].items():
            if not kinds or resource["Type"] in kinds:
                yield name, resource


def read(name: str) -> Template:
    """Read a template by its name."""
    text = (HERE / "templates" / f"{name}.yaml").read_text()
    return Template(name, text, yaml.load(text, _Loader))  # noqa: S506 - a SafeLoader


def order() -> list[str]:
    """Return the region's stacks in the order of their deployment."""
    return list(tomllib.loads((HERE / "stacks.toml").read_text())["order"])


def elsewhere() -> list[str]:
    """Return the stacks that others deploy in accounts of their own."""
    return list(tomllib.loads((HERE / "stacks.toml").read_text())["elsewhere"])
