# ruff: noqa: E501 - a table is read line by line.
"""Bad input, row by row through HTTP: each a documented problem with its own code, none a 5xx, nothing half-done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import nacl.signing
import pytest
from api_platform import PERSON, Holder, Platform, platform

import outside
from sdt.api.catalog import PROBLEMS
from sdt.domain.envelope import b64url, kid_of, seal_envelope
from sdt.domain.message import format_time
from sdt.domain.registry import Role
from sdt.store import Store

JOSE = {"Content-Type": "application/jose"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as running:
        yield running


def _count(store: Store) -> int:
    return int(store.row("SELECT count(*) FROM transactions")[0])


def _seal(claims: bytes, key: nacl.signing.SigningKey, kind: str = "transfer", header: bytes | None = None) -> bytes:
    """Sign any bytes at all as claims, under any header at all."""
    kid = kid_of(bytes(key.verify_key)).encode()
    header = header or b'{"alg":"Ed25519","kid":"%s","typ":"sdt-%s+jws"}' % (kid, kind.encode())
    data = b64url(header) + b"." + b64url(claims)
    return data + b"." + b64url(key.sign(data).signature)


class Case:
    """What a row changes about a good transfer from Alice to Bob."""

    def __init__(self, api: Platform, alice: Holder, bob: Holder, id_: str) -> None:
        self.api, self.alice, self.bob, self.id = api, alice, bob, id_
        self.now_s = api.clock.now_ms() // 1000

    def good(self, **more: Any) -> dict[str, Any]:
        return self.api.transfer(self.id, self.alice, self.bob, **more)

    def signed(self, **more: Any) -> bytes:
        return seal_envelope("transfer", self.good(**more), self.alice.key)

    def raw(self, old: str, new: str) -> bytes:
        """Sign the claims after an edit of their text."""
        text = json.dumps(self.good(), separators=(",", ":"))
        assert old in text
        return _seal(text.replace(old, new).encode(), self.alice.key)

    def act(self, kind: str, **claims: Any) -> bytes:
        return seal_envelope(kind, self.api.claims(kind, self.id) | claims, self.alice.key)


def _spare_bits(message: bytes) -> bytes:
    """Spell the same signature another way: the last character of 64 bytes has four bits to spare."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(message[-1:])
    return message[:-1] + alphabet[last ^ 1 : (last ^ 1) + 1]


