"""What a fresh folder in a lost location's place has of the old one: all that its settings name."""

from __future__ import annotations

import shutil
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sdt.domain.errors import SdtError
from sdt.signing.config import load_signer_config
from sdt.signing.provision import Address, provision
from sdt.signing.relocate import relocate, relocation_pending

POLICY = '[[image]]\nname = "x"\n' + "".join(f'pcr{n} = "{"11" * 48}"\n' for n in range(3))


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    """The folder of a location that was used, among three."""
    home = tmp_path / "home"
    provision(
        home,
        [Address("127.0.0.1", 7000 + party, 7100 + party) for party in (1, 2, 3)],
        network="test",
        chain_urls=["http://127.0.0.1:1"],
        region_file=home / "region.toml",
        deployment_file=home / "deployment.json",
        now=datetime.now(UTC),
    )
    (home / "signer-3" / "signer.db").touch()
    return home / "signer-3"


def name_files(lost: Path, **files: str) -> None:
    """Have signer.toml name these files."""
    file = lost / "signer.toml"
    said = tomllib.loads(file.read_text())
    text = file.read_text()
    for name, path in files.items():
        if name in said:
            text = text.replace(f'{name} = "{said[name]}"', f'{name} = "{path}"')
        else:
            text = f'{name} = "{path}"\n' + text
    file.write_text(text)


def test_what_lies_in_the_folder_lies_in_the_fresh_one(lost: Path) -> None:
    # Given files as an enclave has them, one in a folder below, one by its whole path, one that is a link
    name_files(
        lost,
        attestation="attestation.toml",
        region_file="rules/region.toml",
        deployment_file=str(lost / "deployment.json"),
    )
    (lost / "rules").mkdir()
    (lost / "rules" / "region.toml").write_text("the region")
    (lost / "deployment.json").write_text("{}")
    (lost.parent / "policy.toml").write_text(POLICY)
    (lost / "attestation.toml").symlink_to("../policy.toml")
    before = load_signer_config(lost)
    # When the old folder is set aside and destroyed
    shutil.rmtree(relocate(lost.parent, 3))
    # Then the fresh one has them, and demands what the old one did
    fresh = load_signer_config(lost)
    assert fresh.region_file.read_text() == "the region"
    assert fresh.deployment_file.read_text() == "{}"
    assert fresh.attestation == before.attestation is not None
    assert fresh.intent_key(fresh.sealer()).verify_key == fresh.intent_keys()[3] != before.intent_keys()[3]


def test_what_lies_elsewhere_is_found_there_and_not_copied(lost: Path) -> None:
    (lost.parent / "policy.toml").write_text(POLICY)
    name_files(lost, attestation="../policy.toml")
    before = load_signer_config(lost)
    shutil.rmtree(relocate(lost.parent, 3))
    fresh = load_signer_config(lost)
    assert (fresh.attestation, fresh.region_file) == (before.attestation, before.region_file)
    assert fresh.attestation is not None
    assert not [path.name for path in lost.rglob("*") if path.name in ("policy.toml", "region.toml")]


def test_where_a_file_is_missing_nothing_is_done(lost: Path) -> None:
    name_files(lost, attestation="attestation.toml")
    before = {path: path.read_bytes() for path in lost.iterdir()}
    with pytest.raises(SdtError, match=r"signer-3 names attestation\.toml") as refused:
        relocate(lost.parent, 3)
    assert refused.value.code == "signer_config"
    assert not relocation_pending(lost.parent)
    assert {path: path.read_bytes() for path in lost.iterdir()} == before
    # and when it is there, it is done
    (lost / "attestation.toml").write_text(POLICY)
    relocate(lost.parent, 3)
    assert load_signer_config(lost).attestation is not None
