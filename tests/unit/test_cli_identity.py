"""`sdt identity`: its example is taken by the API, and what it says is what a person can act on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sdt.api.models import PersonIn
from sdt.api.models_identity import BusinessIn
from sdt.cli.app import app
from sdt.cli.identity import read_party, told
from sdt.domain.errors import Invalid


def test_the_examples_are_what_the_api_takes(tmp_path: Path) -> None:
    runner = CliRunner()
    person = runner.invoke(app, ["identity", "example"])
    business = runner.invoke(app, ["identity", "example", "--business"])
    assert PersonIn.model_validate_json(person.stdout).given_name == "Alice"
    assert BusinessIn.model_validate_json(business.stdout).owners[0].share_ppm == "600000"
    # and a file says itself which of both it is
    for text, kind in ((person.stdout, "person"), (business.stdout, "business")):
        file = tmp_path / f"{kind}.json"
        file.write_text(text)
        assert read_party(file) == {kind: json.loads(text)}


@pytest.mark.parametrize("text", ["", "[]", "{", '"Alice"'])
def test_what_is_no_party_is_refused_without_repeating_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "party.json"
    file.write_text(text)
    with pytest.raises(Invalid):
        read_party(file)


def test_a_check_is_told_with_what_to_do() -> None:
    said = told(
        {
            "status": "documents_required", "next": "send_documents", "attempts_left": 1,
            "reasons": [{"code": "x", "text": "The name fits only in part.", "remedy": "Wait."}],
            "residency": {"status": "passed", "reasons": []},
            "subjects": [{"subject": "owner-1", "status": "documents_required", "reasons": []}],
            "documents_of": ["owner-1"], "expires_at": None, "renewable_from": None,
            "established": [{"domain": "dollar", "tier": 1, "resident": True, "expires_at": "2027-01-01T00:00:00Z"}],
        }
    )  # fmt: skip
    for words in ("send_documents", "The name fits only in part. Wait.", "documents are asked of: owner-1", "dollar"):
        assert words in said


def test_a_document_is_a_pdf_or_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "letter.docx"
    file.write_bytes(b"PK")
    found = CliRunner().invoke(app, ["identity", "document", "alice", str(file), "--home", str(tmp_path)])
    assert found.exit_code != 0
    assert isinstance(found.exception, Invalid)
