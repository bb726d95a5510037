"""What a desk makes of the API's tasks: a claim to be checked, and no number where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from sdt.desk.desk import Waiting


@pytest.mark.parametrize("entry", [None, {}, {"entry": None, "status": "created"}])
async def test_a_deposit_whose_debit_is_in_no_file_yet_has_nothing_to_look_up(entry: Any) -> None:
    # Given a deposit whose debit waits for a cut-off: the bank knows no number of it
    task = {"transaction_id": "t", "token": "TXD", "account": "0x", "amount": "5", "bank_entry": entry}
    # Then there is none to ask the bank for, which would answer that it knows of none and hold up every other deposit
    assert Waiting.read(task).external_id == ""