ROWS: list[tuple[str, Callable[[Case], bytes], int, str]] = [
    # The envelope.
    ("nothing", lambda c: b"", 400, "message_parts"),
    ("two parts", lambda c: c.signed().rpartition(b".")[0], 400, "message_parts"),
    ("a line feed at the end", lambda c: c.signed() + b"\n", 400, "base64"),
    ("padding", lambda c: c.signed() + b"==", 400, "base64"),
    ("another spelling of the signature", lambda c: _spare_bits(c.signed()), 400, "base64"),
    ("a short signature", lambda c: c.signed()[:-86] + b"A" * 84, 400, "signature_size"),
    ("oversized", lambda c: c.signed(memo="a" * 8000), 413, "message_size"),
    (
        "alg none",
        lambda c: _seal(b"{}", c.alice.key, header=b'{"alg":"none","kid":"%s","typ":"sdt-transfer+jws"}' % (b"A" * 43)),
        400,
        "header",
    ),
    (
        "a header with more in it",
        lambda c: _seal(
            b"{}",
            c.alice.key,
            header=b'{"alg":"Ed25519","crit":[],"kid":"%s","typ":"sdt-transfer+jws"}' % (b"A" * 43),
        ),
        400,
        "header",
    ),
    # The JSON.
    ("a duplicate key", lambda c: c.raw('"amount":"12000"', '"amount":"12000","amount":"1"'), 400, "json_duplicate_key"),
    ("a float", lambda c: c.raw('"version":1', '"version":1.0'), 400, "json_number"),
    ("an exponent", lambda c: c.raw('"version":1', '"version":1e0'), 400, "json_number"),
    ("NaN", lambda c: c.raw('"version":1', '"version":NaN'), 400, "json_number"),
    ("a huge integer", lambda c: c.raw('"version":1', '"version":10000000000000000000'), 400, "json_number"),
    ("half a surrogate pair", lambda c: c.raw('"memo":""', '"memo":"\\ud800"'), 400, "json_surrogate"),
    ("not JSON", lambda c: _seal(b"{", c.alice.key), 400, "json"),
    ("an array", lambda c: _seal(b"[]", c.alice.key), 400, "json"),
    ("a byte-order mark", lambda c: _seal(b"\xef\xbb\xbf{}", c.alice.key), 400, "json"),
    ("not UTF-8", lambda c: _seal(b'{"a":"\xff"}', c.alice.key), 400, "json"),
    # The claims.
    ("an unknown field", lambda c: c.signed(note="x"), 400, "claims"),
    ("true for version 1", lambda c: c.signed(version=True), 400, "claims"),
    ("an amount that is a number", lambda c: c.signed(amount=12000), 400, "claims"),
    ("a leading zero", lambda c: c.signed(amount="012"), 400, "claims"),
    ("digits that are not ASCII", lambda c: c.signed(amount="１２"), 400, "claims"),
    ("a line feed after the amount", lambda c: c.signed(amount="12\n"), 400, "claims"),
    ("more than 64 bits", lambda c: c.signed(amount="9999999999999999999"), 400, "amount"),
    ("nothing to pay", lambda c: c.signed(amount="0"), 400, "amount"),
    ("oneself as payee", lambda c: c.signed(payee=c.alice.account), 400, "same_account"),
    ("a time that is none", lambda c: c.signed(expires_at="2026-02-30T00:00:00Z"), 400, "time"),
    ("a time before 1970", lambda c: c.signed(expires_at="1960-01-01T00:00:00Z"), 400, "time"),
    ("a missing claim", lambda c: c.raw('"memo":"",', ""), 400, "claims"),
    ("two types", lambda c: _seal(json.dumps(c.good()).encode(), c.alice.key, "deposit"), 400, "type_mismatch"),
    ("an unknown type", lambda c: c.act("gift"), 400, "unknown_type"),
    ("an unknown token", lambda c: c.signed(token="XYZ"), 400, "unknown_token"),
    # The key and the signature.
    (
        "an unknown key",
        lambda c: seal_envelope("transfer", c.good(), nacl.signing.SigningKey.generate()),
        401,
        "unknown_key",
    ),
    (
        "another's kid",
        lambda c: _seal(
            json.dumps(c.good()).encode(),
            c.bob.key,
            header=b'{"alg":"Ed25519","kid":"%s","typ":"sdt-transfer+jws"}' % c.alice.kid.encode(),
        ),
        401,
        "bad_signature",
    ),
    # The network, the region, the time.
    ("another network", lambda c: c.signed(network="sdt-production"), 422, "wrong_network"),
    ("another region", lambda c: c.signed(region="US-FL"), 422, "wrong_region"),
    ("a clock ahead", lambda c: c.signed(issued_at=format_time(c.now_s + 90)), 422, "clock_skew"),
    ("a clock behind", lambda c: c.signed(issued_at=format_time(c.now_s - 90)), 422, "clock_skew"),
    ("an end that has passed", lambda c: c.signed(expires_at=format_time(c.now_s - 1)), 422, "expired_message"),
    (
        "an end in a month",
        lambda c: c.signed(expires_at=format_time(c.now_s + 30 * 86_400)),
        422,
        "expires_too_late",
    ),
    # What the key may do.
    ("somebody else's money", lambda c: c.signed(payer=c.bob.account, payee=c.alice.account), 403, "wrong_key"),
    (
        "an official's act",
        lambda c: c.act(
            "fund", token="TXD", amount="1", sequence=1, evidence="0" * 64
        ),
        403,
        "wrong_role",
    ),
    (
        "a registration without its person",
        lambda c: seal_envelope("register", c.api.registration(c.id, c.alice), c.alice.key),
        422,
        "register_with_person",
    ),
    (
        "a small-order key",
        lambda c: c.act(
            "rotate_key",
            account=c.alice.account,
            public_key=b64url(bytes([1] + [0] * 31)).decode(),
            action="add",
            expires_at=format_time(c.now_s + 1000),
        ),
        400,
        "weak_public_key",
    ),
]  # fmt: skip


