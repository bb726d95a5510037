"""Files, variables and overrides, laid over each other by Dynaconf, become one `Settings`."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynaconf import Dynaconf
from pydantic import ValidationError

from sdt.config.errors import ConfigurationInvalid, did_you_mean, nearest
from sdt.config.known import Keys, keys_of, refuse_unknown
from sdt.config.model import Settings
from sdt.config.ports import read_ports
from sdt.config.variables import refuse_unknown_variables

__all__ = ["HOME_FILE", "PACKAGED_FILE", "load_settings"]

PACKAGED_FILE = Path(__file__).with_name("settings.toml")
HOME_FILE = "settings.toml"
"""In a home folder: what this platform alone is told, such as the chain that it joined."""
DEFAULT = "default"

KEYS: Keys = keys_of(Settings)


def load_settings(
    env: str | None = None,
    overrides: Mapping[str, object] | None = None,
    home: Path | None = None,
    *,
    file: Path | None = None,
    ports: Mapping[str, int] | None = None,
) -> Settings:
    """Return the settings in force; later wins: packaged file, the home's, `file`, SDT_ variables, `overrides`, `home`.

    `env` (else SDT_ENV) names the environment, `file` (else SDT_SETTINGS) one more settings file;
    `overrides` are by dotted name (`{"api.port": 8080}`). A port of 0 is filled from `ports`, or else
    from ports.json of the home folder.
    Errors: ConfigurationInvalid for anything unknown or of the wrong form, with the nearest right name.
    """
    named = file or os.environ.get("SDT_SETTINGS")
    files = [PACKAGED_FILE, Path(named).absolute()] if named else [PACKAGED_FILE]
    chosen = _environment(env or os.environ.get("SDT_ENV") or DEFAULT, files)
    refuse_unknown_variables(os.environ, KEYS)

    values = _overridden(_merged(files, chosen), overrides, home)
    home_folder = _home_of(values)
    if (home_folder / HOME_FILE).is_file():
        files.insert(1, home_folder / HOME_FILE)
        chosen = _environment(chosen, files)
        values = _overridden(_merged(files, chosen), overrides, home)
        if _home_of(values) != home_folder:
            raise ConfigurationInvalid(f"{home_folder / HOME_FILE} names another home")
    refuse_unknown(values, KEYS, "settings")
    values["home"] = home_folder
    _fill(values, home_folder, read_ports(home_folder) if ports is None else ports)
    _derive(values)
    return _validated(values)


def _overridden(values: dict[str, Any], overrides: Mapping[str, object] | None, home: Path | None) -> dict[str, Any]:
    for name, value in (overrides or {}).items():
        _put(values, name, value)
    if home is not None:
        values["home"] = str(home)
    return values


def _home_of(values: Mapping[str, Any]) -> Path:
    return Path(str(values["home"])).expanduser().absolute()


def _environment(name: str, files: list[Path]) -> str:
    """Check every file and the name: Dynaconf silently gives defaults for an unknown environment."""
    known = {DEFAULT}
    for file in files:
        local = file.with_suffix(f".local{file.suffix}")
        if local.exists():
            # Dynaconf lays it over the named file unasked and unchecked, and cannot be told not to.
            raise ConfigurationInvalid(f"{local} stands beside {file.name}: rename it, or name it alone")
        try:
            sections = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise ConfigurationInvalid(f"settings file {file}: {error.strerror}") from error
        except ValueError as error:
            raise ConfigurationInvalid(f"settings file {file}: {error}") from error
        for section, table in sections.items():
            if not isinstance(table, dict):
                raise ConfigurationInvalid(f"{file.name}: {section!r} stands outside [{DEFAULT}]")
            refuse_unknown(table, KEYS, f"{file.name} [{section}]")
        known |= sections.keys()
    if name not in known:
        hint = did_you_mean(nearest(name, known), known)
        raise ConfigurationInvalid(f"SDT_ENV: there is no environment {name!r}; {hint}")
    return name


def _merged(files: list[Path], env: str) -> dict[str, Any]:
    """Return one nested table from files and SDT_ variables, keys in lower case."""
    loaded = Dynaconf(
        settings_files=[str(file) for file in files],
        environments=True,
        env=env,
        envvar_prefix="SDT",
        merge_enabled=True,
        load_dotenv=False,
    )
    values: dict[str, Any] = _lowered(loaded.as_dict())
    return {name: value for name, value in values.items() if name in KEYS}


def _lowered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name).lower(): _lowered(below) for name, below in value.items()}
    return value


def _put(values: dict[str, Any], dotted: str, value: object) -> None:
    *sections, name = dotted.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigurationInvalid(f"override {dotted}: {section!r} is one value, not a table")
    values[name] = value


def _fill(values: dict[str, Any], home: Path, ports: Mapping[str, int], prefix: str = "") -> None:
    """Give open ports their number, and relative files and folders their place under home."""
    for name, value in values.items():
        if isinstance(value, dict):
            _fill(value, home, ports, f"{prefix}{name}.")
        elif (name == "port" or name.endswith("_port")) and value == 0:
            values[name] = ports.get(prefix + name, 0)
        elif name.endswith(("_file", "_folder")) and isinstance(value, str):
            values[name] = home / Path(value).expanduser() if value else None


def _derive(values: dict[str, Any]) -> None:
    """Say where the parts of this machine are, for every address that was left empty."""
    database, chain, api = (values[name] for name in ("database", "chain", "api"))
    relative = str(database["url"]).removeprefix("sqlite:///")
    if relative != database["url"] and relative != ":memory:":
        database["url"] = f"sqlite:///{values['home'] / relative}"
    if not chain["nodes"] and chain["port"]:
        chain["nodes"] = {"embedded": f"http://{chain['host']}:{chain['port']}"}
    if not api["url"] and api["port"]:
        api["url"] = f"http://{api['host']}:{api['port']}"


def _validated(values: dict[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        dotted = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "string_type":
            message += f" (from a variable, write SDT_{dotted.replace('.', '__').upper()}='@str …')"
        raise ConfigurationInvalid(f"{dotted}: {message}") from None
