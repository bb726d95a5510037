"""What is published is what the code says: openapi.yaml, docs/errors.md, and a problem for every code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from openapi_spec_validator import validate

from sdt.api.catalog import PROBLEMS, PROBLEMS_PATH, REASONS, errors_page
from sdt.api.docs_page import docs_page
from sdt.api.openapi import REPOSITORY, document, document_yaml
from sdt.domain.batch import SkipReason
from sdt.domain.errors import SdtError

SOURCES = REPOSITORY / "src" / "sdt"
_CODE = re.compile(r'\bcode="([a-z_]+)"|^    code = "([a-z_]+)"', re.MULTILINE)
NOT_AT_THE_API = {
    # A region's file, an asset or an amount of the caller's own making: never from a request.
    "region_file",
    "asset",
    "ratio",
    "account",
    "key_word",
    # A sanctions list, from its publisher.
    "sanctions_list",
    "sanctions_list_missing",
    # Files of the ACH network: from and for the bank.
    "nacha_record",
    "ach_not_originated",
    "ach_empty",
    # Prices, from a file of the operator.
    "price_file",
    "filer_file",
    "ach_acknowledgement",
    # The chain's own data.
    "batch_item",
    "bad_rlp",
    "bad_header",
    "not_sealed",
    "batch_calldata",
    "chain_log",
    # Attestation documents of enclaves: for whoever verifies one, never from a request.
    "attestation_document",
    "attestation_refused",
    "attestation_too_long",
    "cbor",
    # Receipts: what is wrong with a file is for whoever verifies it; the API says `receipt_unproven`.
    "chain_receipt",
    "chain_transaction",
    "not_proven",
    "receipt_malformed",
    "receipt_refused",
    "short_value",
    "deployment_file",
    "genesis",
    "trust",
    # Stands for the rule's own kind.
    "refused",
    # Signers and worker.
    "approval_mismatch",
}


def _codes(*folders: str) -> set[str]:
    files = [file for folder in folders for file in (SOURCES / folder).rglob("*.py")]
    return {found[0] or found[1] for file in files for found in _CODE.findall(file.read_text())}


def test_the_published_files_are_what_the_code_says() -> None:
    # given the files in the repository, then writing them again changes nothing
    hint = "run: python -m sdt.api.openapi --write"
    assert (REPOSITORY / "openapi.yaml").read_text() == document_yaml(), hint
    assert (REPOSITORY / "docs" / "errors.md").read_text() == errors_page(), hint


def test_the_description_is_valid_openapi() -> None:
    validate(yaml.safe_load(document_yaml()))


def test_every_operation_says_what_it_takes_and_answers() -> None:
    described = document()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            # given an operation, then it has words, a tag, a name, and problem documents for its refusals
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["tags"], where
            assert operation["operationId"], where
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and (path, status) != ("/readyz", "503"):
                    assert list(answer["content"]) == ["application/problem+json"], f"{where} {status}"


def test_every_code_that_can_reach_a_client_is_in_the_table() -> None:
    # given every code that the domain, the workflows and the API raise
    raised = _codes("api", "domain", "workflows")
    kinds = {cls.code for cls in SdtError.__subclasses__()}
    # then each is a documented problem, or a reason shown in a status
    missing = raised - PROBLEMS.keys() - REASONS.keys() - NOT_AT_THE_API - kinds - {"error"}
    assert missing == set()


def test_every_reason_of_the_contract_and_the_worker_is_in_the_table() -> None:
    raised = {reason.code for reason in SkipReason}
    for file in (SOURCES / "worker").rglob("*.py"):
        raised |= set(re.findall(r'Event\.(?:REJECT|HOLD|REVIEW|EXPIRE),\s+code="([a-z_]+)"', file.read_text()))
    assert raised - REASONS.keys() == set()


def test_every_problem_points_at_its_entry() -> None:
    page = Path(REPOSITORY / PROBLEMS_PATH.strip("/")).read_text()
    for code, problem in PROBLEMS.items():
        # given a problem's type, then the page has that anchor, with status, title and remedy
        assert problem.uri == f"{PROBLEMS_PATH}#{code}"
        assert f"### {code}\n\n{problem.status}. {problem.title}. {problem.remedy}\n" in page
        assert 400 <= problem.status < 600


def test_the_page_for_a_browser_shows_every_operation_and_fetches_nothing() -> None:
    described: dict[str, Any] = document()
    page = docs_page(described)
    for path in described["paths"]:
        assert path in page
    assert "<code>SDT-Proof</code>" in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
