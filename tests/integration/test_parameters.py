"""Parameter Store: settings of a deployment laid over its files, and no process starts with other files."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aws_front import front
from aws_rig import aws_settings
from sdt.adapters import aws
from sdt.adapters.aws import AwsRefused, AwsUnreachable, client
from sdt.adapters.parameters import SEEN_WITHIN_S, VALUE_CHARS_MAX, Parameters
from sdt.cli.app import app
from sdt.config import ConfigurationInvalid
from sdt.deployed import load_deployed
from sdt.domain.errors import Forbidden, Invalid, Unavailable
from sdt.functions.opening import open_rotation, open_sweep
from vault_rig import Clock

pytestmark = pytest.mark.slow


@pytest.fixture(params=["localstack", "moto_server"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def home(tmp_path: Path, url: str) -> Path:
    """A home whose settings name a path of its own."""
    home = tmp_path / "home"
    (home / "regions").mkdir(parents=True)
    (home / "settings.toml").write_text(
        f'[default.aws]\nendpoint_url = "{url}"\nparameters = "/sdt/{uuid.uuid4().hex}/"\n'
    )
    return home


def written(home: Path, **values: str) -> None:
    """Write parameters of this home's path."""
    told = load_path(home)
    parameters = Parameters(client("ssm", aws_settings(told[1])), told[0])
    for name, value in values.items():
        parameters.put(name.replace("__", "/"), value)


def load_path(home: Path) -> tuple[str, str]:
    import tomllib

    told = tomllib.loads((home / "settings.toml").read_text())["default"]["aws"]
    return told["parameters"], told["endpoint_url"]


def test_what_is_put_is_read_over_pages_and_renewed_in_time(url: str) -> None:
    clock, path = Clock(), f"/sdt/{uuid.uuid4().hex}/"
    asked = client("ssm", aws_settings(url))
    parameters, other = Parameters(asked, path, clock), Parameters(asked, path, clock)
    assert parameters.all() == {}
    for n in range(12):
        other.put(f"settings/n{n}", f"value {n}")
    assert len(other.all()) == 12
    assert parameters.all() == {}, "remembered"
    clock.s += SEEN_WITHIN_S
    assert parameters.all() == {f"settings/n{n}": f"value {n}" for n in range(12)}
    other.put("settings/n3", "another")
    assert other.all()["settings/n3"] == "another"
    for value in ("", "x" * (VALUE_CHARS_MAX + 1)):
        with pytest.raises(Invalid):
            other.put("settings/n3", value)


def test_an_outage_leaves_what_was_seen_and_a_refusal_does_not(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "ATTEMPTS", 1)
    with front(url) as between:
        clock, asked = Clock(), client("ssm", aws_settings(between.url))
        parameters = Parameters(asked, f"/sdt/{uuid.uuid4().hex}/", clock)
        parameters.put("a", "1")
        assert parameters.all() == {"a": "1"}
        between.refuse_all = (503, "ServiceUnavailable")
        clock.s += SEEN_WITHIN_S
        assert parameters.all() == {"a": "1"}
        with pytest.raises(AwsUnreachable):
            Parameters(asked, "/sdt/new/", clock).all()
        between.refuse_all = (400, "AccessDeniedException")
        with pytest.raises(AwsRefused, match="AccessDenied"):
            parameters.all()


def test_settings_of_the_deployment_are_laid_over_those_of_the_files(home: Path) -> None:
    before = load_deployed(home)
    written(
        home,
        settings__chain__nodes__besu_1="http://10.0.0.1:8545",
        settings__api__backlog_max="77",
        settings__network="@str sdt-texas",
    )
    settings = load_deployed(home)
    assert settings.chain.nodes == {**before.chain.nodes, "besu_1": "http://10.0.0.1:8545"}
    assert (settings.api.backlog_max, settings.network) == (77, "sdt-texas")
    # a mistyped one is refused with its name, as everywhere
    written(home, settings__api__backlog_mox="1")
    with pytest.raises(ConfigurationInvalid, match="backlog_mox"):
        load_deployed(home)


