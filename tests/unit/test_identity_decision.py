"""The identity desk and a lying API: only two officers' own signatures, with roles that the chain shows, count."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nacl.signing import SigningKey

from sdt.desk.decision import checked_decision
from sdt.desk.desk import Evidence, Waiting
from sdt.domain.claims import format_time
from sdt.domain.envelope import b64url, kid_of, message_digest, seal_envelope
from sdt.domain.errors import SdtError
from sdt.domain.region import load_region
from sdt.domain.registry import NOBODY, KeyStatus, KeyWord, Role, pack_key_word

REGION = load_region((Path(__file__).parents[2] / "regions" / "texas.toml").read_bytes())
NOW_S = 1_800_000_000
ACCOUNT = "0x" + "a1" * 20
MAKER, CHECKER, CLIENT, OLD = (SigningKey(bytes([n]) * 32) for n in range(1, 5))
WORDS = {
    bytes(MAKER.verify_key): KeyWord(NOBODY, Role.KYC_DESK),
    bytes(CHECKER.verify_key): KeyWord(NOBODY, Role.APPROVER),
    bytes(CLIENT.verify_key): KeyWord(ACCOUNT, Role.CLIENT),
    bytes(OLD.verify_key): KeyWord(NOBODY, Role.APPROVER, status=KeyStatus.REVOKED),
}


class Chain:
    """The desk's own node: it answers what the Registry has, zero for a key that nobody registered."""

    async def eth_call(self, to: str, data: bytes) -> bytes:
        assert to == "0xregistry"
        word = WORDS.get(data[4:])
        return pack_key_word(word) if word else bytes(32)


def act(kind: str, key: SigningKey, **claims: Any) -> bytes:
    common = {
        "type": kind, "version": 1, "network": "net", "act_id": str(uuid.uuid4()), "region": "US-TX",
        "issued_at": format_time(NOW_S),
    }  # fmt: skip
    return seal_envelope(kind, common | claims, key)


def decision(key: SigningKey = MAKER, **changes: Any) -> bytes:
    claims = {
        "account": ACCOUNT, "application": "kyc_1", "decision": "pass", "tier": 1, "resident": True,
        "seen": "cd" * 32, "evidence": "ab" * 32, "reason": "Seen in person.",
        "expires_at": format_time(NOW_S + 86_400),
    }  # fmt: skip
    return act("decide_identity", key, **claims | changes)


def agree(first: bytes, key: SigningKey = CHECKER, **changes: Any) -> bytes:
    return act("agree", key, **{"digest": message_digest(first).hex()} | changes)


async def check(first: bytes, second: bytes, *, account: str = ACCOUNT, keys: dict[str, str] | None = None) -> Any:
    known = {kid_of(key): b64url(key).decode() for key in WORDS}
    handed = {"act": first.decode(), "agree": second.decode(), "keys": known if keys is None else keys}
    reader: Any = Chain()
    return await checked_decision({"account": account, "decision": handed}, reader, "0xregistry", REGION, "net", NOW_S)


async def test_two_officers_word_counts() -> None:
    first = decision()
    found = await check(first, agree(first))
    assert (found.account, found.tier, found.resident) == (ACCOUNT, 1, True)


FIRST, OTHER, ELSEWHERE = decision(), decision(tier=9), decision(network="other")
FORGED = FIRST[:-4] + (b"AAAA" if FIRST[-4:] != b"AAAA" else b"BBBB")
BY_CHECKER, BY_CLIENT = decision(CHECKER), decision(CLIENT)
STRANGER = SigningKey(b"\x09" * 32)
SWAPPED = {kid_of(bytes(MAKER.verify_key)): b64url(bytes(STRANGER.verify_key)).decode()}