async def test_each_bad_message_has_its_documented_problem_and_leaves_nothing(api: Platform) -> None:
    alice, bob = await api.settle(Holder("alice")), await api.settle(Holder("bob"))
    ids = await api.ids(len(ROWS))
    for (name, make, status, code), id_ in zip(ROWS, ids, strict=True):
        # given a message that is wrong in one way
        message = make(Case(api, alice, bob, id_))
        # when it is sent
        answered, problem = await api.put(id_, message)
        # then the answer is that row's problem, in the standard's form
        assert (name, answered, problem["code"]) == (name, status, code)
        assert problem["status"] == status == PROBLEMS[code].status, name
        assert problem["type"] == f"/docs/errors.md#{code}", name
        assert problem["instance"] == f"/v1/transactions/{id_}", name
        assert problem["transaction_id"] == id_, name
        assert problem["title"], name
        assert problem["detail"], name
    # and nothing of any of them is stored, and the same ids still take a good message
    assert await api.store.read(_count) == 0
    assert (await api.put(ids[0], Case(api, alice, bob, ids[0]).signed()))[0] == 202


async def test_ids_that_do_not_fit(api: Platform) -> None:
    alice, bob = await api.settle(Holder("alice")), await api.settle(Holder("bob"))
    first, second = await api.ids(2)
    message = Case(api, alice, bob, first).signed()
    forged = first[:-1] + ("0" if first[-1] != "0" else "1")
    rows = [
        ("another id's address", second, message, 400, "transaction_id_mismatch"),
        ("no id", "nonsense", message, 400, "transaction_id"),
        ("an id in capitals", first.upper(), message, 400, "transaction_id"),
        ("an id nobody gave", forged, Case(api, alice, bob, forged).signed(), 404, "unknown_transaction_id"),
    ]
    for name, id_, raw, status, code in rows:
        # when a message is sent under an id that does not fit, then it is refused for that
        answered, problem = await api.put(id_, raw)
        assert (name, answered, problem["code"]) == (name, status, code)
    # when the window of an id has passed, then the message is refused, and the status says so too
    api.clock.ahead_ms = 901_000
    answered, problem = await api.put(first, message)
    assert (answered, problem["code"]) == (422, "expired_transaction_id")
    assert (await api.get(f"/v1/transactions/{first}"))[1]["status"] == "expired"
    assert await api.store.read(_count) == 0


async def test_keys_that_no_longer_count(api: Platform) -> None:
    bob = await api.settle(Holder("bob"))
    revoked = await api.settle(Holder("rita"), status="revoked")
    expired = await api.settle(Holder("emil"), expires_at_s=1)
    for holder, code in ((revoked, "key_revoked"), (expired, "key_expired")):
        # when a message comes from a key that counted once, then it is refused for that
        id_, message = await api.signed_transfer(holder, bob)
        answered, problem = await api.put(id_, message)
        assert (answered, problem["code"]) == (401, code)


async def test_a_key_that_is_revoked_stops_counting_by_itself(api: Platform) -> None:
    # given a key that the API has in memory
    alice, bob = await api.settle(Holder("alice")), await api.settle(Holder("bob"))
    assert (await api.put(*await api.signed_transfer(alice, bob)))[0] == 202
    # when its revocation settles
    await api.store.run(_revoke, alice.kid)
    # then within a second it is refused
    for _ in range(20):
        answered, problem = await api.put(*await api.signed_transfer(alice, bob))
        if answered == 401:
            break
        await asyncio.sleep(0.1)
    assert (answered, problem["code"]) == (401, "key_revoked")


def _revoke(store: Store, kid: str) -> None:
    from sdt.store import accounts

    accounts.revoke_key(store, kid)


async def test_an_officials_key_is_held_to_its_role(api: Platform) -> None:
    # given a custodian's key
    custodian = await api.settle(Holder("vault", roles=Role.CUSTODIAN))
    first, second = await api.ids(2)
    fund = api.claims("fund", first) | {"token": "TXD", "amount": "5", "sequence": 1, "evidence": "0" * 64}
    # when it funds, then it is accepted; when it would freeze, it is not
    assert (await api.put(first, seal_envelope("fund", fund, custodian.key)))[0] == 202
    freeze = api.claims("freeze", second) | {
        "account": "0x" + "1" * 40,
        "token": "",
        "order": "D-1",
        "authority": "Court",
        "expires_at": format_time(2_000_000_000),
    }
    answered, problem = await api.put(second, seal_envelope("freeze", freeze, custodian.key))
    assert (answered, problem["code"]) == (403, "wrong_role")


