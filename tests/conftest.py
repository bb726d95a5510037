"""Fixtures for what is outside: a real database server, published test data, free ports."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import databases
import outside
import ports
import postgres
from aws_rig import aws_credentials, localstack, ministack, moto_server  # noqa: F401  (fixtures)
from aws_stacks import region_stacks  # noqa: F401  (fixture)
from store_rig import migrated_postgres, migrated_sqlite, postgres_store_url, store, store_url  # noqa: F401  (fixtures)

ALONE = (
    "faults/test_lease",
    "faults/test_migration_live",
    "faults/test_signer_network",
    "faults/test_vendor_faults",
    "integration/test_ach_day",
    "integration/test_function_cost",
    "integration/test_monitoring_scale",
    "integration/test_sanctions_rescreening",
    "integration/test_secrets_manager",
    "integration/test_signing_flow",
    "integration/test_store_speed",
)
"""Tests that hold something against the clock, and would measure their neighbours."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the machine to themselves; all others run two at a time."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.relative_to(folder).as_posix().startswith(ALONE):
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a database in a private PostgreSQL cluster, made for this run and shared by its tests."""
    bin_folder = postgres.binaries()
    if bin_folder is None:
        outside.lacking(postgres.HOW_TO_GET_IT)
    with postgres.cluster(bin_folder) as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database, made for this test."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.new_database(postgres_url, name)
    postgres.drop_database(postgres_url, name)


@pytest.fixture(scope="session")
def sdt_data() -> Path:
    """The folder of outside test data."""
    return outside.data_folder()


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listens on now."""
    return ports.free_port()


@pytest.fixture(autouse=databases.on_postgresql())
def whole_platforms_on_postgresql(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a run on PostgreSQL, whole platforms too keep their books there; each test has a database of its own.

    A module with EMBEDDED runs more than one platform in a test, each of which makes its own.
    """
    if hasattr(request.module, "running") and not hasattr(request.module, "EMBEDDED"):
        home = request.getfixturevalue("tmp_path")
        monkeypatch.setenv("SDT_DATABASE__URL", databases.database_at(home / "sdt.db"))
    yield
    databases.drop_all()


def pytest_sessionfinish() -> None:
    """End what the run had for itself."""
    databases.stop()
