"""A vendor in every kind of trouble: what is repeated, what is asked about, and what never leaves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lying_vendor import DONE, ORDER, Vendor, lying_vendor, quick_folder, speaker
from sdt.adapters.bank import HttpBank
from sdt.adapters.kyc import HttpKyc
from sdt.adapters.vendor.breaker import BreakerState
from sdt.adapters.vendor.errors import VendorFolderInvalid
from sdt.adapters.vendor.folder import Folder, load_folder
from sdt.adapters.vendor.mapped import MappedVendor
from sdt.adapters.vendor.samples import SAMPLES
from sdt.adapters.vendor.shipped import SHIPPED
from sdt.adapters.vendor.spec import ApiKey, Basic, BreakerSpec, Hmac, OAuth2
from sdt.adapters.vendor.trace import FILE
from sdt.adapters.vendor.transport import filled_path
from sdt.domain.errors import Conflict, NotFound, Unavailable, Unprocessable
from sdt.ports.bank import BookTransfer
from sdt.ports.evidence import StateUnknown, VendorFault

pytestmark = pytest.mark.slow
PERSON = SAMPLES["kyc"][0].arguments({})["party"]
NAMES = ("Ada", "Samplename", "1 Sample Street", "7315", "1990-02-03")


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with lying_vendor() as vendor:
        yield vendor


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


async def order(client: MappedVendor, key: str = "k") -> BookTransfer:
    return await client.call("book_transfer", BookTransfer, {"order": ORDER}, key)


async def look(client: MappedVendor, transfer_id: str = "t") -> BookTransfer:
    return await client.call("transfer", BookTransfer, {"transfer_id": transfer_id})


# What an answer may be


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>busy</html>",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        DONE.encode()[:-1],
        DONE.replace('"t"', "NaN").encode(),
        DONE.replace('"t"', "1" * 5_000).encode(),
        DONE.replace('"status"', '"transfer_id":"u","status"').encode(),
        DONE.replace('"5"', "5").encode(),
        DONE.replace('"5"', '"05"').encode(),
        DONE.replace('"5"', '"6"').encode(),
        DONE.replace("TXD-reserve", "TXD-operating").encode(),
        DONE.replace('"confirmed"', '"Ada Samplename"').encode(),
        DONE.replace("03:04:05Z", "03:04:05").encode(),
        b'"' + b"x" * 1_100_000 + b'"',
        "squeezed",
        (302, ""),
        (204, ""),
        (206, DONE),
    ],
)
async def test_an_answer_in_another_form_is_a_fault_and_is_not_repeated(vendor: Vendor, answer: Any) -> None:
    client = speaker(vendor.url, quick_folder(answer_bytes_max=1_000_000))
    vendor.answers = [answer] * 5

    with pytest.raises(VendorFault) as raised:
        await HttpBank(client, client).book_transfer(ORDER, "k")

    assert len(vendor.asked) == 1
    assert "Samplename" not in str(raised.value)
    assert len(str(raised.value)) < 300
    await client.close()


async def test_a_slow_drip_ends_with_the_time_limit(vendor: Vendor) -> None:
    client = speaker(vendor.url, quick_folder(timeout_s=0.3))
    vendor.answers = ["drip", (404, "{}"), "drip", (404, "{}"), "drip", (404, "{}")]
    begun = time.monotonic()

    with pytest.raises(StateUnknown):
        await order(client)

    assert time.monotonic() - begun < 3
    await client.close()


async def test_a_connection_dropped_after_the_order_was_done_is_one_order(vendor: Vendor) -> None:
    client = speaker(vendor.url)
    vendor.answers = ["hang up", (200, DONE)]

    assert (await order(client)).transfer_id == "t"

    assert [method for method, _, _ in vendor.asked] == ["POST", "GET"]
    await client.close()


@pytest.mark.parametrize("reply", [(422, '{"code":"no"}'), (409, "{}"), (400, "{}")])
async def test_a_refusal_to_say_what_became_of_an_order_is_no_refusal_of_the_order(vendor: Vendor, reply: Any) -> None:
    client = speaker(vendor.url)
    vendor.answers = ["hang up", reply]

    with pytest.raises(StateUnknown):
        await order(client)
    await client.close()


REFUSALS = [(404, "<html>"), (400, "no"), (409, '{"code":"in_progress"}'), (422, '{"code":"no"}')]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("asked", [[(404, "{}")], None])
async def test_a_refusal_of_what_is_sent_again_is_no_refusal_of_what_went_unanswered(
    vendor: Vendor, refusal: tuple[int, str], asked: list[tuple[int, str]] | None
) -> None:
    client = speaker(vendor.url, quick_folder() if asked else other({"ask": None}))
    vendor.answers = ["hang up", *(asked or []), refusal]

    with pytest.raises(StateUnknown):
        await order(client)

    vendor.answers = [refusal]
    with pytest.raises((Unprocessable, NotFound, Conflict)) as raised:
        await order(client)
    assert raised.value.kind.worker == "reject"
    await client.close()


async def became(client: MappedVendor) -> BookTransfer | None:
    return await client.became("book_transfer", BookTransfer, {"order": ORDER}, "k")


@pytest.mark.parametrize("late", [False, True])
async def test_what_became_of_an_order_is_asked_for_and_nothing_is_sent(vendor: Vendor, late: bool) -> None:
    client = speaker(vendor.url, quick_folder(timeout_s=0.3))
    vendor.answers = [*([(404, '{"code":"request_unknown"}')] * late), (200, DONE)]

    found = await became(client)

    assert found is not None
    assert found.transfer_id == "t"
    assert vendor.asked == [("GET", "/v1/requests/book.k", "")] * (1 + late)
    await client.close()


async def test_that_an_order_was_not_done_is_believed_when_it_is_said_twice(vendor: Vendor) -> None:
    client = speaker(vendor.url, quick_folder(timeout_s=0.3))
    vendor.answers = [(404, '{"code":"request_unknown"}')] * 2
    begun = time.monotonic()

    assert await became(client) is None

    assert time.monotonic() - begun > 0.3
    await client.close()


@pytest.mark.parametrize("answer", [*REFUSALS[:3], (503, ""), "hang up"])
async def test_a_closed_way_to_a_vendor_is_not_its_word_that_an_order_was_not_done(vendor: Vendor, answer: Any) -> None:
    client = speaker(vendor.url, quick_folder(timeout_s=0.3))
    vendor.answers = [answer] * 2

    with pytest.raises(StateUnknown):
        await became(client)
    await client.close()


async def test_a_vendor_that_cannot_be_asked_has_not_said_that_an_order_was_not_done(vendor: Vendor) -> None:
    client = speaker(vendor.url, other({"ask": None}))

    with pytest.raises(StateUnknown):
        await became(client)

    assert vendor.asked == []
    await client.close()


# Vendors that work in other ways


def other(changes: dict[str, Any]) -> Folder:
    """The sandbox bank's folder with its book transfer done in another way."""
    folder = quick_folder()
    operation = folder.operations["book_transfer"]
    changed = replace(operation, spec=msgspec.structs.replace(operation.spec, **changes))
    if changes.get("ask", True) is None:
        changed = replace(changed, ask=None)
    return replace(folder, operations={**folder.operations, "book_transfer": changed})