def test_no_process_starts_with_another_region_file_than_the_deployments(home: Path) -> None:
    region = home / "regions" / "texas.toml"
    region.write_text((Path(__file__).resolve().parents[2] / "regions" / "texas.toml").read_text())
    (home / "deployment.json").write_text('{"chain_id": 7919}')
    done = CliRunner().invoke(app, ["parameters", "publish", "--home", str(home), "--json"])
    assert done.exit_code == 0, done.output
    assert set(json.loads(done.stdout)) == {"regions/texas", "deployment.json"}
    load_deployed(home)
    listed = CliRunner().invoke(app, ["parameters", "list", "--home", str(home)])
    assert "digests/regions/texas = " in listed.output
    # when a rule is changed here alone, or the contracts are others, then this process does not start
    whole = region.read_text()
    region.write_text(whole + "\n# changed\n")
    with pytest.raises(ConfigurationInvalid, match="texas.toml is not the file"):
        load_deployed(home)
    region.write_text(whole)
    (home / "deployment.json").unlink()
    with pytest.raises(ConfigurationInvalid, match="deployment.json is not the file"):
        load_deployed(home)


def test_an_operator_works_by_the_settings_of_the_deployment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a deployment that says in Parameter Store where its database is, and how its keys are made
    (home / "deployment.json").write_text('{"chain_id": 7919}')
    assert _run("parameters", "publish", home=home).exit_code == 0
    written(
        home,
        settings__database__url="@str sqlite:///elsewhere.db",
        settings__network="@str sdt-texas",
        settings__signing__ceremony_people="2",
    )
    # Then it is that database which is made, looked at and cleared
    for name in ("migrate", "status", "verify", "scrub"):
        done = _run("db", name, home=home)
        assert done.exit_code == 0, done.output
    assert [file.name for file in home.glob("*.db")] == ["elsewhere.db"]
    # And that network whose locations are asked, and as many people who are
    refused = _run("keys", "generate", "--yes", home=home).exception
    assert isinstance(refused, Forbidden) and refused.code == "people_missing"
    asked: list[str] = []

    class Locations:
        def __init__(self, folder: Path, network: str) -> None:
            asked.append(network)
            raise Unavailable("Nobody is there.", code="no_key")

    monkeypatch.setattr("sdt.signing.coordinator.Coordinator", Locations)
    assert isinstance(_run("keys", "status", home=home).exception, Unavailable)
    assert asked == ["sdt-texas"]
    # And only what reads the deployment's files is held to them
    (home / "deployment.json").write_text('{"chain_id": 1}')
    assert _run("db", "status", home=home).exit_code == 0
    assert isinstance(_run("db", "missing", home=home).exception, ConfigurationInvalid)


def _run(*command: str, home: Path) -> Result:
    return CliRunner().invoke(app, [*command, "--home", str(home)])


def test_the_rotation_function_starts_without_the_files_that_it_does_not_read(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a deployment that published the digests of its files
    (home / "deployment.json").write_text('{"chain_id": 7919}')
    assert CliRunner().invoke(app, ["parameters", "publish", "--home", str(home)]).exit_code == 0
    aws = load_deployed(home).aws
    # When a function starts that mounts no home folder, as functions.yaml has it
    monkeypatch.setenv("SDT_HOME", str(home.parent / "nothing-is-mounted"))
    monkeypatch.setenv("SDT_AWS__ENDPOINT_URL", aws.endpoint_url)
    monkeypatch.setenv("SDT_AWS__PARAMETERS", aws.parameters)
    # Then the rotation does, and one that reads the files does not
    assert callable(open_rotation().handler)
    with pytest.raises(ConfigurationInvalid, match="is not the file"):
        open_sweep()


def test_without_a_path_nothing_is_asked(tmp_path: Path) -> None:
    assert load_deployed(tmp_path).aws.parameters == ""
    done = CliRunner().invoke(app, ["parameters", "list", "--home", str(tmp_path)])
    assert isinstance(done.exception, ConfigurationInvalid)
