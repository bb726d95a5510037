"""What can be read can be an item: no time that a message may name makes one that the chain's words do not hold."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import example, given, reject
from hypothesis import strategies as st
from nacl.signing import SigningKey

from domain_messages import ALICE, envelope_claims, key_text, sealed, texas
from sdt.domain.errors import Invalid
from sdt.domain.items import build_item
from sdt.domain.message import read_message

KEY = SigningKey(b"\x01" * 32)
NEW: Final = key_text(SigningKey(b"\x77" * 32))
REGION = texas()
DIGEST = "ab" * 32
STANDING: Final[dict[str, dict[str, Any]]] = {
    "rotate_key": {"account": ALICE, "public_key": NEW, "action": "add"},
    "grant_role": {"public_key": NEW, "role": "issuer", "token": "TXD", "action": "grant"},
    "attest_identity": {"account": ALICE, "domain": "dollar", "tier": 9, "resident": True, "evidence": DIGEST},
    "freeze": {"account": ALICE, "token": "", "order": "1", "authority": "A court"},
    "set_rules": {"digest": DIGEST},
    "attest_reserve": {"token": "TXD", "reserve": "1", "holdings": DIGEST, "sequence": 2**53},
}
LATEST = "9999-12-31T23:59:59Z"
TIMES = st.datetimes().map(lambda at: f"{at.replace(microsecond=0).isoformat()}Z")


def _message(kind: str, at: str, until: str) -> bytes:
    names = {"set_rules": {"effective": at}, "attest_reserve": {"as_of": at, "valid_until": until}}
    return sealed(kind, envelope_claims(kind) | STANDING[kind] | names.get(kind, {"expires_at": until}), KEY)


@given(kind=st.sampled_from(sorted(STANDING)), at=TIMES, until=TIMES)
@example(kind="rotate_key", at=LATEST, until="1969-12-31T23:59:59Z")
@example(kind="set_rules", at="1969-12-31T23:59:59Z", until=LATEST)
@example(kind="attest_reserve", at="0001-01-01T00:00:00Z", until=LATEST)
@example(kind="freeze", at=LATEST, until=LATEST)
@example(kind="rotate_key", at=LATEST, until="1970-01-01T00:00:00Z")
def test_what_can_be_read_becomes_an_item(kind: str, at: str, until: str) -> None:
    try:
        signed = read_message(_message(kind, at, until))
    except Invalid:
        reject()
    build_item(signed, REGION)


def test_1970_is_the_first_time_and_9999_the_last() -> None:
    for until in ("1970-01-01T00:00:00Z", LATEST):
        build_item(read_message(_message("rotate_key", LATEST, until)), REGION)
