"""Published NACHA files of every class: read and written again, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.domain.nacha import faults_of, read_file, read_inbound
from sdt.domain.nacha.records import IatBatchHeader, IatEntryDetail

FILES = 29
CUT_OFF = {"cie-credit.ach": (6,)}
"""Whose lines lost the blanks at their end (an editor's doing); writing gives them back."""
CONTRADICTIONS = {
    "iat-mixedCreditDebit.ach": ["batch 1: company_id of the control is           , its entries make it 123456789 "]
}
"""What published files say against themselves: the originator is left out of an international batch's control."""


def _files(sdt_data: Path) -> list[Path]:
    files = sorted((sdt_data / "nacha").glob("*.ach"))
    assert len(files) == FILES
    return files


def test_every_published_file_is_written_as_it_was_read(sdt_data: Path) -> None:
    for path in _files(sdt_data):
        data = path.read_bytes()
        file = read_file(data)
        assert file.short_lines == CUT_OFF.get(path.name, ()), path.name
        lines = data.decode().split("\n")
        for number in file.short_lines:
            lines[number - 1] = lines[number - 1].ljust(94)
        assert file.data() == "\n".join(lines).encode(), path.name
        assert read_file(file.data()) == file


def test_every_published_file_agrees_with_its_own_totals(sdt_data: Path) -> None:
    for path in _files(sdt_data):
        said = [str(fault) for fault in faults_of(read_file(path.read_bytes()))]
        assert said == CONTRADICTIONS.get(path.name, []), path.name


@pytest.mark.parametrize("newline", ["\r\n", "", "\n"])
def test_a_file_may_part_its_records_in_three_ways(sdt_data: Path, newline: str) -> None:
    for path in _files(sdt_data):
        as_it_is = read_file(path.read_bytes())
        lines = as_it_is.data().decode().splitlines()
        data = newline.join(lines).encode()
        assert read_file(data).data() == data
        assert read_file(data).batches == as_it_is.batches


def test_no_change_of_an_amount_a_bank_or_a_count_goes_unseen(sdt_data: Path) -> None:
    """Every digit of every payment's bank and amount, and of every total, changed alone."""
    data = (sdt_data / "nacha" / "ppd-mixedDebitCredit.ach").read_bytes()
    assert not faults_of(read_file(data))
    changed = 0
    for start, line in ((i * 95, line) for i, line in enumerate(data.decode().splitlines()) if line[0] in "689"):
        columns = {"6": (3, 12, 29, 39), "8": (4, 44), "9": (1, 55)}[line[0]]
        if set(line) == {"9"}:
            continue
        for first, last in zip(columns[::2], columns[1::2], strict=True):
            for column in range(first, last):
                other = bytearray(data)
                other[start + column] = ord("0") + (other[start + column] - ord("0") + 1) % 10
                assert faults_of(read_file(bytes(other))), (line, column)
                changed += 1
    assert changed > 100


def test_returns_say_what_they_return(sdt_data: Path) -> None:
    contested = read_inbound(read_file((sdt_data / "nacha" / "contested-return.ach").read_bytes())).returns
    assert [(r.kind, r.code) for r in contested] == [("return", "R07"), ("dishonored", "R68"), ("contested", "R71")]
    assert contested[0].original_trace == "099912340000015"
    assert (contested[0].cents, contested[0].was_credit) == (100000000, True)
    assert contested[0].information == "Authorization Revoked"

    dishonored = read_inbound(read_file((sdt_data / "nacha" / "dishonored-return.ach").read_bytes())).returns
    assert [(r.kind, r.cents, r.was_credit) for r in dishonored] == [
        ("dishonored", 25000, False),
        ("dishonored", 23000, False),
    ]
    assert len({r.key for r in dishonored}) == 2


def test_a_notification_of_change_says_the_right_data(sdt_data: Path) -> None:
    inbound = read_inbound(read_file((sdt_data / "nacha" / "cor-read.ach").read_bytes()))
    (change,) = inbound.changes
    assert (change.code, change.original_trace, change.corrected) == ("C01", "121042880000001", "1918171614")
    assert inbound.returns == ()


def test_payments_across_borders_have_records_of_their_own(sdt_data: Path) -> None:
    file = read_file((sdt_data / "nacha" / "iat-mixedCreditDebit.ach").read_bytes())
    (batch,) = file.batches
    assert isinstance(batch.header, IatBatchHeader)
    assert (batch.header.originating_currency, batch.header.destination_currency) == ("CAD", "USD")
    for entry in batch.entries:
        assert isinstance(entry.detail, IatEntryDetail)
        assert entry.detail.addenda_count == 7, "the remittance addenda and foreign banks come on top"
        assert [type(a).__name__ for a in entry.addenda][:7] == [f"Addenda{n}" for n in range(10, 17)]
