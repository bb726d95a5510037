"""What a desk makes of the API's tasks: a claim to be checked, and no number where there is none."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest

from sdt.desk.approver import Approver
from sdt.desk.desk import Waiting
from sdt.desk.issuer import adjustment_evidence
from sdt.domain.message import Adjust, Issue


@pytest.mark.parametrize("entry", [None, {}, {"entry": None, "status": "created"}])
async def test_a_deposit_whose_debit_is_in_no_file_yet_has_nothing_to_look_up(entry: Any) -> None:
    # Given a deposit whose debit waits for a cut-off: the bank knows no number of it
    task = {"transaction_id": "t", "token": "TXD", "account": "0x", "amount": "5", "bank_entry": entry}
    # Then there is none to ask the bank for, which would answer that it knows of none and hold up every other deposit
    assert Waiting.read(task).external_id == ""


BASE = {"version": 1, "network": "sdt-test", "transaction_id": "t", "region": "US-TX", "issued_at": "now"}
WORD = hashlib.sha256(b"the bank's word").digest()
TASK = {"bank_entry": {"entry": "e1", "status": "window_passed", "code": None, "amount": "5"}}


def second_officer() -> Approver:
    """A desk that reads the same word of the bank every time."""

    async def word(*_: object) -> bytes:
        return WORD

    desk = Approver.__new__(Approver)
    desk._evidence = SimpleNamespace(of_deposit=word, of_return=word)  # type: ignore[assignment]
    return desk


@pytest.mark.parametrize(("digest", "true"), [(WORD.hex(), True), ("0" * 64, False)])
async def test_the_second_officer_approves_what_was_signed_over_the_same_evidence(digest: str, true: bool) -> None:
    issue = Issue(**BASE, token="TXD", account="0x", amount="5", deposit="d", evidence=digest)  # type: ignore[arg-type]
    assert await second_officer()._is_true(issue, TASK) is true


@pytest.mark.parametrize(("nth", "original", "true"), [(0, "o", True), (3, "o", True), (0, "another", False)])
async def test_an_adjustment_is_approved_over_the_same_word_of_the_bank(nth: int, original: str, true: bool) -> None:
    digest = hashlib.sha256(adjustment_evidence("clawback", nth, original, WORD)).hexdigest()
    claims = {"kind": "clawback", "token": "TXD", "account": "0x", "amount": "5", "original": "o", "evidence": digest}
    assert await second_officer()._is_true(Adjust(**BASE, **claims), TASK) is true  # type: ignore[arg-type]
