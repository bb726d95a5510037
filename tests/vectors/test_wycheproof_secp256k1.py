"""The verifier used before a signature is released, against Wycheproof's low-s secp256k1 vectors.

Source: C2SP/wycheproof, ecdsa_secp256k1_sha256_bitcoin_test.json.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from sdt.signing.ecdsa import verify_der


def _vectors() -> dict[str, object]:
    folder = os.environ.get("SDT_DATA")
    path = Path(folder or "") / "wycheproof" / "ecdsa_secp256k1_sha256_bitcoin_test.json"
    if not folder or not path.exists():
        reason = "set SDT_DATA to the folder that holds wycheproof/ecdsa_secp256k1_sha256_bitcoin_test.json"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return json.loads(path.read_text())


def test_every_vector_is_judged_as_published() -> None:
    # given the published vectors
    vectors = _vectors()
    wrong, count = [], 0
    # when each signature is verified
    for group in vectors["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["uncompressed"])[1:]
        for test in group["tests"]:
            count += 1
            digest = hashlib.sha256(bytes.fromhex(test["msg"])).digest()
            verdict = verify_der(public, digest, bytes.fromhex(test["sig"]))
            if verdict != (test["result"] == "valid"):
                wrong.append((test["tcId"], test["comment"], test["result"]))
    # then the verdict is the published one, for all of them
    assert wrong == []
    assert count == vectors["numberOfTests"] == 463
