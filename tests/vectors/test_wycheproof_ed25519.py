"""The verifier of client signatures against Wycheproof's Ed25519 vectors.

Source: C2SP/wycheproof, ed25519_test.json.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sdt.domain.envelope import verify_signature
from sdt.domain.errors import Unauthenticated


def _vectors() -> dict[str, Any]:
    folder = os.environ.get("SDT_DATA")
    path = Path(folder or "") / "wycheproof" / "ed25519_test.json"
    if not folder or not path.exists():
        reason = "set SDT_DATA to the folder that holds wycheproof/ed25519_test.json"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    vectors: dict[str, Any] = json.loads(path.read_text())
    return vectors


def _accepts(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        verify_signature(public_key, message, signature)
    except Unauthenticated:
        return False
    return True


def test_every_vector_is_judged_as_published() -> None:
    # given the published vectors
    vectors = _vectors()
    wrong, count = [], 0
    # when each signature goes through the verifier that the API and the signers use
    for group in vectors["testGroups"]:
        public_key = bytes.fromhex(group["publicKey"]["pk"])
        for test in group["tests"]:
            count += 1
            verdict = _accepts(public_key, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
            if verdict != (test["result"] == "valid"):
                wrong.append((test["tcId"], test["comment"], test["result"]))
    # then the verdict is the published one, for all of them
    assert wrong == []
    assert count == vectors["numberOfTests"] == 151
