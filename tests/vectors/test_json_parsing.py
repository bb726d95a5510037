"""The strict JSON reader against JSONTestSuite: what must be refused is refused, alone and in a message.

Duplicate keys stand under `y_` there and are refused here: two parsers could read such a message differently.
So are fractions and exponents, and anything but an object at the top.
Source: nst/JSONTestSuite, test_parsing; RFC 8259; RFC 7493 (I-JSON).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import nacl.signing
import pytest

from sdt.domain import strict_json
from sdt.domain.envelope import b64url, kid_of
from sdt.domain.errors import Invalid
from sdt.domain.message import read_message

KEY = nacl.signing.SigningKey(b"\x07" * 32)
REFUSED_BY_CHOICE = {
    "y_object_duplicated_key.json": "json_duplicate_key",
    "y_object_duplicated_key_and_value.json": "json_duplicate_key",
    "y_object_extreme_numbers.json": "json_number",
}


def _cases(prefix: str) -> list[Path]:
    folder = os.environ.get("SDT_DATA")
    path = Path(folder or "") / "json" / "test_parsing"
    if not folder or not path.is_dir():
        reason = "set SDT_DATA to the folder that holds json/test_parsing"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return sorted(path.glob(f"{prefix}_*.json"))


def _signed(payload: bytes) -> bytes:
    """Return a message with a perfect header and signature around any bytes at all."""
    kid = kid_of(bytes(KEY.verify_key))
    header = f'{{"alg":"Ed25519","kid":"{kid}","typ":"sdt-transfer+jws"}}'.encode()
    data = b64url(header) + b"." + b64url(payload)
    return data + b"." + b64url(KEY.sign(data).signature)


def _objects(paths: list[Path]) -> Iterator[Path]:
    return (path for path in paths if path.read_bytes().strip().startswith(b"{"))


def test_all_that_must_be_refused_is_refused_by_the_parser() -> None:
    # given every file that no parser may accept
    paths = _cases("n")
    assert len(paths) == 188
    # when each is parsed, then each is refused with a code, and nothing else ever leaves the parser
    for path in paths:
        with pytest.raises(Invalid) as refused:
            strict_json.parse_object(path.read_bytes())
        assert refused.value.code.startswith("json"), path.name


def test_all_that_must_be_refused_is_refused_inside_a_message() -> None:
    # given a message of one of those files, its signature valid
    for path in _cases("n"):
        raw = _signed(path.read_bytes()[:4000])
        # when it is read, then it is refused as malformed
        with pytest.raises(Invalid):
            read_message(raw)


def test_objects_that_must_be_accepted_are_accepted_or_refused_by_choice() -> None:
    accepted = 0
    for path in _objects(_cases("y")):
        # given an object that every parser accepts
        data = path.read_bytes()
        # when it is parsed, then it is accepted, or refused with the reason we publish
        if code := REFUSED_BY_CHOICE.get(path.name):
            with pytest.raises(Invalid) as refused:
                strict_json.parse_object(data)
            assert refused.value.code == code
        else:
            strict_json.parse_object(data)
            accepted += 1
    assert accepted == 9


def test_what_parsers_disagree_about_never_breaks_the_reader() -> None:
    # given the files where either answer is allowed
    for path in _cases("i"):
        # when each is parsed, then there is an object or a refusal, never another error
        with contextlib.suppress(Invalid):
            strict_json.parse_object(path.read_bytes())