async def test_a_vendor_without_keys_is_asked_before_every_order(vendor: Vendor) -> None:
    client = speaker(vendor.url, other({"idempotency": None}))
    vendor.answers = [(404, "{}"), (201, DONE), (200, DONE)]

    await order(client)
    # a crash of ours, and the same call again: it was done before
    await order(client)

    assert [method for method, _, _ in vendor.asked] == ["GET", "POST", "GET"]
    await client.close()


@pytest.mark.parametrize("lost", [(503, ""), "hang up"])
async def test_a_vendor_without_keys_that_may_have_done_it_is_asked_and_not_sent_it_again(
    vendor: Vendor, lost: Any
) -> None:
    client = speaker(vendor.url, other({"idempotency": None}))
    vendor.answers = [(404, "{}"), lost, (200, DONE)]

    assert (await order(client)).transfer_id == "t"

    assert [method for method, _, _ in vendor.asked] == ["GET", "POST", "GET"]
    await client.close()


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_vendor_without_keys_is_believed_when_the_order_had_its_time_to_arrive(
    vendor: Vendor, arrived: bool
) -> None:
    client = speaker(vendor.url, other({"idempotency": None}))
    vendor.answers = [(404, "{}"), "hang up", (404, "{}"), *([(200, DONE)] if arrived else [(404, "{}"), (201, DONE)])]
    begun = time.monotonic()

    assert (await order(client)).transfer_id == "t"

    assert [method for method, _, _ in vendor.asked] == ["GET", "POST", "GET", "GET", *([] if arrived else ["POST"])]
    assert time.monotonic() - begun > 0.3
    await client.close()


