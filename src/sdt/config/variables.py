"""SDT_ variables of the environment: each must name a setting that exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sdt.config.errors import ConfigurationInvalid, nearest
from sdt.config.known import ANY, Keys, leaves

__all__ = ["PREFIX", "RESERVED", "refuse_unknown_variables"]

PREFIX = "SDT_"
RESERVED = {
    "SDT_ENV": "which environment of the settings file is laid over the defaults",
    "SDT_SETTINGS": "a settings file laid over the packaged one",
    "SDT_DATA": "folder of the outside test data; read by the tests alone",
    "SDT_TEST_DATABASE": "`postgresql` runs on it what else has a SQLite file of its own; read by the tests alone",
    "SDT_FAULT_SEED": "seed of the fault tests; read by them alone",
    "SDT_NETWORK_MINUTES": "how long a test kills nodes of a network; read by it alone",
}


def refuse_unknown_variables(environ: Mapping[str, str], keys: Keys) -> None:
    """Refuse a variable that configures nothing, before it silently does nothing.

    Errors: ConfigurationInvalid, naming the variable (never its value) and the nearest right one.
    """
    for name, value in environ.items():
        if name.startswith("DYNACONF_") or name.endswith("_FOR_DYNACONF"):
            # Dynaconf reads these whatever its prefix, and they would change what is loaded.
            raise ConfigurationInvalid(f"{name}: variables that configure the platform begin with {PREFIX}")
        if not name.startswith(PREFIX) or name in RESERVED:
            continue
        if not _exists(name, keys):
            raise ConfigurationInvalid(f"there is no variable {name}; {_hint(name, keys)}")
        if value.startswith("@") and not value.startswith("@str "):
            raise ConfigurationInvalid(f"{name}: only '@str ' may stand before a value")


def _exists(name: str, keys: Keys) -> bool:
    here: Keys | None = keys
    for part in name.removeprefix(PREFIX).lower().split("__"):
        if here is None or (part not in here and ANY not in here) or not part:
            return False
        here = here.get(part, here.get(ANY))
    return here is None


def _hint(name: str, keys: Keys) -> str:
    known = [*_variables(keys), *RESERVED]
    folded = {variable.lower(): variable for variable in known}
    guess = nearest(name, folded)
    return f"did you mean {folded[guess]}?" if guess else "docs/configuration.md lists them all"


def _variables(keys: Keys) -> Iterator[str]:
    for path in leaves(keys):
        yield PREFIX + path.replace(".", "__").upper()
