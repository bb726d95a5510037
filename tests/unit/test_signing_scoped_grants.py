"""Administrators of one token before a signer: whatever they sign stays within that token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from domain_messages import NOW_S, envelope_claims, key_text, sealed, texas
from sdt.domain.envelope import kid_of, message_digest
from sdt.domain.errors import Forbidden
from sdt.domain.message import format_time
from sdt.domain.registry import NOBODY, KeyWord, Role, pack_key_word
from sdt.signing.messages import MessageChecks
from sdt.signing.registry import Registry
from sdt.signing.store import Store
from sdt.signing.wire import Entry

FIRST, SECOND, GOLD_1, GOLD_2, VAULT, BANK, NEW = (SigningKey(bytes([n]) * 32) for n in range(1, 8))
ON_CHAIN = (
    (FIRST, Role.ADMINISTRATOR, 0),
    (SECOND, Role.ADMINISTRATOR, 0),
    (GOLD_1, Role.ADMINISTRATOR, 2),
    (GOLD_2, Role.ADMINISTRATOR, 2),
    (VAULT, Role.CUSTODIAN, 2),
    (BANK, Role.CUSTODIAN, 1),
)


@pytest.fixture
def checks(tmp_path: Path) -> Iterator[MessageChecks]:
    store = Store(tmp_path / "signer.db")
    for key, role, scope in ON_CHAIN:
        public = bytes(key.verify_key)
        word = pack_key_word(KeyWord(NOBODY, role, scope))
        store.db.execute("INSERT INTO chain_key VALUES (?, ?, ?)", (kid_of(public), public, word))
    yield MessageChecks("sdt-test", texas(), Registry(store.db, texas()), administers=True, now_s=NOW_S)
    store.close()


def of_two(maker: SigningKey, checker: SigningKey, kind: str, **claims: str) -> Entry:
    raw = sealed(kind, envelope_claims(kind) | claims, maker)
    return Entry(raw, (sealed("approve", envelope_claims("approve") | {"digest": message_digest(raw).hex()}, checker),))


def grant(maker: SigningKey, checker: SigningKey, key: SigningKey, **changes: str) -> Entry:
    fields = {"role": "custodian", "token": "TXG", "action": "grant", "expires_at": format_time(2 * NOW_S)} | changes
    return of_two(maker, checker, "grant_role", public_key=key_text(key), **fields)


def refusal(checks: MessageChecks, entry: Entry) -> str:
    try:
        checks.check(entry)
    except Forbidden as error:
        return error.code
    return ""


@pytest.mark.parametrize("action", ["grant", "revoke"])
@pytest.mark.parametrize("pair", [(GOLD_1, GOLD_2), (FIRST, GOLD_1), (GOLD_1, FIRST)])
def test_they_change_no_key_that_covers_more_or_another_token(
    checks: MessageChecks, pair: tuple[SigningKey, SigningKey], action: str
) -> None:
    for key in (SECOND, BANK):
        assert refusal(checks, grant(*pair, key, action=action)) == "wrong_scope"
    # while their own token's keys are theirs, and every key the region's administrators'
    assert refusal(checks, grant(*pair, VAULT, action=action)) == ""
    assert refusal(checks, grant(FIRST, SECOND, BANK, action=action)) == ""


def test_nor_one_that_the_same_batch_makes(checks: MessageChecks) -> None:
    assert refusal(checks, grant(FIRST, SECOND, NEW, token="")) == ""
    assert refusal(checks, grant(GOLD_1, GOLD_2, NEW, action="revoke")) == "wrong_scope"


@pytest.mark.parametrize(
    ("pair", "code"), [((GOLD_1, GOLD_2), "wrong_scope"), ((FIRST, GOLD_1), "wrong_scope"), ((FIRST, SECOND), "")]
)
def test_they_set_no_rules(checks: MessageChecks, pair: tuple[SigningKey, SigningKey], code: str) -> None:
    rules = of_two(*pair, "set_rules", digest="ab" * 32, effective=format_time(NOW_S))
    assert refusal(checks, rules) == code