Request = Callable[[Platform], Awaitable[tuple[int, dict[str, Any]]]]
REQUESTS: list[tuple[str, Request, int, str]] = [
    ("no such address", lambda a: a.get("/v2/nothing"), 404, "not_found"),
    ("a slash too many", lambda a: a.get("/v1/region/"), 404, "not_found"),
    ("another method", lambda a: a.call("DELETE", "/v1/region"), 405, "method_not_allowed"),
    ("another method on a hot route", lambda a: a.get("/v1/transactions/batch"), 405, "method_not_allowed"),
    ("JSON for JOSE", lambda a: a.put("x", b"{}", **{"Content-Type": "application/json"}), 415, "unsupported_media_type"),
    (
        "a form for JSON",
        lambda a: a.call("POST", "/v1/transactions", b"count=1", **{"Content-Type": "application/x-www-form-urlencoded"}),
        415,
        "unsupported_media_type",
    ),
    ("a batch that is a form", lambda a: a.call("POST", "/v1/transactions/batch", b"x", **JOSE), 415, "unsupported_media_type"),
    ("a count of none", lambda a: a.post("/v1/transactions", {"count": 0}), 400, "request"),
    ("a count of too many", lambda a: a.post("/v1/transactions", {"count": 501}), 400, "request"),
    ("a count that is a text", lambda a: a.post("/v1/transactions", {"count": "1"}), 400, "request"),
    ("a count that is true", lambda a: a.post("/v1/transactions", {"count": True}), 400, "request"),
    ("an unknown field", lambda a: a.post("/v1/transactions", {"count": 1, "x": 1}), 400, "request"),
    ("an empty batch", lambda a: a.post("/v1/transactions/batch", {"messages": []}), 400, "request"),
    ("a batch of numbers", lambda a: a.post("/v1/transactions/batch", {"messages": [1]}), 400, "request"),
    ("a batch that is none", lambda a: a.post("/v1/transactions/batch", {"message": []}), 400, "request"),
    ("too many messages", lambda a: a.post("/v1/transactions/batch", {"messages": ["x"] * 501}), 400, "request"),
    (
        "a duplicate key",
        lambda a: a.call("POST", "/v1/transactions", b'{"count":1,"count":2}', **{"Content-Type": "application/json"}),
        400,
        "json_duplicate_key",
    ),
    (
        "a float",
        lambda a: a.call("POST", "/v1/transactions", b'{"count":1.0}', **{"Content-Type": "application/json"}),
        400,
        "json_number",
    ),
    (
        "a body too large",
        lambda a: a.call("POST", "/v1/transactions", b"x" * 70_000, **{"Content-Type": "application/json"}),
        413,
        "request_size",
    ),
    (
        "a batch too large",
        lambda a: a.call("POST", "/v1/transactions/batch", b"x" * 4_800_000, **{"Content-Type": "application/json"}),
        413,
        "request_size",
    ),
    ("a message too large", lambda a: a.put("x", b"x" * 9_000), 413, "message_size"),
    ("headers too large", lambda a: a.call("GET", "/v1/region", **{"X-Much": "x" * 7_000, "X-More": "y" * 7_900, "X-Yet": "z" * 4_000}), 431, "header_size"),
    ("a wait too long", lambda a: a.get("/v1/transactions/x?wait=31"), 400, "request"),
    ("a wait that is none", lambda a: a.get("/v1/transactions/x?wait=NaN"), 400, "request"),
    ("a token that is none", lambda a: a.get("/v1/tokens/XYZ"), 404, "token_not_found"),
    ("a handle that is nobody's", lambda a: a.get("/v1/handles/nobody"), 404, "unknown_handle"),
    ("a private read without a proof", lambda a: a.get("/v1/users/me"), 401, "proof_required"),
]  # fmt: skip


async def test_each_bad_request_has_its_documented_problem(api: Platform) -> None:
    for name, send, status, code in REQUESTS:
        # when a request is wrong in one way
        answered, problem = await send(api)
        # then the answer is that row's problem
        assert (name, answered, problem.get("code")) == (name, status, code)
        assert problem["status"] == status == PROBLEMS[code].status, name
        assert problem["type"].endswith(f"#{code}"), name


