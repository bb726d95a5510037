"""Refusals are counted by codes of ours, whatever a location sends; the table of them is what the code raises."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import get_args, get_type_hints

from sdt.domain.errors import Unprocessable
from sdt.domain.region import Rule
from sdt.signing.coordinator import Coordinator
from sdt.signing.refusal_codes import OTHER, REFUSAL_CODES
from sdt.signing.rounds import Attempt
from sdt.signing.wire import BatchProposal, MessageRefusal
from signing_rig import NETWORK, Rig

SRC = Path(__file__).resolve().parents[2] / "src"
JUDGING = ("sdt.signing.validation", "sdt.signing.online", "sdt.signing.rounds", "sdt.signing.signer")
"""Where a proposal is judged and answered, and the answers looked at."""
BEFORE_OR_BESIDE = (
    *("sdt.signing.attest", "sdt.signing.config", "sdt.signing.curve", "sdt.signing.enclave", "sdt.signing.j"),
    *("sdt.signing.link", "sdt.signing.locations", "sdt.signing.pki", "sdt.signing.reshare", "sdt.signing.sockets"),
    *("sdt.signing.transcript", "sdt.signing.witness", "sdt.domain.attestation", "sdt.domain.cbor"),
    *("sdt.domain.monitoring", "sdt.observing"),
)
"""Parts of these that run before anything is proposed, or do other work than answer a proposal."""
OF_OTHER_WORK = {"job_abandoned", "job_exists", "key_exists", "share_staged", "unknown_job"}
"""Codes of key generation and presigning, in files that proposals use too."""


def codes_of(tree: ast.Module) -> set[str]:
    """The codes that a module writes down: as an error's own, by keyword, or in a refusal by position."""
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="code", value=value) | ast.Assign(targets=[ast.Name(id="code")], value=value):
                found.append(value)
            case ast.Call(func=ast.Name(id="MessageRefusal"), args=[_, code, *_]):
                found.append(code)
    return {each.value for each in found if isinstance(each, ast.Constant) and isinstance(each.value, str)}


@cache
def raised() -> dict[str, set[str]]:
    """By module: the codes of whatever judging imports, directly or not."""
    found: dict[str, set[str]] = {}
    waiting = list(JUDGING)
    while waiting:
        name = waiting.pop()
        place = SRC / name.replace(".", "/")
        file = next((f for f in (place.with_suffix(".py"), place / "__init__.py") if f.is_file()), None)
        if name in found or file is None:
            continue
        tree = ast.parse(file.read_text())
        found[name] = codes_of(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sdt"):
                waiting += [f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def test_every_code_of_a_refusal_is_in_the_table_and_no_other() -> None:
    of_answers = {
        code
        for module, codes in raised().items()
        if not module.startswith(BEFORE_OR_BESIDE)
        for code in codes - OF_OTHER_WORK
    }
    # What the answering side itself says, and what a rule of the region's file is called by.
    of_answers |= {"answer_timeout", "bug"} | set(get_args(get_type_hints(Rule)["kind"]))
    assert len(of_answers) > 80
    assert of_answers == REFUSAL_CODES - {OTHER}


def test_a_location_that_invents_codes_makes_no_more_of_them_than_one(tmp_path: Path) -> None:
    to = Coordinator(Rig(tmp_path).home / "coordinator", NETWORK)
    batch = BatchProposal(1, bytes(32), "value", 0, 0, 0, ())
    invented = tuple(MessageRefusal(at, f"invented_{at}", "No.") for at in range(500))
    for _ in range(3):
        attempt = Attempt((1, 2), b"", 0, batch, b"")
        attempt.refusals = {1: (*invented, MessageRefusal(500, "identity", "No."))}
        attempt.errors = {2: Unprocessable("No.", code="another_invention")}
        to._note_refusals(attempt)
    assert to.refused() == {OTHER: 1503, "identity": 3}
