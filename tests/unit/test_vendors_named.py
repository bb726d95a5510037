"""Which folder, which address and which secret a vendor has: what settings say, before anything else does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sdt.adapters.vault import SealedFile, SecretNotFound
from sdt.adapters.vendor.errors import VendorFolderInvalid
from sdt.adapters.vendor.shipped import SHIPPED
from sdt.config import Settings, load_settings
from sdt.domain.errors import NotFound
from sdt.vendors import find_folder, open_vendor, open_vendors, vendor_url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def settings_of(home: Path, **overrides: object) -> Settings:
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    ports = {"sandbox.bank_port": 1, "sandbox.kyc_port": 2, "sandbox.aml_port": 3, "sandbox.depository_port": 4}
    return load_settings(home=home, overrides=dotted, ports=ports)


def test_a_folder_of_the_home_comes_before_one_that_ships_and_a_path_before_both(home: Path) -> None:
    assert find_folder(home, "sandbox-kyc") == SHIPPED / "sandbox-kyc"
    own = Path(shutil.copytree(SHIPPED / "plains-kyc", home / "vendors" / "sandbox-kyc"))
    assert find_folder(home, "sandbox-kyc") == own
    assert find_folder(home, str(SHIPPED / "sandbox-kyc")) == SHIPPED / "sandbox-kyc"
    assert find_folder(home, "vendors/sandbox-kyc") == own
    with pytest.raises(NotFound, match="plains-kyc"):
        find_folder(home, "acme")
    with pytest.raises(NotFound):
        find_folder(home, "..")


def test_a_folder_for_another_kind_is_refused(home: Path) -> None:
    with pytest.raises(VendorFolderInvalid, match="settings want one for kyc, and this is one for aml"):
        open_vendor(settings_of(home, vendors__kyc__folder="sandbox-aml"), "kyc", secret=lambda: "x")


def test_settings_say_where_before_the_folder_and_the_folder_before_the_sandbox(home: Path) -> None:
    settings = settings_of(home)
    assert vendor_url(settings, "ach", "") == "http://127.0.0.1:1"
    assert vendor_url(settings, "treasury", "https://bank.example") == "https://bank.example"
    settings = settings_of(home, vendors__ach__url="https://other.example")
    assert vendor_url(settings, "ach", "https://bank.example") == "https://other.example"


async def test_a_secret_that_the_vault_lacks_is_told_at_once(home: Path) -> None:
    settings = settings_of(home)
    vault = SealedFile.open(settings.vault.sealed_file, settings.vault.key_file)
    with pytest.raises(SecretNotFound):
        open_vendors(settings)
    for kind in ("ach", "treasury", "kyc", "aml", "depository"):
        vault.put(f"vendors/{kind}/key", b"x")
    vendors = open_vendors(settings)
    assert [one.name for one in vendors.health()] == [
        *("sandbox-ach", "sandbox-treasury", "sandbox-kyc", "sandbox-aml", "sandbox-depository")
    ]
    with pytest.raises(SecretNotFound, match="vendors/ach/key-read"):
        open_vendors(settings, read_only=True)
    await vendors.close()


def test_a_folder_that_changed_is_read_anew(home: Path) -> None:
    own = Path(shutil.copytree(SHIPPED / "sandbox-kyc", home / "vendors" / "mine"))
    settings = settings_of(home, vendors__kyc__folder="mine")
    assert open_vendor(settings, "kyc", secret=lambda: "x").health().name == "sandbox-kyc"
    text = (own / "vendor.toml").read_text()
    (own / "vendor.toml").write_text(text.replace('name = "sandbox-kyc"', 'name = "mine"'))
    assert open_vendor(settings, "kyc", secret=lambda: "x").health().name == "mine"
