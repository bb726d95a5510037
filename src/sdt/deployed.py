"""Settings of a deployment: those of its files and variables, and over them what it keeps in Parameter Store.

`settings/chain/nodes/besu-1` there is the setting chain.nodes.besu-1. `digests/NAME` is the SHA-256 of a file that
every process of the deployment must have: its regions' files, and deployment.json. Whoever has another one does not
start, for it would judge by other rules than its neighbours.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sdt.adapters.aws import client
from sdt.adapters.chain.deployment import DEPLOYMENT_FILE
from sdt.adapters.parameters import Parameters
from sdt.config import ConfigurationInvalid, Settings, load_settings

__all__ = ["load_deployed", "open_parameters", "publish"]

_SETTINGS = "settings/"
_DIGESTS = "digests/"


def load_deployed(home: Path | None = None, *, check_files: bool = True) -> Settings:
    """Return the settings in force for a process of a deployment, once its files are what they should be.

    Only a process that reads none of these files, and may not even have the folder, does without the check.
    Errors: ConfigurationInvalid; AwsRefused, AwsUnreachable where settings name a path in Parameter Store.
    """
    settings = load_settings(home=home)
    if not settings.aws.parameters:
        return settings
    told = open_parameters(settings).all()
    overrides = {
        name.removeprefix(_SETTINGS).replace("/", "."): _value(text)
        for name, text in told.items()
        if name.startswith(_SETTINGS)
    }
    settings = load_settings(home=home, overrides=overrides)
    for name, file in _files(settings) if check_files else ():
        _check(name, file, told)
    return settings


def open_parameters(settings: Settings) -> Parameters:
    """Return the parameters of this deployment. Errors: ConfigurationInvalid when settings name no path."""
    if not settings.aws.parameters:
        raise ConfigurationInvalid("aws.parameters: name the path of this deployment in Parameter Store")
    return Parameters(client("ssm", settings.aws, read_s=10, once=True), settings.aws.parameters)


def publish(settings: Settings) -> dict[str, str]:
    """Write the digests of this home's files for every other process to compare with; return them by name."""
    parameters = open_parameters(settings)
    digests = {name: _digest(file) for name, file in _files(settings) if file.is_file()}
    for name, digest in digests.items():
        parameters.put(_DIGESTS + name, digest)
    return digests


def _files(settings: Settings) -> Iterator[tuple[str, Path]]:
    for region in settings.regions:
        yield f"regions/{region}", settings.region_file(region)
    yield DEPLOYMENT_FILE, settings.home / DEPLOYMENT_FILE


def _check(name: str, file: Path, told: Mapping[str, str]) -> None:
    expected = told.get(_DIGESTS + name)
    if expected is not None and (not file.is_file() or _digest(file) != expected):
        raise ConfigurationInvalid(f"{file} is not the file that this deployment runs with (SHA-256 {expected})")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _value(text: str) -> Any:
    """Read a value as a variable's is read: TOML, else text; behind "@str " it is text, whatever it looks like."""
    if text.startswith("@str "):
        return text.removeprefix("@str ")
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
