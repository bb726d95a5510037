"""Functions over what settings name: opened once a process, when it starts. Each imports only what it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sdt.config import Settings
from sdt.config.logs import set_up_logging
from sdt.deployed import load_deployed

if TYPE_CHECKING:
    from sdt.functions.api import ApiFunction
    from sdt.functions.rotation import RotationFunction
    from sdt.functions.screening import ScreeningFunction
    from sdt.functions.sweep import SweepFunction

__all__ = ["open_api", "open_rotation", "open_screening", "open_sweep"]


def _settings(function: str, *, check_files: bool = True) -> Settings:
    settings = load_deployed(check_files=check_files)
    set_up_logging(settings, f"function-{function}")
    return settings


def open_api() -> ApiFunction:
    """Open the API. Errors: ConfigurationInvalid; those of the store and the vault."""
    from sdt.api.opening import open_services
    from sdt.functions.api import ApiFunction
    from sdt.observing.start import decide

    settings = _settings("api")
    decide(endpoint=settings.telemetry.endpoint, sample=settings.telemetry.sample)
    services = open_services(settings, settings.api.url)
    # One request at a time: nobody else's is worth waiting for.
    return ApiFunction(replace(services, limits=replace(services.limits, gather_ms=0)))


def open_screening() -> ScreeningFunction:
    """Open screening. Errors: ConfigurationInvalid; those of the store, the vault and the vendor's folder."""
    from sdt.adapters.aml.http import HttpAml
    from sdt.backends import open_database, open_vault, open_wrapping
    from sdt.domain.region import load_region
    from sdt.functions.list_search import ListSearch
    from sdt.functions.screening import ScreeningFunction
    from sdt.vendors import open_vendor
    from sdt.worker.clock import Clock
    from sdt.worker.sanctions import Sanctions
    from sdt.workflows.people import People

    settings = _settings("screening")
    vault = open_vault(settings)
    store = open_database(settings)
    region = load_region(settings.region_file(next(iter(settings.regions))).read_bytes())
    clock = Clock()
    people = People(store, open_wrapping(settings))
    aml = HttpAml(open_vendor(settings, "aml", secret=lambda: vault.get(settings.vendors.aml.key_secret).text()))
    sanctions = Sanctions(store, people, aml, ListSearch(store, settings.home), region, clock)
    return ScreeningFunction(store, region, sanctions, clock)


def open_sweep() -> SweepFunction:
    """Open the sweeper. Errors: ConfigurationInvalid; those of the store and the queue."""
    from sdt.backends import open_database, open_queue
    from sdt.functions.sweep import SweepFunction
    from sdt.worker.clock import Clock

    settings = _settings("sweep")
    return SweepFunction(open_database(settings), open_queue(settings), Clock())


def open_rotation() -> RotationFunction:
    """Open the rotation of the platform's own keys. Errors: ConfigurationInvalid."""
    from sdt.adapters.aws import client
    from sdt.functions.rotation import RotationFunction

    # It has no home folder, and needs none.
    settings = _settings("rotation", check_files=False)
    # Not the key of people: what it wrapped before the last rotation but one would open no more.
    names = [f"{settings.vault.prefix}transaction-ids/key"]
    return RotationFunction(client("secretsmanager", settings.aws, read_s=10), names)
