"""What the next start of the platform leaves of a signer's folder, and what it writes anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sdt.signing.config import load_signer_config
from sdt.signing.provision import Address, provision

PORTS = [Address("127.0.0.1", 7000 + party, 7100 + party, 7200 + party) for party in (1, 2, 3)]


def start(home, addresses=PORTS):
    provision(
        home,
        addresses,
        network="test",
        chain_urls=["http://127.0.0.1:1"],
        region_file=home / "region.toml",
        deployment_file=home / "deployment.json",
        now=datetime.now(UTC),
    )
    return [load_signer_config(home / f"signer-{party}") for party in (1, 2, 3)]


def edit(config, old, new):
    file = config.home / "signer.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.fixture
def configs(tmp_path):
    return start(tmp_path)


def test_a_counter_put_on_other_storage_stays_there_at_the_next_start(tmp_path, configs):
    edit(configs[0], '"../counters/signer-1"', '"/mnt/other/signer-1"')
    again = start(tmp_path, [replace(each, port=each.port + 1000) for each in PORTS])
    assert str(again[0].counter_file) == "/mnt/other/signer-1"
    assert again[1].counter_file.resolve() == tmp_path / "counters" / "signer-2"
    assert again[0].me.port == 8001  # while a port is written anew


def test_a_home_that_moves_takes_its_counters_along(tmp_path, configs):
    old, new = tmp_path / "old", tmp_path / "new"
    config = start(old)[0]
    edit(config, '"../counters/signer-1"', f'"{old}/counters/signer-1"')  # as earlier versions wrote it
    assert start(old)[0].counter_file.resolve() == old / "counters" / "signer-1"
    old.rename(new)
    assert [config.counter_file.resolve() for config in start(new)] == [
        new / "counters" / f"signer-{party}" for party in (1, 2, 3)
    ]


def test_where_a_location_has_its_pages_stays_and_their_port_does_not(tmp_path, configs):
    edit(configs[2], 'health_host = "127.0.0.1"', 'health_host = "10.0.0.3"')
    again = start(tmp_path, [replace(each, health_port=each.health_port + 1) for each in PORTS])
    assert (again[2].observing.health_host, again[2].observing.health_port) == ("10.0.0.3", 7204)
    assert again[0].observing.health_host == "127.0.0.1"
