"""Proofs of possession and sealed personal records: the pure parts."""

from __future__ import annotations

import nacl.signing
import pytest

from sdt.domain.errors import SdtError, Unauthenticated
from sdt.domain.personal import BankDetails, Party, check_routing, open_record, seal_record
from sdt.domain.proof import check_proof, make_proof, open_proof
from sdt.domain.sealing import SealBroken

KEY = nacl.signing.SigningKey(b"\x01" * 32)
PUBLIC = bytes(KEY.verify_key)
URL = "http://127.0.0.1:8080/v1/users/me"
DETAILS = BankDetails(routing_number="021000021", account_number="000123456789", kind="checking", holder="A. Adams")


def _check(header: str, *, method: str = "GET", url: str = URL, now_s: int = 1_000) -> str:
    return check_proof(open_proof(header), PUBLIC, method=method, url=url, now_s=now_s, network="net")


def test_a_proof_is_good_for_its_request_for_a_minute() -> None:
    # given a proof made at second 1000 for an address with a query
    header = make_proof(KEY, "get", URL + "?wait=3#x", 1_000, "net", jti="j" * 20)
    # when it is checked within its minute, then its jti is returned
    assert _check(header, now_s=1_060) == "j" * 20
    # and the server's own query does not matter
    assert _check(header, url=URL + "?wait=4") == "j" * 20
    for change in ({"now_s": 1_061}, {"now_s": 990}, {"method": "POST"}, {"url": URL + "/keys"}):
        with pytest.raises(Unauthenticated):
            _check(header, **change)  # type: ignore[arg-type]


def test_two_proofs_are_never_the_same() -> None:
    assert make_proof(KEY, "GET", URL, 1_000, "net") != make_proof(KEY, "GET", URL, 1_000, "net")


@pytest.mark.parametrize("header", ["", "a.b", "ä.b.c", "e30.e30." + "A" * 86])
def test_what_is_no_proof_is_refused(header: str) -> None:
    with pytest.raises(SdtError):
        open_proof(header)


def test_a_sealed_record_opens_for_its_account_and_key_alone() -> None:
    # given details sealed for one account
    sealed = seal_record(DETAILS, "0x1", b"k" * 32, b"n" * 24)
    assert b"000123456789" not in sealed
    # then they open for it, and for nothing else, nor after any change
    assert open_record(sealed, "0x1", b"k" * 32, BankDetails) == DETAILS
    for account, key, data in (
        ("0x2", b"k" * 32, sealed),
        ("0x1", b"x" * 32, sealed),
        ("0x1", b"k" * 32, sealed[:-1] + bytes([sealed[-1] ^ 1])),
    ):
        with pytest.raises(SealBroken):
            open_record(data, account, key, BankDetails)
    with pytest.raises(SealBroken):
        open_record(sealed, "0x1", b"k" * 32, Party)
    assert "Adams" not in repr(DETAILS)


def test_routing_numbers_have_a_check_digit() -> None:
    # given numbers of the Federal Reserve's own banks, then they pass; with one digit changed or none, they do not
    for number in ("021000021", "011401533", "091000019", "111000038"):
        assert check_routing(number)
        for place in range(9):
            for digit in set("0123456789") - {number[place]}:
                assert not check_routing(number[:place] + digit + number[place + 1 :])
    for number in ("", "02100002", "0210000210", "000000000", "02100002x", "０21000021"):
        assert not check_routing(number)