async def test_a_call_that_gives_up_on_an_order_without_a_key_gave_it_its_time(vendor: Vendor) -> None:
    client = speaker(vendor.url, quick_once(other({"idempotency": None})))
    vendor.answers = [(404, "{}"), "hang up", (404, "{}")]
    begun = time.monotonic()

    with pytest.raises(StateUnknown):
        await order(client)

    assert [method for method, _, _ in vendor.asked] == ["GET", "POST", "GET"]
    assert time.monotonic() - begun > 0.3
    await client.close()


def quick_once(folder: Folder) -> Folder:
    """The same folder, whose vendor is tried once in a call."""
    return replace(folder, spec=msgspec.structs.replace(folder.spec, attempts=1))


async def test_a_503_of_a_vendor_that_knows_keys_is_tried_again_without_a_question(vendor: Vendor) -> None:
    client = speaker(vendor.url)
    vendor.answers = [(503, ""), (201, DONE)]

    await order(client)

    assert [method for method, _, _ in vendor.asked] == ["POST", "POST"]
    await client.close()


async def test_a_vendor_without_keys_that_cannot_be_asked_is_sent_nothing(vendor: Vendor) -> None:
    client = speaker(vendor.url, other({"idempotency": None}))
    vendor.answers = [(500, "")]

    with pytest.raises(StateUnknown):
        await order(client)

    assert [method for method, _, _ in vendor.asked] == ["GET"]
    await client.close()


async def test_a_vendor_that_knows_keys_and_answers_no_questions_is_sent_the_same_key_again(vendor: Vendor) -> None:
    client = speaker(vendor.url, other({"ask": None}))
    vendor.answers = ["hang up", (500, ""), (201, DONE)]

    await order(client)

    assert vendor.asked == [("POST", "/v1/book-transfers", "book.k")] * 3
    await client.close()


async def test_a_refusal_within_a_200_is_a_refusal(vendor: Vendor) -> None:
    folder = load_folder(SHIPPED / "plains-treasury")
    client = speaker(vendor.url, folder, "id:key")
    vendor.answers = [(200, '{"declined":{"code":"E-INSUFFICIENT-FUNDS"}}'), (200, '{"declined":{"code":"Ada S."}}')]

    codes = []
    for _ in range(2):
        with pytest.raises(Unprocessable) as raised:
            await order(client)
        codes.append(raised.value.code)

    assert codes == ["insufficient_funds", "refused"]
    await client.close()


# The breaker


