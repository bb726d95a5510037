"""`sdt receipt verify`: what is trusted is named by whoever calls it, and the exit status is the verdict."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from receipt_rig import (
    CHAIN_ID,
    CHAIN_KEY,
    SETTLEMENT,
    VALIDATORS,
    ChainKey,
    block,
    by_signer,
    by_validators,
    transfers,
)
from sdt.cli.app import app
from sdt.domain import rlp
from sdt.domain.errors import SdtError
from sdt.domain.receipt import encode_receipt

ADDRESSES = [key.address for key in VALIDATORS]


@dataclass
class Folder:
    """Receipts and what is published, in files."""

    path: Path

    def write(self, name: str, content: bytes | object) -> Path:
        file = self.path / name
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return file

    def verify(self, name: str, *options: str) -> tuple[int, str]:
        """Return exit status and output; an expected error is exit status 1, as `main` makes it."""
        command = ["receipt", "verify", str(self.path / name), "--home", str(self.path), *options]
        found = CliRunner().invoke(app, command, catch_exceptions=True)
        if isinstance(found.exception, SdtError):
            return 1, found.exception.detail
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found.exit_code, found.output


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made, found = block(transfers(3)), Folder(tmp_path)
    found.write("qbft.json", encode_receipt(by_validators(made).receipt(1)))
    found.write("clique.json", encode_receipt(by_signer(made).receipt(1)))
    found.write("deployment.json", {
        "chain_id": CHAIN_ID, "region": "US-TX", "settlement": SETTLEMENT, "chain_key": CHAIN_KEY.address,
        "symbols": ["TXD", "TXG"],
    })  # fmt: skip
    raw = [key.raw_address for key in VALIDATORS]
    extra = "0x" + rlp.encode([bytes(32), sorted(raw), [], b"", []]).hex()
    found.write("quorum.json", {"config": {"chainId": CHAIN_ID, "qbft": {}}, "extraData": extra})
    extra = "0x" + (bytes(32) + b"".join(raw) + bytes(65)).hex()
    found.write("geth.json", {"config": {"chainId": CHAIN_ID, "clique": {}}, "extraData": extra})
    return found


def test_a_sealed_receipt_verifies_against_genesis_or_names(folder: Folder) -> None:
    names = ", ".join(address.upper().replace("0X", "0x") for address in ADDRESSES)
    for name, options in (
        ("qbft.json", ("--genesis", str(folder.path / "quorum.json"))),
        ("qbft.json", ("--validators", names)),
        ("clique.json", ("--genesis", str(folder.path / "geth.json"))),
        ("clique.json", ("--signers", ADDRESSES[0])),
    ):
        code, output = folder.verify(name, *options)
        assert (code, output.count("✓"), "VERIFIED." in output) == (0, 9, True), output
        code, output = folder.verify(name, *options, "--json")
        facts = json.loads(output)
        assert (code, facts["verified"], facts["claims"]["amount"]) == (0, True, "102")


def test_a_receipt_is_refused_by_what_is_wrong_with_it(folder: Folder) -> None:
    for name, options, words in (
        ("qbft.json", ("--validators", ",".join(ADDRESSES[1:])), "no validator"),
        ("qbft.json", ("--signers", ADDRESSES[0]), "name its validators"),
        ("clique.json", ("--genesis", str(folder.path / "quorum.json")), "no validators sealed it"),
        ("qbft.json", ("--unsealed", "--chain-key", ChainKey("old").address), "not by the chain key"),
    ):
        code, output = folder.verify(name, *options)
        assert (code, "REFUSED." in output) == (1, True)
        assert words in " ".join(output.split())


def test_without_an_anchor_nothing_is_called_verified(folder: Folder) -> None:
    for options, status in (((), 3), (("--unsealed",), 0)):
        code, output = folder.verify("qbft.json", *options)
        assert (code, "VERIFIED" in output, "UNSEALED." in output, output.count("✓")) == (status, False, True, 8)


def test_trust_that_is_unclear_is_refused(folder: Folder) -> None:
    folder.write("other.json", {"config": {"chainId": 1, "clique": {}}, "extraData": "0x" + "00" * 117})
    folder.write("list.json", [])
    folder.write("broken.json", b"{")
    quorum = str(folder.path / "quorum.json")
    for options, words in (
        (("--genesis", quorum, "--unsealed"), "Name one of"),
        (("--genesis", str(folder.path / "other.json")), "chain 1"),
        (("--genesis", str(folder.path / "list.json")), "no JSON object"),
        (("--genesis", str(folder.path / "broken.json")), "no JSON"),
        (("--genesis", str(folder.path / "missing.json")), "cannot be read"),
        (("--deployment", quorum), "no deployment.json"),
        (("--deployment", str(folder.path / "missing.json")), "cannot be read"),
        (("--validators", "0x12"), "40 lower-case"),
        (("--validators", ","), "40 lower-case"),
        (("--block-hash", "0x12"), "64 hexadecimal"),
    ):
        code, output = folder.verify("qbft.json", *options)
        assert code == 1
        assert words in output, output


def test_a_file_that_is_no_receipt_is_refused_in_json_too(folder: Folder) -> None:
    folder.write("empty.json", b"")
    code, output = folder.verify("empty.json", "--json")
    assert (code, json.loads(output)["failed"]["code"]) == (1, "receipt_malformed")
