"""Claims as they are typed and shown at the command line, and what its help says of them."""

from __future__ import annotations

import json
import re
from typing import Any, get_type_hints

import pytest
from typer.testing import CliRunner

from sdt.cli.app import app
from sdt.cli.office_messages import FILLED_IN, SIGN_HELP
from sdt.cli.officers import _claim, confirm, exactly, read_claims, told
from sdt.domain.errors import Invalid
from sdt.domain.message import MESSAGE_TYPES, Message
from sdt.domain.registry import Role


@pytest.mark.parametrize(
    ("typed", "name", "value"),
    [
        ("case=3f0c", "case", "3f0c"),
        ("reason=Born in 1988, not in 1961.", "reason", "Born in 1988, not in 1961."),
        ("reason=a=b", "reason", "a=b"),
        ("reason=so:=it", "reason", "so:=it"),
        ("empty=", "empty", ""),
        ("entries:=[1, 2]", "entries", [1, 2]),
        ("score:=92", "score", 92),
    ],
)
def test_a_claim_is_text_or_json(typed: str, name: str, value: Any) -> None:
    assert _claim(typed) == (name, value)


@pytest.mark.parametrize("typed", ["case", "score:=", "score:=nine", ""])
def test_what_is_neither_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        _claim(typed)


def test_a_claim_is_said_once() -> None:
    with pytest.raises(Invalid, match="token"):
        read_claims(["token=TXD", "token="])


def _typed(cls: type[Message]) -> list[str]:
    """Return the claims of a type as they are typed: with a colon where they are no text."""
    hints = get_type_hints(cls)
    own = [name for name in cls.__struct_fields__ if name not in FILLED_IN]
    return [name + ":=" * (hints[name] in (int, bool)) for name in own]


def test_the_help_names_every_type_with_its_claims_and_who_takes_two() -> None:
    lines = re.findall(r"^([a-z_]+)( \*)? +(.+)$", SIGN_HELP.partition("\b\n")[2].partition("\n\n")[0], re.MULTILINE)
    assert {kind: (bool(two), sorted(claims.split())) for kind, two, claims in lines} == {
        kind: (cls.approval, sorted(_typed(cls)))
        for kind, cls in MESSAGE_TYPES.items()
        if not cls.signer_roles & Role.CLIENT and kind != "approve"
    }
    shown = CliRunner().invoke(app, ["office", "sign", "--help"]).stdout
    assert re.search(r"^ freeze +account token order authority expires_at *$", shown, re.MULTILINE)


def test_what_is_to_be_signed_hides_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    # given words that a terminal or its markup would swallow, turn round or colour
    claims = {"reason": "[red]never[/red] \u202epay\u009b31m\U000e0041", "of": "a\\u202eb"}
    confirm(exactly(claims), "Sign?", True)
    # then they are all there to be read, apart from what the program itself prints
    out, shown = capsys.readouterr()
    assert out == ""
    assert "[red]never[/red] \\u202epay\\u009b31m\\udb40\\udc41" in shown
    assert json.loads(shown) == claims


def test_an_act_that_leaves_a_message_to_be_signed_says_how() -> None:
    message = {"type": "adjust", "kind": "write_down", "token": "TXD", "amount": "500"}
    act = {
        "type": "agree",
        "act_id": "3f0c",
        "status": "done",
        "result": {"act_id": "1", "result": {"to_sign": message}},
    }
    assert "sdt office sign adjust kind=write_down token=TXD amount=500 --as issuer" in told(act)
    lifted = {"type": "agree", "act_id": "3f0c", "status": "done", "result": {"result": {"frozen_tokens": ["TXD"]}}}
    assert "still frozen on chain (TXD)" in told(lifted)
