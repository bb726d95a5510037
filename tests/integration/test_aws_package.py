"""The package of the functions: built from the lock with pip alone, small, and every handler opens from it alone."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from build_functions import HERE, PARTS, ROOT, RUNTIME, Package, build, pack
from templates import read

from called_services import actions_from
from sdt.backends import open_database
from sdt.config import load_settings
from sdt.local.secrets import make_secrets

MIB = 1024 * 1024
SOURCE = ROOT / "src" / "sdt"
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
OPENS = """
import importlib, json, sys, time
sys.path.insert(0, sys.argv[1])
took = {}
for name in ("rotation", "sweep", "screening", "api"):
    begun = time.perf_counter()
    assert callable(importlib.import_module(f"sdt.functions.entry.{name}").handler)
    took[name] = time.perf_counter() - begun
others = [m.__file__ for m in sys.modules.values() if "site-packages" in str(getattr(m, "__file__", ""))]
print(json.dumps({"took": took, "others": others, "modules": sorted(sys.modules)}))
"""

CLIENTS = """
import sys
sys.path.insert(0, sys.argv[1])
from sdt.adapters.aws import client
from sdt.config.model import Aws
for service in sys.argv[2:]:
    client(service, Aws(region="us-east-1", endpoint_url="", parameters="", endpoints={}))
"""


def locked(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", file.read_text(), re.MULTILINE))


def test_versions_are_the_platforms_own() -> None:
    ours, platforms = locked(HERE / "functions.lock"), locked(ROOT / "requirements-dev.lock")
    assert len(ours) > 30
    assert {name: platforms.get(name) for name in ours} == ours


def imported_from(module: str, seen: set[str]) -> set[str]:
    """Return the packages of others that a module of ours comes to import, at once or when it needs them."""
    path = SOURCE.parent.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if module in seen or not file.exists():
        return set()
    seen.add(module)
    found: set[str] = set()
    names = [parent for parent in (module.rpartition(".")[0],) if parent]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    for name in names:
        found |= imported_from(name, seen) if name.startswith("sdt") else {name.partition(".")[0]}
    return found


def test_the_list_names_what_the_functions_import_and_nothing_else() -> None:
    seen: set[str] = set()
    entries = ("api", "rotation", "screening", "sweep")
    imported = set().union(*(imported_from(f"sdt.functions.entry.{name}", seen) for name in entries))
    distributions = packages_distributions()
    needed = {distributions[name][0].lower().replace("_", "-") for name in imported if name in distributions}
    listed = {line.partition("[")[0] for line in (HERE / "functions.in").read_text().split("\n") if line[:1].isalpha()}
    assert listed <= needed
    # What comes with another (starlette with fastapi, say) is locked and not listed.
    assert needed - OPTIONAL <= set(locked(HERE / "functions.lock"))
    # And the package holds all of ours that they reach.
    tops = {name.split(".")[1] for name in seen if "." in name}
    assert tops <= {part.removesuffix(".py") for part in PARTS}


OPTIONAL = {"opentelemetry-sdk", "opentelemetry-api", "opentelemetry-exporter-otlp-proto-http"}
"""Loaded only where settings name a collector of traces."""


def test_it_is_built_for_the_python_that_the_functions_run_on() -> None:
    assert read("functions").said["Globals"]["Function"]["Runtime"] == f"python{RUNTIME}"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    # For the Python that runs this, so that what is built can be imported here.
    return build(tmp_path_factory.mktemp("functions") / "built", RUNNING)


@pytest.mark.slow
def test_every_handler_opens_from_the_package_and_nothing_else(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a home, as a first deployment leaves it
    monkeypatch.setenv("SDT_HOME", str(tmp_path))
    settings = load_settings()
    make_secrets(settings)
    open_database(settings, migrate=True).close()

    # When each function is opened by a Python that has nothing installed (-I -S: no site-packages, no environment)
    command = [sys.executable, "-I", "-S", "-c", OPENS, str(package.file.parent / "package")]
    environment = {"SDT_HOME": str(tmp_path), "HOME": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=tmp_path)

    # Then all of them did, from there alone
    assert run.returncode == 0, run.stderr[-2_000:]
    told = json.loads(run.stdout)
    assert set(told["took"]) == {"api", "screening", "sweep", "rotation"} and told["others"] == []
    loaded = {name.partition(".")[0] for name in told["modules"]}
    assert not loaded & {"web3", "eth", "mpyc", "gmpy2", "numpy", "uvicorn", "pytest"}


@pytest.mark.slow
def test_a_client_of_every_service_that_a_function_calls_is_made_from_the_package(
    package: Package, tmp_path: Path
) -> None:
    openings = ("open_api", "open_rotation", "open_screening", "open_sweep")
    called = set().union(*(actions_from("sdt.functions.opening", name) for name in openings))
    # IAM's name of signing in to a database is not the client's.
    services = {action.partition(":")[0].replace("rds-db", "rds") for action in called}
    assert {"kms", "rds", "secretsmanager", "sqs", "ssm"} <= services
    command = [sys.executable, "-I", "-S", "-c", CLIENTS, str(package.file.parent / "package"), *sorted(services)]
    environment = {"HOME": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stderr[-2_000:]


@pytest.mark.slow
def test_it_is_small(package: Package) -> None:
    print(f"{package.zipped_bytes / MIB:.1f} MiB, unzipped {package.unzipped_bytes / MIB:.1f} MiB")
    # Lambda takes 250 MiB unzipped; what is read at a cold start should be far less.
    assert package.unzipped_bytes < 130 * MIB
    assert package.zipped_bytes < 50 * MIB
    names = {path.name for path in (package.file.parent / "package" / "sdt").iterdir()}
    assert not names & {"signing", "sandbox", "demo", "desk", "cli", "local", "network", "supervise", "contracts"}


@pytest.mark.slow
def test_the_same_sources_are_the_same_package(package: Package, tmp_path: Path) -> None:
    assert pack(package.file.parent / "package", tmp_path).digest == package.digest
    assert re.fullmatch(read("functions").parameters["PackageKey"]["AllowedPattern"], package.key)
