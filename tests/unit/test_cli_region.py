"""What `sdt region` says of what is missing, before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from typer.testing import CliRunner, Result

from sdt.cli.app import app
from sdt.client import public_key_text
from sdt.domain.errors import SdtError
from sdt.local.platform import INVENTED_LIST
from sdt.local.secrets import DESKS


def said(*words: str) -> Result:
    return CliRunner().invoke(app, ["region", *words])


def code(result: Result) -> str:
    assert isinstance(result.exception, SdtError)
    return result.exception.code


def key_file(file: Path, number: int) -> SigningKey:
    key = SigningKey(bytes([number]) * 32)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(bytes(key).hex())
    file.chmod(0o600)
    return key


@pytest.fixture
def opening(tmp_path: Path) -> list[str]:
    """The command for a home of which every official's key is known: the desks' by public keys alone."""
    home = tmp_path / "home"
    words = ["open", "--home", str(home)]
    for number in (1, 2):
        key_file(tmp_path / f"{number}.key", number)
        words += ["--administrator", str(tmp_path / f"{number}.key")]
    for number, name in enumerate(DESKS, 10):
        key = key_file(tmp_path / "apart.key", number)
        (home / "desks").mkdir(parents=True, exist_ok=True)
        (home / "desks" / f"{name}.pub").write_text(public_key_text(key) + "\n")
    return words


def test_nobodys_key_is_made(tmp_path: Path, opening: list[str]) -> None:
    home = tmp_path / "home"
    assert code(said("open", "--home", str(home))) == "key_file_missing"
    (home / "desks" / "kyc.pub").unlink()
    assert code(said(*opening)) == "key_file_missing"
    assert list((home / "desks").glob("*.key")) == []


def test_the_first_steps_need_nothing_that_runs_and_no_list_is_invented(opening: list[str]) -> None:
    assert code(said(*opening, "--until", "sanctions")) == "sanctions_list_missing"
    given = ["--sanctions", str(INVENTED_LIST), "--sanctions-date", "2026-01-05", "--until", "sanctions", "--json"]
    for states in (["done before", "done before", "done"], ["done before"] * 3):
        steps = json.loads(said(*opening, *given).stdout)["steps"]
        assert [(step["name"], step["state"]) for step in steps] == list(
            zip(["keys", "database", "sanctions"], states, strict=True)
        )
    # Without certificates of the locations there is no key to be made.
    assert code(said(*opening)) == "coordinator_config"


def test_a_plan_writes_nothing(tmp_path: Path, opening: list[str]) -> None:
    before = sorted(tmp_path.rglob("*"))
    steps = json.loads(said(*opening, "--plan", "--until", "sanctions", "--json").stdout)["steps"]
    assert [step["state"] for step in steps] == ["to do"] * 3
    assert code(said(*opening, "--plan")) == "coordinator_config"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--officer", "king={key}"], "appointment"),
        (["--officer", "issuer"], "appointment"),
        (["--officer", "custodian:NONE={key}"], "unknown_token"),
        (["--officer", "issuer={key}", "--officer", "approver={key}"], "appointment"),
        (["--officer", "issuer={missing}"], "key_file_missing"),
        (["--officer", "issuer={text}"], "key_file"),
        (["--administrator", "{key}"], "administrators"),
    ],
)
def test_a_wrong_appointment_is_refused(tmp_path: Path, opening: list[str], words: list[str], expected: str) -> None:
    (tmp_path / "text.pub").write_text("no key")
    places = {"key": tmp_path / "1.key", "missing": tmp_path / "none.pub", "text": tmp_path / "text.pub"}
    assert code(said(*opening, *(word.format(**places) for word in words))) == expected


def test_one_person_is_not_both_administrators(tmp_path: Path, opening: list[str]) -> None:
    one = str(tmp_path / "1.key")
    assert code(said(*opening[:3], "--administrator", one, "--administrator", one)) == "administrators"


def test_a_key_file_shows_its_public_key_to_its_owner_alone(tmp_path: Path) -> None:
    key = key_file(tmp_path / "issuer.key", 7)
    assert said("public-key", str(tmp_path / "issuer.key")).stdout.strip() == public_key_text(key)
    (tmp_path / "issuer.key").chmod(0o644)
    assert code(said("public-key", str(tmp_path / "issuer.key"))) == "vault_unreadable"
