"""Settings: what wins, what is derived, and what is refused with the nearest right name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from sdt.config import ConfigurationInvalid, load_settings, open_ports


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("SDT_", "DYNACONF_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return file


# What wins


def test_defaults_are_the_embedded_platform_in_the_working_directory(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.home == tmp_path / ".sdt"
    assert settings.network == "sdt-sandbox"
    assert settings.database.url == f"sqlite:///{tmp_path}/.sdt/sdt.db"
    assert settings.signers["2"].state_folder == tmp_path / ".sdt" / "signer-2"
    assert settings.vault.passphrase_file is None


def test_environment_is_laid_over_the_defaults() -> None:
    settings = load_settings(env="test")
    assert settings.network == "sdt-test"
    assert settings.sandbox.banking_day_s == 0.2
    assert settings.chain.block_gas_limit == load_settings().chain.block_gas_limit


def test_environment_comes_from_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDT_ENV", "test")
    assert load_settings().network == "sdt-test"


def test_later_sources_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "[default.api]\nport = 1\ngather_ms = 1\nwait_s_max = 1\n")
    monkeypatch.setenv("SDT_API__GATHER_MS", "2")
    monkeypatch.setenv("SDT_API__WAIT_S_MAX", "2")
    settings = load_settings(file=file, overrides={"api.wait_s_max": 3}, home=tmp_path / "here")
    assert (settings.api.port, settings.api.gather_ms, settings.api.wait_s_max) == (1, 2, 3)
    assert settings.home == tmp_path / "here"


def test_a_file_may_bring_an_environment_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, '[texas.chain.nodes]\na = "http://10.0.0.1:8545"\nb = "http://10.0.0.2:8545"\n')
    monkeypatch.setenv("SDT_SETTINGS", str(file))
    settings = load_settings(env="texas")
    assert settings.chain.urls == ("http://10.0.0.1:8545", "http://10.0.0.2:8545")


def test_a_local_file_does_not_slip_in_beside_a_settings_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[default.api]\nport = 1\n")
    (tmp_path / "mine.local.toml").write_text("[default.api]\nport = 2\n")
    with pytest.raises(ConfigurationInvalid, match=r"mine\.local\.toml stands beside"):
        load_settings(file=file)


def test_a_text_that_looks_like_a_number_is_marked_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDT_VENDORS__ACH__KEY_SECRET", "12")
    with pytest.raises(ConfigurationInvalid, match="SDT_VENDORS__ACH__KEY_SECRET='@str …'"):
        load_settings()
    monkeypatch.setenv("SDT_VENDORS__ACH__KEY_SECRET", "@str 12")
    assert load_settings().vendors.ach.key_secret == "12"


# What is derived


def test_ports_left_open_are_listed_and_filled_from_the_home_folder(tmp_path: Path) -> None:
    unset = open_ports(load_settings(ports={}))
    assert {"api.port", "chain.port", "signers.1.port", "signers.3.job_port", "sandbox.bank_port"} <= set(unset)
    home = tmp_path / ".sdt"
    home.mkdir()
    (home / "ports.json").write_text(json.dumps({name: 20000 + i for i, name in enumerate(unset)}))
    settings = load_settings()
    assert open_ports(settings) == ()
    assert settings.api.url == f"http://127.0.0.1:{settings.api.port}"
    assert settings.chain.urls == (f"http://127.0.0.1:{settings.chain.port}",)
    assert settings.sandbox.url("bank") == f"http://127.0.0.1:{settings.sandbox.bank_port}"


def test_a_port_that_is_set_is_not_taken_from_the_home_folder(tmp_path: Path) -> None:
    settings = load_settings(overrides={"api.port": 8080}, ports={"api.port": 1})
    assert settings.api.url == "http://127.0.0.1:8080"


def test_a_named_database_file_keeps_its_place() -> None:
    settings = load_settings(overrides={"database.url": "sqlite:////var/lib/sdt/books.db"})
    assert settings.database.url == "sqlite:////var/lib/sdt/books.db"


def test_a_region_file_is_found_under_home(tmp_path: Path) -> None:
    file = tmp_path / ".sdt" / "regions" / "ohio.toml"
    file.parent.mkdir(parents=True)
    file.write_text('name = "Ohio"\n')
    settings = load_settings(overrides={"regions.ohio": "ohio.toml"})
    assert settings.region_file("ohio") == file
    with pytest.raises(ConfigurationInvalid, match="did you mean ohio"):
        settings.region_file("ohoi")


def test_the_region_of_the_demo_is_found_from_any_folder() -> None:
    assert load_settings().region_file("texas").is_file()


def test_settings_are_frozen() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.network = "other"  # type: ignore[misc]


# What is refused


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("SDT_EVN", "test", "did you mean SDT_ENV"),
        ("SDT_NETWROK", "x", "did you mean SDT_NETWORK"),
        ("SDT_CHIAN__CHAIN_ID", "1", "did you mean SDT_CHAIN__CHAIN_ID"),
        ("SDT_CHAIN__GAS_PRICE", "1", "did you mean SDT_CHAIN__GAS_PRICE_WEI"),
        ("SDT_CHAIN_GAS_PRICE_WEI", "1", "did you mean SDT_CHAIN__GAS_PRICE_WEI"),
        ("SDT_API__PORT__X", "1", "did you mean SDT_API__PORT"),
        ("SDT_API", "{port=1}", "there is no variable SDT_API"),
        ("SDT_SIGNERS__1__PROT", "1", "there is no variable"),
        ("DYNACONF_HOME", "x", "begin with SDT_"),
        ("MERGE_ENABLED_FOR_DYNACONF", "0", "begin with SDT_"),
        ("SDT_NETWORK", "@jinja {{ env.HOME }}", "only '@str '"),
        ("SDT_ENV", "tset", "did you mean test"),
        ("SDT_ENV", "production", "there is no environment 'production'"),
    ],
)
def test_a_mistyped_variable_is_refused_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationInvalid) as refused:
        load_settings()
    assert hint in refused.value.detail


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "[default.api]\nprot = 1\n",
            "mine.toml [default].api: there is no setting 'prot'; did you mean port?",
        ),
        ("[default]\nnetwrok = 'x'\n", "did you mean network"),
        ("[test.wroker]\nlinger_ms = 1\n", "did you mean worker"),
        ("[other.api]\nprot = 1\n", "did you mean port"),
        ("network = 'x'\n", "stands outside [default]"),
        ("[default]\napi = 1\n", "is a table, not one value"),
        ("[default.network]\na = 1\n", "is one value, not a table"),
        ("[default]\nnetwork = '@jinja {{ 1 }}'\n", "may not begin with '@'"),
        ("[default.chain]\ndynaconf_merge = true\n", "there is no setting 'dynaconf_merge'"),
        ("[default\n", "settings file"),
    ],
)
def test_a_mistyped_file_is_refused_with_the_nearest_name(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(ConfigurationInvalid) as refused:
        load_settings(file=written(tmp_path, text))
    assert hint in refused.value.detail


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match="No such file"):
        load_settings(file=tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"api.prot": 1}, "did you mean port"),
        ({"api.port": 70000}, "api.port"),
        ({"api.port": "8080"}, "api.port"),
        ({"worker.batch_items_max": 501}, "worker.batch_items_max"),
        ({"worker.linger_ms": -1}, "worker.linger_ms"),
        ({"logging.level": "loud"}, "logging.level"),
        ({"network": "Not A Name"}, "network"),
        ({"database.url": "mysql://x/y"}, "database.url"),
        ({"chain.nodes.a": "ws://x"}, "chain.nodes.a"),
        ({"network.x": 1}, "is one value, not a table"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused_by_name(overrides: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationInvalid) as refused:
        load_settings(overrides=overrides)
    assert said in refused.value.detail


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationInvalid) as refused:
        load_settings(overrides={"database.url": "postgresql://sdt:hunter2@db/sdt"})
    assert "vault" in refused.value.detail
    assert "hunter2" not in f"{refused.value!r} {refused.value.detail} {refused.value.__cause__}"


def test_a_broken_ports_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / ".sdt").mkdir()
    (tmp_path / ".sdt" / "ports.json").write_text("{")
    with pytest.raises(ConfigurationInvalid, match="delete it"):
        load_settings()
