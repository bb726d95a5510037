"""How a vendor is spoken to when it misbehaves: a real server whose next answers the test writes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lying_vendor import DONE, ORDER, Vendor, lying_vendor, quick_folder, speaker
from sdt.adapters.aml import HttpAml
from sdt.adapters.bank import HttpBank
from sdt.adapters.vendor.mapped import MappedVendor
from sdt.domain.errors import Conflict, NotFound, SdtError, Unavailable, Unprocessable
from sdt.ports.bank import BookTransfer
from sdt.ports.evidence import StateUnknown, VendorFault

STATEMENT = (
    '{"account":"A","balance_cents":"%s","overdraft_cents":"0","as_of":"2026-01-02T03:04:05Z","banking_day":1,'
    '"last_sequence":%d,"lines":[%s],"more":false}'
)
LINE = (
    '{"sequence":%d,"kind":"book","flow":"in","amount_cents":"5","subject":"s","reference":"r",'
    '"at":"2026-01-02T03:04:05Z"}'
)
POST = ("POST", "/v1/book-transfers", "book.k")
ASK = ("GET", "/v1/requests/book.k", "")


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with lying_vendor() as vendor:
        yield vendor


@pytest.fixture
async def client(vendor: Vendor) -> AsyncIterator[MappedVendor]:
    client = speaker(vendor.url)
    yield client
    await client.close()


async def order(client: MappedVendor) -> BookTransfer:
    return await client.call("book_transfer", BookTransfer, {"order": ORDER}, "k")


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, Unprocessable, "some_code"),
        (401, VendorFault, "vendor_fault"),
        (302, VendorFault, "vendor_fault"),
        (404, NotFound, "some_code"),
        (409, Conflict, "some_code"),
        (422, Unprocessable, "some_code"),
    ],
)
async def test_a_refusal_is_typed_and_not_tried_again(
    client: MappedVendor, vendor: Vendor, status: int, error: type[SdtError], code: str
) -> None:
    vendor.answers = [(status, '{"code":"some_code","detail":"about Alice Example"}')]

    with pytest.raises(error) as raised:
        await order(client)

    assert raised.value.code == code
    assert "Alice" not in str(raised.value)
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("code", ['"Alice Example"', "7", "null"])
async def test_a_code_that_is_none_is_not_passed_on(client: MappedVendor, vendor: Vendor, code: str) -> None:
    vendor.answers = [(422, f'{{"code":{code}}}')]

    with pytest.raises(Unprocessable) as raised:
        await order(client)

    assert raised.value.code == "http_422"


async def test_a_busy_vendor_is_tried_again_under_the_same_key(client: MappedVendor, vendor: Vendor) -> None:
    vendor.answers = [(503, ""), (429, ""), (201, DONE)]

    assert (await order(client)).transfer_id == "t"

    assert vendor.asked == [POST] * 3


async def test_a_vendor_busy_three_times_did_nothing(client: MappedVendor, vendor: Vendor) -> None:
    vendor.answers = [(503, "")] * 3

    with pytest.raises(Unavailable) as raised:
        await order(client)

    assert not isinstance(raised.value, StateUnknown)
    assert raised.value.code == "treasury_unavailable"


@pytest.mark.parametrize("failure", ["silence", "hang up", (500, ""), (502, "")])
async def test_an_unanswered_order_is_asked_about_before_anything_else(
    client: MappedVendor, vendor: Vendor, failure: tuple[int, str] | str
) -> None:
    vendor.answers = [failure, (200, DONE)]

    assert (await order(client)).transfer_id == "t"

    assert vendor.asked == [POST, ASK]


async def test_it_is_sent_again_only_after_the_vendor_knew_nothing_of_it(client: MappedVendor, vendor: Vendor) -> None:
    vendor.answers = ["hang up", (404, "{}"), (201, DONE)]

    await order(client)

    assert vendor.asked == [POST, ASK, POST]


@pytest.mark.parametrize("reply", ["hang up", (503, ""), (500, "")])
async def test_without_a_word_on_it_the_state_is_unknown_and_nothing_is_sent_again(
    client: MappedVendor, vendor: Vendor, reply: tuple[int, str] | str
) -> None:
    vendor.answers = ["hang up", reply, reply]  # A read cut off may be made twice below us.

    with pytest.raises(StateUnknown) as raised:
        await order(client)

    assert raised.value.code == "state_unknown"
    assert [method for method, _, _ in vendor.asked].count("POST") == 1


async def test_reading_is_tried_again(client: MappedVendor, vendor: Vendor) -> None:
    vendor.answers = ["hang up", (500, ""), (200, DONE)]

    assert (await client.call("transfer", BookTransfer, {"transfer_id": "t"})).transfer_id == "t"


async def test_nobody_at_the_address_is_unavailable() -> None:
    client = speaker("http://127.0.0.1:1")

    with pytest.raises(Unavailable) as raised:
        await order(client)

    assert raised.value.code == "treasury_unavailable"
    await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "{}",
        STATEMENT % ("-5", 0, ""),
        STATEMENT % ("5.0", 0, ""),
        STATEMENT % ("05", 0, ""),
        STATEMENT % ("99999999999999999999", 0, ""),
        (STATEMENT % ("5", 0, "")).replace('"5"', "5"),
        (STATEMENT % ("5", 0, "")).replace("05Z", "05"),
        (STATEMENT % ("5", 0, "")).replace('"A"', '"B"'),
        STATEMENT % ("5", 2, LINE % 1),
        STATEMENT % ("5", 1, ""),
        STATEMENT % ("5", 2, LINE % 2),
        STATEMENT % ("5", 1, f"{LINE % 1},{LINE % 2}"),
        (STATEMENT % ("5", 1, LINE % 1)).replace('"in"', '"sideways"'),
    ],
)
async def test_a_statement_in_a_wrong_form_is_a_fault(vendor: Vendor, answer: str) -> None:
    vendor.answers = [(200, answer)]
    bank = HttpBank(speaker(vendor.url, quick_folder("sandbox-ach")), speaker(vendor.url))

    with pytest.raises(VendorFault):
        await bank.statement("A")
    await bank.close()


async def test_a_statement_in_the_right_form_passes_with_members_we_do_not_know(vendor: Vendor) -> None:
    vendor.answers = [(200, (STATEMENT % ("5", 1, LINE % 1)).replace("{", '{"new":1,', 1))]
    bank = HttpBank(speaker(vendor.url, quick_folder("sandbox-ach")), speaker(vendor.url))

    assert (await bank.statement("A")).balance.units == 5
    await bank.close()


async def test_another_list_edition_must_have_a_digest(vendor: Vendor) -> None:
    vendor.answers = [(200, '{"list_date":"2026-01-05","list_digest":"none"}')]
    aml = HttpAml(speaker(vendor.url, quick_folder("sandbox-aml")))

    with pytest.raises(VendorFault):
        await aml.sanctions_list()
    await aml.close()
