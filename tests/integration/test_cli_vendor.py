"""`sdt vendor` as an operator meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sandbox_servers import sandbox
from typer.testing import CliRunner, Result

from sdt.adapters.vault import SealedFile
from sdt.adapters.vendor.shipped import SHIPPED
from sdt.cli.app import app
from sdt.domain.errors import Invalid, NotFound
from sdt.ports.evidence import VendorFault
from sdt.store import open_store, outbox
from sdt.worker.dead_letters import put_off

NOW_MS = 1_800_000_000_000


def ran(*arguments: str, home: Path) -> Result:
    return CliRunner().invoke(app, ["vendor", *arguments, "--home", str(home)])


def test_list_says_which_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDT_VENDORS__KYC__FOLDER", "acme")
    shutil.copytree(SHIPPED / "plains-kyc", tmp_path / "vendors" / "acme")

    found = json.loads(ran("list", "--json", home=tmp_path).stdout)["vendors"]

    used = {one["kind"]: one["name"] for one in found if one["in_use"]}
    assert used == {
        "ach": "sandbox-ach",
        "ach_files": "sandbox-ach-files",
        "treasury": "sandbox-treasury",
        "kyc": "acme",
        "aml": "sandbox-aml",
        "depository": "sandbox-depository",
    }
    assert {"plains-kyc", "sandbox-kyc"} <= {one["name"] for one in found if not one["in_use"]}


def test_check_tells_like_a_compiler_and_ends_with_1(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SHIPPED / "sandbox-aml", tmp_path / "acme"))
    assert ran("check", str(folder), home=tmp_path).stdout == "well: 6 messages there and back\n"
    (folder / "list.jmespath").write_text("{list_date: list_date, digest: ]}")

    wrong = ran("check", str(folder), home=tmp_path)

    assert wrong.exit_code == 1
    assert wrong.stdout.splitlines() == [
        f"error: {folder}/list.jmespath: operations.sanctions_list.answer: line 1, column 32: "
        "this is not JMESPath near ']'",
        "1 errors",
    ]


def test_check_of_a_folder_that_is_nowhere_says_what_ships(tmp_path: Path) -> None:
    assert isinstance(ran("check", "acme", home=tmp_path).exception, NotFound)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sandbox-aml", "plains-kyc"])
def test_check_sends_the_samples(tmp_path: Path, name: str) -> None:
    home, service = tmp_path / "home", name.rpartition("-")[2]
    home.mkdir()
    vault = SealedFile.open(home / "secrets.sealed", home / "secrets.key")
    with sandbox(tmp_path / "sandbox", "vendors") as (running, _):
        vault.put("mine", ("full:" * name.startswith("plains") + running.key(service)).encode())
        url = running.url(service)
        sent = ran("check", name, "--url", url, "--send", "--secret", "mine", "--json", home=home)
        assert sent.exit_code == 0, sent.output
        tried = json.loads(sent.stdout)["tried"]

        vault.rotate("mine", b"full:other")
        refused = ran("check", name, "--url", url, "--send", "--secret", "mine", home=home)

    assert any(one.endswith("sent and answered") for one in tried)
    assert refused.exit_code == 1
    assert "vendor_fault" in refused.stdout
    traced = json.loads(ran("trace", name, "--json", "--last", "50", home=home).stdout)["calls"]
    assert {call["status"] for call in traced} >= {200} | ({401} if service == "aml" else set())
    assert "Samplename" not in json.dumps(traced)


def test_schema_prints_our_own_messages(tmp_path: Path) -> None:
    def printed(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["vendor", "schema", *arguments])

    assert "statement" in printed("treasury").stdout.split()
    assert json.loads(printed("aml", "screen").stdout)["answer"]["$ref"] == "#/$defs/Screening"
    assert isinstance(printed("bank").exception, Invalid)
    assert isinstance(printed("aml", "none").exception, Invalid)


def test_dead_letters_are_listed_without_anybodys_data(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/sdt.db", migrate=True)
    assert ran("dead-letters", home=tmp_path).exit_code == 0
    outbox.put(store, "instruct", "t:settled", {"transaction_id": "t"}, NOW_MS)
    (row,) = outbox.due(store, ["instruct"], NOW_MS, 1)
    put_off(store, row, VendorFault("about Ada Samplename"), NOW_MS)
    store.close()

    found = ran("dead-letters", "--json", home=tmp_path)

    assert found.exit_code == 1
    (dead,) = json.loads(found.stdout)["dead"]
    assert (dead["instruction"], dead["error"], dead["tries"]) == (row.id, "vendor_fault", 1)
    assert "Samplename" not in found.stdout