@pytest.mark.parametrize(
    ("first", "second", "more", "code"),
    [
        pytest.param(FORGED, agree(FORGED), {}, "bad_signature", id="not the officer's signature"),
        pytest.param(OTHER, agree(FIRST), {}, "unknown_act", id="agreed to something else"),
        pytest.param(FIRST, agree(FIRST, MAKER), {}, "same_officer", id="maker and checker are one"),
        pytest.param(FIRST, agree(FIRST, CLIENT), {}, "wrong_role", id="a client agrees"),
        pytest.param(FIRST, agree(FIRST, OLD), {}, "wrong_role", id="revoked on chain"),
        pytest.param(FIRST, agree(FIRST, STRANGER), {}, "unknown_key", id="on no chain"),
        pytest.param(BY_CHECKER, agree(BY_CHECKER), {}, "wrong_role", id="an approver decides"),
        pytest.param(BY_CLIENT, agree(BY_CLIENT), {}, "wrong_role", id="a client decides"),
        pytest.param(FIRST, agree(FIRST), {"account": "0x" + "b2" * 20}, "unknown_act", id="another account"),
        pytest.param(FIRST, agree(FIRST), {"keys": {}}, "unknown_key", id="no key to check with"),
        pytest.param(FIRST, agree(FIRST), {"keys": SWAPPED}, "unknown_key", id="another key under the kid"),
        pytest.param(FIRST, FIRST, {}, "wrong_role", id="no agreement"),
        pytest.param(agree(FIRST), agree(FIRST), {}, "wrong_role", id="no decision"),
        pytest.param(ELSEWHERE, agree(ELSEWHERE), {}, "wrong_network", id="another network"),
        pytest.param(FIRST, agree(FIRST, region="US-OK"), {}, "wrong_network", id="agreed in another region"),
    ],
)
async def test_nothing_else_does(first: bytes, second: bytes, more: dict[str, Any], code: str) -> None:
    with pytest.raises(SdtError) as refused:
        await check(first, second, **more)
    assert refused.value.code == code


DEPOSIT = "019b0000-0000-7000-8000-000000000001"
GIFT = {
    "kept": "cur_1", "token": "TXD", "way": "deposit", "evidence": "ab" * 32, "reason": "Her slip.", "deposit": DEPOSIT,
}  # fmt: skip
CUSTODIAN = SigningKey(b"\x07" * 32)
WORDS[bytes(CUSTODIAN.verify_key)] = KeyWord(NOBODY, Role.CUSTODIAN)


@pytest.mark.parametrize(
    ("changes", "maker", "counts"),
    [
        ({}, CUSTODIAN, True),
        ({"deposit": "019b0000-0000-7000-8000-000000000002"}, CUSTODIAN, False),
        ({"kept": "cur_2"}, CUSTODIAN, False),
        ({}, MAKER, None),
    ],
)
async def test_currency_is_a_deposits_whose_slip_names_another_by_two_officers_word(
    changes: dict[str, str], maker: SigningKey, counts: bool | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = act("settle_surplus", maker, **GIFT | changes)
    keys = {kid_of(key): b64url(key).decode() for key in WORDS}
    given = {"act": first.decode(), "agree": agree(first).decode(), "keys": keys}
    amount = REGION.token("TXD").amount(100)

    async def counted(_: str) -> Any:
        evidence = SimpleNamespace(document=b"the bank's word")
        return SimpleNamespace(account="TXD-clearing", amount=amount, reference="nothing", evidence=evidence)

    async def close() -> None:
        """The node goes on."""

    chain: Any = Chain()
    chain.close = close
    monkeypatch.setattr("sdt.desk.desk.ChainReader", lambda *_, **__: chain)
    monkeypatch.setattr("sdt.desk.desk.load_deployment", lambda _: SimpleNamespace(registry="0xregistry"))
    monkeypatch.setattr("sdt.desk.desk.time.time", lambda: NOW_S)
    settings: Any = SimpleNamespace(home=tmp_path, network="net", chain=SimpleNamespace(urls=[], request_timeout_s=1))
    vendors: Any = SimpleNamespace(bank=SimpleNamespace(currency_deposit=counted))
    desk = Evidence(settings, REGION, vendors)
    deposit = Waiting(DEPOSIT, "TXD", ACCOUNT, 100, "cur_1", given)
    assert await desk.of_deposit(replace(deposit, given=None)) is None
    if counts is None:
        with pytest.raises(SdtError):
            await desk.of_deposit(deposit)
    else:
        assert (await desk.of_deposit(deposit) is not None) is counts