async def test_a_body_without_a_length_is_bounded_too(api: Platform) -> None:
    # given a body that is sent in pieces and never announced
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 4_096

    # when it grows beyond the limit, then it is refused
    for method, path, media in (
        ("PUT", "/v1/transactions/x", "application/jose"),
        ("POST", "/v1/transactions", "application/json"),
    ):
        async with api.session.request(
            method, api.url + path, data=pieces(), headers={"Content-Type": media}
        ) as answer:
            assert answer.status == 413


async def test_allow_names_every_method_of_an_address(api: Platform) -> None:
    (id_,) = await api.ids()
    async with api.session.delete(f"{api.url}/v1/transactions/{id_}") as answer:
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "PUT"}


async def test_what_no_json_parser_may_accept_is_refused_on_every_way_in(api: Platform) -> None:
    # given every file of the parsing set that must be refused
    files = sorted(outside.data_folder("json/test_parsing").glob("n_*.json"))
    assert len(files) == 188
    alice = await api.settle(Holder("alice"))
    (id_,) = await api.ids()
    for file in files:
        data = file.read_bytes()
        # when it comes as a request, as a batch, or inside a signed message, then it is refused as malformed
        for path in ("/v1/transactions", "/v1/transactions/batch", "/v1/users"):
            status, problem = await api.call("POST", path, data[:60_000], **{"Content-Type": "application/json"})
            if data or path != "/v1/transactions":
                assert (file.name, status) == (file.name, 400)
                assert problem["code"].startswith("json"), file.name
        status, problem = await api.put(id_, _seal(data[:4_000], alice.key))
        assert (file.name, status) == (file.name, 400)


async def test_a_bug_answers_an_opaque_problem_with_an_incident(
    api: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # given a bug on a hot route and one on a framework route, each with something personal at hand
    alice, bob = await api.settle(Holder("alice")), await api.settle(Holder("bob"))
    id_, message = await api.signed_transfer(alice, bob)
    monkeypatch.setattr("sdt.api.intake.row_of", lambda *_: 1 / 0)
    monkeypatch.setattr("sdt.api.region.ledger.supply", lambda *_: {}["Alice Adams"])
    # when they are met
    answers = [await api.put(id_, message), await api.get("/v1/tokens/TXD")]
    for status, problem in answers:
        # then the client gets an incident and nothing else, and the log has it without the values
        assert (status, problem["code"]) == (500, "internal")
        assert "Error" not in str(problem)
        assert problem["incident"] in caplog.text
    assert "Alice Adams" not in caplog.text
    # and the API goes on
    monkeypatch.undo()
    assert (await api.put(id_, message))[0] == 202


async def test_registrations_that_do_not_fit(api: Platform) -> None:
    taken = await api.settle(Holder("taken"))
    rows: list[tuple[str, dict[str, Any], dict[str, Any], int, str]] = [
        ("a small-order key", {"public_key": b64url(bytes([1] + [0] * 31)).decode()}, {}, 400, "weak_public_key"),
        ("another's key", {"public_key": b64url(taken.public_key).decode()}, {}, 401, "kid_mismatch"),
        ("another's handle", {"handle": "taken"}, {}, 409, "user_taken"),
        ("another's account", {"account": taken.account}, {}, 409, "user_taken"),
        ("no handle", {"handle": "A"}, {}, 400, "claims"),
        ("another region", {"region": "US-FL"}, {}, 422, "wrong_region"),
        ("a person without an address", {}, {"address": None}, 400, "request"),
        ("a person from the future", {}, {"born_on": "2099-01-01"}, 422, "date_of_birth"),
        ("a person of no day", {}, {"born_on": "1999-02-30"}, 422, "date_of_birth"),
        ("a control character", {}, {"given_name": "A\u0000b"}, 400, "request"),
    ]
    for name, claims, person, status, code in rows:
        # given a registration that is wrong in one way
        holder = Holder("newcomer")
        (id_,) = await api.ids()
        message = seal_envelope("register", api.registration(id_, holder, **claims), holder.key)
        # when it is sent, then it is refused for that
        answered, problem = await api.post("/v1/users", {"message": message.decode(), "person": PERSON | person})
        assert (name, answered, problem["code"]) == (name, status, code)
        assert "Alice" not in str(problem), "a refusal does not repeat what is personal"
    # and nothing is stored of any of them
    assert await api.store.read(_count) == 0
    assert await api.store.read(lambda store: store.row("SELECT count(*) FROM users")[0]) == 1