async def test_a_vendor_that_does_not_answer_is_left_alone_and_then_tried_by_one(vendor: Vendor) -> None:
    clock = Clock()
    client = speaker(vendor.url, quick_folder(breaker=BreakerSpec(3, 5), attempts=1), clock=clock)
    vendor.answers = [(500, ""), (503, ""), "hang up", "hang up"]  # A read cut off may be made twice below us.
    for _ in range(3):
        with pytest.raises(Unavailable):
            await look(client)
    assert client.health().breaker is BreakerState.OPEN
    asked = len(vendor.asked)

    with pytest.raises(Unavailable) as raised:
        await order(client)
    assert (raised.value.code, len(vendor.asked)) == ("treasury_unavailable", asked)
    assert not isinstance(raised.value, StateUnknown)

    clock.now += 5
    vendor.answers = [(200, DONE)]
    both = await asyncio.gather(look(client), look(client), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["BookTransfer", "Unavailable"]
    assert client.health().breaker is BreakerState.CLOSED
    assert client.health().outcomes == {"unavailable": 5, "ok": 1}
    await client.close()


async def test_a_vendor_that_refuses_is_well(vendor: Vendor) -> None:
    client = speaker(vendor.url, quick_folder(breaker=BreakerSpec(1, 5)))
    vendor.answers = [(422, "{}")] * 3

    for _ in range(3):
        with pytest.raises(Unprocessable):
            await order(client)

    assert client.health().breaker is BreakerState.CLOSED
    await client.close()


# Proof of who we are


async def test_a_token_is_kept_renewed_in_time_and_renewed_once_when_refused(vendor: Vendor) -> None:
    clock = Clock()
    folder = quick_folder(auth=OAuth2("/token", scope="pay all"))
    client = speaker(vendor.url, folder, "me:s/ecret", clock=clock)

    def token(text: str) -> tuple[int, str]:
        return 200, json.dumps({"access_token": text, "token_type": "bearer", "expires_in": 100})

    vendor.answers = [token("one"), (200, DONE), (200, DONE)]
    await look(client)
    await look(client)
    clock.now += 71
    vendor.answers = [token("two"), (200, DONE)]
    await look(client)
    vendor.answers = [(401, "{}"), token("three"), (201, DONE)]
    await order(client)
    vendor.answers = [(401, "{}"), token("four"), (401, "{}")]
    with pytest.raises(VendorFault):
        await order(client)

    used = [headers.get("Authorization", "") for headers in vendor.headers]
    basic = "Basic " + base64.b64encode(b"me:s%2Fecret").decode()
    assert used == [
        *(basic, "Bearer one", "Bearer one"),
        *(basic, "Bearer two"),
        *("Bearer two", basic, "Bearer three"),
        *("Bearer three", basic, "Bearer four"),
    ]
    assert vendor.bodies[0] == b"grant_type=client_credentials&scope=pay+all"
    await client.close()


async def test_many_calls_at_once_ask_for_one_token(vendor: Vendor) -> None:
    client = speaker(vendor.url, quick_folder(auth=OAuth2("/token"), timeout_s=5.0), "me:key")
    vendor.answers = [(200, '{"access_token":"one"}'), *[(200, DONE)] * 5]
    await asyncio.gather(*(look(client) for _ in range(5)))
    assert [path for _, path, _ in vendor.asked].count("/token") == 1
    await client.close()


@pytest.mark.parametrize(
    "answer", [(500, ""), (400, '{"error":"invalid_client"}'), (200, "{}"), (200, '{"access_token":"a\\r\\nX: y"}')]
)
async def test_without_a_token_nothing_is_ordered(vendor: Vendor, answer: Any) -> None:
    client = speaker(vendor.url, quick_folder(auth=OAuth2("/token"), attempts=1), "me:key")
    vendor.answers = [answer]

    with pytest.raises(Unavailable) as raised:
        await order(client)

    assert not isinstance(raised.value, StateUnknown)
    assert [path for _, path, _ in vendor.asked] == ["/token"]
    await client.close()


async def test_a_request_is_signed_over_what_is_sent(vendor: Vendor) -> None:
    spec = Hmac("X-Id", "X-At", "X-Sig", "{method} {path} {timestamp} {body_sha256} {body}", time="unix_ms")
    client = speaker(vendor.url, quick_folder(auth=spec), "me:key:with:colons")
    vendor.answers = [(201, DONE)]

    await order(client)

    headers, body = vendor.headers[0], vendor.bodies[0]
    signed = f"POST /v1/book-transfers {headers['X-At']} {hashlib.sha256(body).hexdigest()} ".encode() + body
    assert headers["X-Sig"] == hmac.new(b"key:with:colons", signed, "sha256").hexdigest()
    assert headers["X-Id"] == "me"
    assert abs(int(headers["X-At"]) - time.time() * 1000) < 60_000
    await client.close()


@pytest.mark.parametrize(
    ("auth", "secret", "header", "value"),
    [
        (ApiKey("X-Key"), "s", "X-Key", "s"),
        (Basic(), "me:s", "Authorization", "Basic bWU6cw=="),
    ],
)
async def test_other_proofs_stand_in_their_header(
    vendor: Vendor, auth: Any, secret: str, header: str, value: str
) -> None:
    client = speaker(vendor.url, quick_folder(auth=auth), secret)
    vendor.answers = [(200, DONE)]
    await look(client)
    assert vendor.headers[0][header] == value
    await client.close()


@pytest.mark.parametrize(
    ("auth", "secret"), [(ApiKey("X-Key"), "a\r\nX-Evil: 1"), (ApiKey("X-Key"), ""), (Basic(), "no colon")]
)
async def test_a_secret_that_no_header_may_hold_is_never_sent(vendor: Vendor, auth: Any, secret: str) -> None:
    client = speaker(vendor.url, quick_folder(auth=auth), secret)
    with pytest.raises(VendorFault) as raised:
        await order(client)
    assert vendor.asked == []
    assert "Evil" not in str(raised.value)
    await client.close()


# Where we speak to, and what is written down


@pytest.mark.parametrize("id", ["..", ".", "", "x" * 401])
async def test_an_id_that_would_climb_is_never_sent(vendor: Vendor, id: str) -> None:
    client = speaker(vendor.url)
    with pytest.raises(NotFound):
        await look(client, id)
    assert vendor.asked == []
    await client.close()


async def test_an_id_is_one_segment_whatever_it_holds(vendor: Vendor) -> None:
    client = speaker(vendor.url)
    vendor.answers = [(200, DONE)]
    with pytest.raises(VendorFault, match="another transfer"):
        await HttpBank(client, client).transfer("../a?b#c %2e é")
    (asked,) = vendor.asked
    assert asked[1] == "/v1/book-transfers/..%2Fa%3Fb%23c%20%252e%20%C3%A9"
    assert filled_path("/x/{id}", {"id": "a\r\nX: y"}) == "/x/a%0D%0AX%3A%20y"
    await client.close()


@pytest.mark.parametrize("key", ["a\r\nX-Evil: 1", "é", "x" * 500])
async def test_a_key_that_no_header_may_hold_is_sent_as_its_digest(vendor: Vendor, key: str) -> None:
    client = speaker(vendor.url)
    vendor.answers = [(201, DONE), (201, DONE)]
    await order(client, key)
    await order(client, key)
    (first, second) = (key for _, _, key in vendor.asked)
    assert first == second == hashlib.sha256(f"book.{key}".encode()).hexdigest()
    await client.close()


@pytest.mark.parametrize(
    "url",
    [
        *("http://bank.example", "ftp://127.0.0.1", "https://", "https://a:b@bank.example", "https://x.example/?a=1"),
        *("http://169.254.169.254/latest", "https://x.example/{y}", "https://[::1", "file:///etc/passwd", ""),
    ],
)
def test_an_address_that_no_vendor_may_have_is_refused(url: str) -> None:
    with pytest.raises(VendorFolderInvalid):
        speaker(url)


@pytest.mark.parametrize(
    "url", ["https://bank.example/api", "http://127.0.0.1:1", "http://localhost", "http://10.1.2.3"]
)
def test_an_address_with_tls_or_in_the_house_is_taken(url: str) -> None:
    speaker(url)


async def test_a_person_stands_in_no_error_no_log_and_no_trace(
    vendor: Vendor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    client = speaker(vendor.url, quick_folder("sandbox-kyc", attempts=1), trace=tmp_path)
    kyc = HttpKyc(client)
    echo = json.dumps({"code": "Ada Samplename", "detail": "1 Sample Street", "Ada Samplename": {"ssn": "7315"}})
    vendor.answers = [
        (422, echo),
        (500, echo),
        (404, echo),
        (200, echo),
        (401, echo),
        (201, echo),
        "hang up",
        (409, echo),
    ]
    errors = []
    while vendor.answers:
        try:
            await kyc.apply(PERSON, "k")
        except Exception as error:
            errors.append(f"{error!r} {error} {error.__cause__!r} {getattr(error, 'facts', '')}")

    written = (tmp_path / FILE).read_text() + caplog.text + "".join(errors)
    assert len(errors) >= 5
    assert not [name for name in NAMES if name in written]
    assert "/v1/applications" in written
    codes = [json.loads(line).get("code") for line in (tmp_path / FILE).read_text().splitlines()]
    assert codes == [None] * len(codes)
    vendor.answers = [(422, '{"code":"not_open"}')]
    with pytest.raises(Unprocessable):
        await kyc.apply(PERSON, "k")
    assert json.loads((tmp_path / FILE).read_text().splitlines()[-1])["code"] == "not_open"
    await kyc.close()
